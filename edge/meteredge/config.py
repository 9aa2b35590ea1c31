"""The agent's configuration: one TOML file, checked before anything else happens.

An unknown key is an error that names the nearest known one; every error says file, key and what to write instead.
`docs/agent.md` has the annotated file.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from meterchain.record import encode_meter_id
from meteredge.mistakes import NotToml, parse_toml, read_toml, told
from meteredge.privacy import PUBLIC, SECRET
from meteredge.profiles import PhaseAccounting


class ConfigError(Exception):
    """The configuration cannot be used; one line for each thing that is wrong."""


def known_zone(name: str) -> str:
    """The name, if it is a time zone.  Raises ValueError with what to write instead."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{name!r} is no time zone; write a name like Asia/Bangkok") from None
    return name


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Site(_Table):
    """[site]: which deployment this node belongs to."""

    name: Annotated[str, Field(min_length=1, max_length=64, examples=["engineering"]), PUBLIC]
    """The site's name, for people."""
    domain: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$", examples=["0011223344556677"]), PUBLIC]
    """16 hexadecimal digits that every record carries; `meterbridge site init` prints them."""
    timezone: Annotated[str, PUBLIC] = "UTC"
    """For people; slots are UTC."""
    phase_accounting: Annotated[Annotated[PhaseAccounting, Field(examples=["vector"])] | None, PUBLIC] = None
    """How meters of three phases add them on this site, "vector" (netted) or "per_phase": the same flow mints other
    amounts by each, so that all of a site do it alike."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        return known_zone(name)


class KeyTable(_Table):
    """[key]: where the meter's key is: a file of ours, or a credential of the unit; exactly one of them."""

    file: Annotated[Annotated[str, Field(examples=["/var/lib/meterbridge/meter.key"])] | None, PUBLIC] = None
    """A file of 32 bytes, mode 0600, that the agent's user owns."""
    credential: Annotated[Annotated[str, Field(examples=["meter.key"])] | None, PUBLIC] = None
    """Or the name of a systemd credential in /etc/credstore or /etc/credstore.encrypted."""

    @model_validator(mode="after")
    def _one(self) -> "KeyTable":
        if (self.file is None) == (self.credential is None):
            raise ValueError('write either file = "/var/lib/meterbridge/meter.key" or credential = "meter.key"')
        return self


class MeterTable(_Table):
    """[meter], or [[meter]] for each of several: the meter on the wire and its name on the chain."""

    id: Annotated[str, Field(examples=["METER_001"]), PUBLIC]
    """Its name on the chain."""
    profile: Annotated[str, Field(examples=["sdm120"]), PUBLIC]
    """What model it is (docs/profiles.md lists them)."""
    unit: Annotated[int, Field(ge=1, le=248, examples=[1]), PUBLIC]
    """Its Modbus address."""
    serial: Annotated[Annotated[str, Field(examples=["10000001"])] | None, PUBLIC] = None
    """The serial number that must answer; left out where the model has none on the wire."""
    direction: Annotated[Literal["normal", "reversed"], PUBLIC] = "normal"
    """"reversed" where the meter sits the other way round: what it counts as import is export.  A change needs a new
    enrolment: to the chain the registers would jump."""
    phase_accounting: Annotated[Annotated[PhaseAccounting, Field(examples=["vector"])] | None, PUBLIC] = None
    """How this meter adds its phases, found out by a load, where its profile does not know."""
    key: KeyTable | None = None
    """Its own key, where there are several meters; one alone has [key]."""

    @field_validator("id")
    @classmethod
    def _id_fits(cls, meter_id: str) -> str:
        encode_meter_id(meter_id)
        return meter_id


class BusTable(_Table):
    """[bus]: the serial port; what is left out comes from the profile."""

    port: Annotated[
        str, Field(min_length=1, examples=["/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A1B2C3D4-if00-port0"]), PUBLIC
    ]
    """The adapter, by /dev/serial/by-id/…, by-path or VID:PID:SERIAL."""
    baud: Annotated[Annotated[int, Field(ge=1200, le=115_200, examples=[9600])] | None, PUBLIC] = None
    """Bits a second; without it, the profile's."""
    framing: Annotated[Annotated[str, Field(pattern=r"^8[NEO][12]$", examples=["8N1"])] | None, PUBLIC] = None
    """Data bits, parity, stop bits; without it, the profile's."""
    poll_s: Annotated[float, Field(ge=1, le=300, strict=False), PUBLIC] = 10.0
    """Seconds between looks at the meter inside a slot."""


