"""What is the case on one node, as plain data: gathered once by `gather`, judged by `checks`.

Nothing here is secret: of keys only the public half, of the RPC only its host.  What could not be found out is an
`Unknown` that says why, never a guess.  Times are Unix seconds, energies mWh, powers W.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact that could not be had, and why."""

    why: str


Found: TypeAlias = T | Unknown


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error on the way, in its two parts; `kind` is its name in statistics."""

    kind: str
    fact: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Culprit:
    """A process by number and name."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


@dataclass(frozen=True, slots=True)
class Adapter:
    """What Linux says of the USB adapter behind a port; None where it does not say."""

    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None
    product: str | None = None
    driver: str | None = None
    latency_timer_ms: int | None = None
    by_path: str | None = None
    twins: tuple[str, ...] = ()
    """Other ports of the same make that have no serial number either: a by-id name cannot tell them apart."""
    modem_manager_ignores: bool = False

    def __str__(self) -> str:
        usb = f"{self.vid:04x}:{self.pid:04x}" if self.vid is not None and self.pid is not None else "no USB adapter"
        return f"{self.product} ({usb})" if self.product else usb


@dataclass(frozen=True, slots=True)
class PortFacts:
    """The serial port that the configuration names."""

    spec: str
    device: str | None
    """Where `spec` leads now."""
    trouble: Trouble | None = None
    """Why it cannot be opened; None if it can, or if the agent has it."""
    mode: str | None = None
    """Owner, group and mode as `ls -l` has them, e.g. "root:dialout 0660"."""
    adapter: Adapter = Adapter()
    holders: tuple[Culprit, ...] = ()
    """Who has it open now, as far as this user may see."""
    agent_has_it: bool = False
    meddlers: tuple[Culprit, ...] = ()
    """ModemManager and brltty, where they run."""


@dataclass(frozen=True, slots=True)
class WireFacts:
    """What happened to questions on the wire: from the agent's counts, or from asking ourselves."""

    asked: int
    answered: int
    silent: int = 0
    damaged: int = 0
    wrong: int = 0
    """Whole frames that answer another question."""
    exceptions: int = 0
    unasked_bytes: int = 0
    echoes: int = 0
    leading_zeros: int = 0
    strangers: tuple[str, ...] = ()
    """Whole questions on the wire that we did not send, in hexadecimal."""
    doubled: int = 0
    """Questions that two devices answered: two frames came, or one was drowned in another."""
    breaks: int = 0
    """Questions after which nothing came but characters without a stop bit."""
    settings: str = ""
    """What the port is set to: "9600 8N1"."""
    tried: tuple[str, ...] = ()
    """Other settings that were tried because nothing answered."""
    answers_at: tuple[str, ...] = ()
    """Those of them at which something answered."""
    breaks_everywhere: bool = False
    """That happened at every setting tried, and never an answer."""


@dataclass(frozen=True, slots=True)
class MeterFacts:
    """The meter, as it answers and as its profile says it should."""

    profile: str
    model: str
    phases: int
    phase_accounting: str | None
    """How the profile, or else the configuration, says that it adds them: vector, per_phase or unknown."""
    unit: int
    identity_level: str
    expected_serial: str | None
    serial: str | None = None
    trouble: Trouble | None = None
    """Why it could not be read, or may not be believed."""
    export_mwh: int | None = None
    import_mwh: int | None = None
    power_w: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    require: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    """The meter's mode registers by name, as text."""
    doubts: tuple[str, ...] = ()
    """What the profile says that nobody has confirmed."""
    direction: str = "normal"
    site_phase_accounting: str | None = None
    """How the site adds them; None where the configuration does not say."""


@dataclass(frozen=True, slots=True)
class LoadStep:
    """What the meter showed when a load of known size was switched on."""

    name: str
    load_w: float
    before_w: float
    after_w: float
    export_rise_mwh: int
    import_rise_mwh: int
    waited_s: float
    """From the request to switch until the registers were last read."""


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """How well the host knows the time."""

    utc: float
    status: str
    """S, I or U: see `meteredge.timesource`."""
    chain_ahead_s: Found[float]
    rtc: bool
    """Whether there is a clock that goes on without power."""


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """The meter's key: never the key itself."""

    where: str
    level: str
    """`file`, `board` or `chip`."""
    public_key: Found[str]
    trouble: str | None = None
    """Why the agent could not use it."""


@dataclass(frozen=True, slots=True)
class RegistryMeter:
    """The meter as the registry has it."""

    status: str
    meter_key: str
    owner: str
    owner_status: str
    install_id: int
    serial: str
    model: str
    key_level: str
    """`file`, `board`, `chip` or `not stated`."""


@dataclass(frozen=True, slots=True)
class Account:
    """The oracle's account of the meter."""

    install_id: int
    seq: int
    last_ts: int
    frozen: bool
    gaps: int


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What the chain shows."""

    host: str
    answered_in_s: float
    domain: str | None
    """None where there is no site."""
    meter: RegistryMeter | None
    account: Account | None
    paused: bool
    oracle_active: bool
    relayer: Found[str]
    relayer_listed: bool = True
    relayer_lamports: int = 0
    lamports_a_day: int = 0
    """What a day of records costs at the present fees."""


@dataclass(frozen=True, slots=True)
class JournalFacts:
    """What the journal holds."""

    path: str
    records: Mapping[str, int]
    codes: Mapping[str, int]
    last_seq: int | None
    last_ts: int | None
    key: str
    """The public key that its records are signed with."""
    install_id: int | None = None


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """What the running agent says of itself; all empty where none runs."""

    running: bool
    pid: int | None = None
    version: str | None = None
    slot_problem: str | None = None
    delivery_problem: str | None = None
    stopped: str | None = None
    written_at: float | None = None
    time_status: str | None = None
    """How it knows the time: S, I or U; in its sandbox it may know less than the host does."""
    undated: int = 0
    """Readings that wait for the time to be known."""


@dataclass(frozen=True, slots=True)
class BridgeFacts:
    """The bridge's own registers by name; empty where it does not answer."""

    unit: int
    values: Mapping[str, float | str] = field(default_factory=dict)
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The machine."""

    model: str
    disk_path: str
    disk_free_bytes: int
    disk_read_only: bool
    under_voltage: Literal["now", "since boot", "never"] | None
    """None where the board does not tell."""
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything, about one meter."""

    meter_id: str
    domain: str
    now: float
    agent: AgentFacts
    port: PortFacts
    wire: Found[WireFacts]
    meter: Found[MeterFacts]
    load_step: Found[LoadStep]
    clock: ClockFacts
    key: KeyFacts
    chain: Found[ChainFacts]
    journal: Found[JournalFacts] | None
    """None where there is none yet."""
    bridge: Found[BridgeFacts] | None
    """None where none is configured."""
    host: HostFacts