class BridgeTable(_Table):
    """[bridge]: the Pico between USB and RS-485, if there is one (docs/bridge.md)."""

    unit: Annotated[int, Field(ge=1, le=247), PUBLIC] = 247
    """Its own unit id."""


class ChainTable(_Table):
    """[chain]: where records go and who pays."""

    rpc: Annotated[str, Field(examples=["https://api.devnet.solana.com"]), SECRET]
    """The address that the chain answers at; many hold a key, so it is never shown whole."""
    relayer: Annotated[str, PUBLIC] = "/var/lib/meterbridge/relayer.json"
    """File of the wallet that pays (64 numbers in JSON, as `solana-keygen` writes it)."""
    settle_every: Annotated[int, Field(ge=0, le=96), PUBLIC] = 4
    """Mint and burn once in so many records; 0 leaves that to others."""
    programs: Annotated[Annotated[str, Field(examples=["/etc/meterbridge/programs"])] | None, PUBLIC] = None
    """OUT of `make programs` for ids of one's own; without it, the development ids."""

    @property
    def programs_folder(self) -> Path | None:
        """Where IDLs lie, for `programs.load`; None = those of the package."""
        return None if self.programs is None else Path(self.programs)

    @field_validator("rpc")
    @classmethod
    def _is_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{url!r} is no RPC address; write one like https://api.devnet.solana.com")
        return url


class RelayTable(_Table):
    """[relay], instead of a wallet of the node's own: records are published over MQTT 5 and a relay pays."""

    broker: Annotated[str, Field(examples=["mqtts://mqtt.example.org"]), PUBLIC]
    """The broker: mqtts://HOST[:PORT], or mqtt:// on this machine."""
    username: Annotated[Annotated[str, Field(examples=["METER_001"])] | None, PUBLIC] = None
    """How the broker knows this node."""
    password_file: Annotated[
        Annotated[str, Field(examples=["/var/lib/meterbridge/broker.password"])] | None, PUBLIC
    ] = None
    """Its password there, a file of mode 0600."""
    ca_file: Annotated[Annotated[str, Field(examples=["/etc/meterbridge/broker-ca.pem"])] | None, PUBLIC] = None
    """The broker's certificate authority; without it, the system's."""


class StateTable(_Table):
    """[state]: where the agent writes."""

    directory: Annotated[str, PUBLIC] = "/var/lib/meterbridge"
    """The journal."""
    runtime: Annotated[str, PUBLIC] = "/run/meterbridge"
    """The status file; a RAM disk, because it is written every few seconds."""


def _as_array(tables: object) -> object:
    """One [meter] is an array of one."""
    if isinstance(tables, Mapping):
        return (tables,)
    return tuple(tables) if isinstance(tables, list) else tables


class AgentConfig(_Table):
    """The whole file.

    What asks for *the* meter (`meter`, `key`, `journal_path`, `status_path`) is of use after `of` or `each`.
    """

    schema_: Annotated[Literal[1], Field(alias="schema"), PUBLIC]
    site: Site
    meters: Annotated[tuple[MeterTable, ...], BeforeValidator(_as_array), Field(alias="meter", min_length=1)]
    bus: BusTable
    bridge: BridgeTable | None = None
    only_key: Annotated[KeyTable, Field(alias="key")] = KeyTable(file="/var/lib/meterbridge/meter.key")
    chain: ChainTable
    relay: RelayTable | None = None
    state: StateTable = StateTable()

    @model_validator(mode="after")
    def _meters_apart(self) -> "AgentConfig":
        """Each meter has one key; those that share a bus share nothing else."""
        for_all = "only_key" in self.model_fields_set
        if for_all and (len(self.meters) > 1 or self.meters[0].key is not None):
            raise ValueError("[key] is for one meter alone; write key = { file = … } into each [[meter]] instead")
        for meter in self.meters if len(self.meters) > 1 else ():
            if meter.key is None:
                file = f'file = "/var/lib/meterbridge/{meter.id}.key"'
                raise ValueError(f"meter {meter.id} has no key; write key = {{ {file} }} into its [[meter]]")
        _refuse_twins("id", [meter.id for meter in self.meters])
        units = [meter.unit for meter in self.meters] + ([self.bridge.unit] if self.bridge else [])
        _refuse_twins("unit", units)
        _refuse_twins("key", [repr(meter.key) for meter in self.meters])
        return self

    @model_validator(mode="after")
    def _one_pays(self) -> "AgentConfig":
        if self.relay is not None and "relayer" in self.chain.model_fields_set:
            raise ValueError("[relay] pays for this node: take `relayer` out of [chain], or [relay] out of the file")
        return self

    def of(self, meter_id: str | None = None) -> "AgentConfig":
        """The same configuration with this meter alone; without an id, the only one there is.  Raises ConfigError."""
        found = [meter for meter in self.meters if meter_id in (None, meter.id)]
        if len(found) != 1:
            there = ", ".join(meter.id for meter in self.meters)
            raise ConfigError(
                f"there is no meter {meter_id}; this configuration has {there}"
                if meter_id
                else f"this configuration has several meters; name one of them: --meter {there}"
            )
        return self.model_copy(update={"meters": (found[0],), "only_key": found[0].key or self.only_key})

    def each(self) -> "tuple[AgentConfig, ...]":
        """The configuration of each meter, in their order."""
        return tuple(self.of(meter.id) for meter in self.meters)

    @property
    def meter(self) -> MeterTable:
        """The only meter.  Raises ConfigError if there are several."""
        return self.of().meters[0]

    @property
    def key(self) -> KeyTable:
        """The only meter's key.  Raises ConfigError if there are several meters."""
        return self.of().only_key

    @property
    def domain(self) -> bytes:
        """The site's 8 bytes."""
        return bytes.fromhex(self.site.domain)

    @property
    def journal_path(self) -> Path:
        """The journal of the only meter."""
        return Path(self.state.directory) / f"{self.meter.id}.journal"

    @property
    def status_path(self) -> Path:
        """What the running agent says of the only meter."""
        return Path(self.state.runtime) / f"{self.meter.id}.json"

    @property
    def socket_path(self) -> Path:
        """Where the running agent is asked."""
        return Path(self.state.runtime) / "agent.sock"


def _refuse_twins(what: str, values: Sequence[object]) -> None:
    twins = [value for value, number in Counter(values).items() if number > 1]
    if twins:
        value = "" if what == "key" else f" {twins[0]}"
        raise ValueError(f"two meters have the same {what}{value}; each needs its own")


_WRITE_INSTEAD = {
    "domain": "the 16 hexadecimal digits that the operator gave you",
    "framing": "8N1, 8E1, 8O1, 8N2, 8E2 or 8O2",
}


def load(path: Path) -> AgentConfig:
    """Read and check the file.  Raises ConfigError; nothing else is touched."""
    try:
        table = read_toml(path, "name the agent's configuration with --config FILE")
    except NotToml as error:
        raise ConfigError(str(error)) from None
    return _checked(table, path)


def parse(text: str, source: str) -> AgentConfig:
    """Check a file whose text is at hand; `source` names it in errors.  Raises ConfigError."""
    try:
        table = parse_toml(text, source)
    except NotToml as error:
        raise ConfigError(str(error)) from None
    return _checked(table, source)


def _checked(table: Mapping[str, Any], source: Path | str) -> AgentConfig:
    try:
        return AgentConfig.model_validate(table)
    except ValidationError as error:
        mistakes = told(
            AgentConfig,
            [_as_written(each, table) for each in error.errors()],
            source=source,
            table=table,
            annotated="docs/agent.md has an annotated file",
            write_instead=_WRITE_INSTEAD,
        )
        raise ConfigError("\n".join(mistakes)) from None


def _as_written(error: ErrorDetails, table: Mapping[str, Any]) -> ErrorDetails:
    """Where the mistake stands in the file: one [meter] has no number there."""
    where = error["loc"]
    if where[:2] == ("meter", 0) and isinstance(table.get("meter"), Mapping):
        error["loc"] = ("meter", *where[2:])
    return error
