"""What a node hands to its operator: the claim for its meter, and single records out of the journal.

Neither holds anything secret.  The claim is made before there is a journal, so it reads the meter itself; the registers
in it become the meter's baseline: energy before them is never credited.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from solders.pubkey import Pubkey

from meterchain.claim import Claim, NodeTold
from meterchain.durable import sync_folder, write_new, write_whole
from meterchain.units import InstallId, Seq
from meteredge.agent_bus import AgentBus, AgentPort
from meteredge.board import board_serial
from meteredge.clock import Clock
from meteredge.config import AgentConfig, ConfigError, load
from meteredge.journal import Journal, Row
from meteredge.journal_schema import JournalError
from meteredge.key_rotation import make_next
from meteredge.keys import LEVEL, KeyMissing, create_key, create_relayer, load_relayer
from meteredge.meter_port import MeterAtPort, reader_of
from meteredge.profiles import Profile
from meteredge.profiles import load as load_profile
from meteredge.reader import Reading
from meteredge.signer import Signer
from meteredge.socket_client import AgentAbsent, AgentSocket
from meteredge.socket_protocol import Status
from meteredge.station import load_meter_key

_MODEL_SIZE = 16
WANTED, MADE = "claim.wanted", "claim.json"
"""In the state folder: the order for a claim (owner, label), and the claim that was made of it."""
FIND_OUT = (
    "load one phase while another feeds in, then write phase_accounting into the meter's table of the site file and of "
    "agent.toml"
)
LISTEN_S = 6.0
"""How long a bus is listened to before a meter on it is enrolled; inverters ask every second or few."""
LABEL = "label:"
"""Stands before a serial number that a person read off the meter, as in `label:10000001`."""


class SecondMasterHeard(Exception):
    """Somebody else asks on the meter's bus: it is not enrolled."""


class MixedPhases(Exception):
    """The meter adds its phases otherwise than its site: the same flow would mint other amounts; it is not enrolled."""


def make_claim(
    path: Path,
    owner: Pubkey,
    clock: Clock,
    *,
    meter: str | None = None,
    label: str | None = None,
    install_id: InstallId,
    new_key: bool = False,
    rotate: bool = False,
    read: Callable[[AgentConfig, Clock], Reading] | None = None,
    tell: Callable[[str], None] = lambda _sentence: None,
) -> Claim:
    """Read the meter of the configuration at `path` and sign the proof of possession with its key.

    `meter` names one where the configuration has several; `label` is the serial number on the meter's plate, where the
    wire does not tell it; `new_key` makes a key if there is none; `rotate` claims with the key that
    shall follow the present one, made if none waits (`key_rotation`); `tell` hears what deserves a look.
    Raises ConfigError, KeyFileError, ProfileError, MixedPhases, SecondMasterHeard, BusError, AgentError.
    """
    config = load(path).of(meter)
    profile = load_profile(config.meter.profile)
    _judge_phases(config, profile, tell)
    reading = read(config, clock) if read else read_once(config, clock, tell)
    serial = reading.serial or (f"{LABEL}{label}" if label else None)
    if serial is None:
        raise ConfigError(
            f"{config.meter.profile}: this model does not tell its serial number; read it off the meter's plate and "
            "add --label NUMBER"
        )
    if new_key and config.key.file and not Path(config.key.file).exists():
        create_key(Path(config.key.file))
    signer = make_next(config) if rotate else Signer(load_meter_key(config))
    proof = signer.prove_possession(config.domain, config.meter.id, owner, install_id)
    return Claim(
        meter_id=config.meter.id,
        owner=str(owner),
        domain=config.site.domain,
        install_id=install_id,
        public_key=str(signer.public_key),
        signature=proof.hex(),
        model=profile.name[:_MODEL_SIZE],
        serial=serial,
        resolution_mwh=reading.quantum_mwh,
        register_modulus_mwh=profile.register_modulus_mwh,
        baseline_export_mwh=reading.export_mwh,
        baseline_import_mwh=reading.import_mwh,
        node=NodeTold(
            board_serial=board_serial(),
            key_level=LEVEL,
            relayer=_relayer_of(config),
            read_at=max(0, int(clock.utc())),
            port=config.bus.port,
            unit=config.meter.unit,
            direction=config.meter.direction,
            settings={name: reading.values[name] for name in profile.settings if name in reading.values},
        ),
    )


def _relayer_of(config: AgentConfig) -> str | None:
    if config.relay is not None:
        return None
    try:
        return str(load_relayer(Path(config.chain.relayer)).pubkey())
    except KeyMissing:
        return None


def want_claim(folder: Path, owner: Pubkey, label: str | None, install_id: int = 1) -> None:
    """Leave the order for a claim in the state folder: `make_wanted` makes it once the meter answers.

    Until it is taken away the agent does not start (its unit says so).  Raises OSError.
    """
    order = folder / WANTED
    order.unlink(missing_ok=True)
    write_new(order, json.dumps({"owner": str(owner), "label": label, "install_id": install_id}).encode())
    sync_folder(folder)


def make_wanted(path: Path, clock: Clock, read: Callable[[AgentConfig, Clock], Reading] | None = None) -> Path | None:
    """Make the claim that was ordered, beside its order; None if none was.

    Raises what `make_claim` raises; the order then stays.
    """
    folder = Path(load(path).state.directory)
    try:
        order = json.loads((folder / WANTED).read_text("utf-8"))
    except FileNotFoundError:
        return None
    made = make_claim(
        path,
        Pubkey.from_string(order["owner"]),
        clock,
        label=order["label"],
        install_id=InstallId(order["install_id"]),
        read=read,
    )
    write_whole(folder / MADE, made.model_dump_json(by_alias=True, indent=1).encode())
    return folder / MADE


def own_addresses(path: Path, *, new: bool) -> dict[str, Any]:
    """The public halves of each meter's key and of the node's wallet; `new` makes what there is none of.

    Where a relay pays there is no wallet.

    Raises ConfigError, KeyFileError.
    """
    config = load(path)
    relayer = Path(config.chain.relayer)
    for file in (each.key.file for each in config.each() if new):
        if file and not Path(file).exists():
            create_key(Path(file))
    meters = [{"id": each.meter.id, "key": str(Signer(load_meter_key(each)).public_key)} for each in config.each()]
    ours = {"schema": 1, "meters": meters}
    if config.relay is not None:
        return ours
    if new and not relayer.exists():
        create_relayer(relayer)
    return {**ours, "relayer": str(load_relayer(relayer).pubkey())}


def read_once(config: AgentConfig, clock: Clock, tell: Callable[[str], None] = lambda _sentence: None) -> Reading:
    """One reading on a bus that nobody else uses: through the running agent, else by a port that is opened for it.

    `tell` hears why it takes long.  Raises SecondMasterHeard, BusError, ProfileError and AgentError.
    """
    with AgentSocket(config.socket_path) as agent:
        try:
            status = agent.ask(Status())
        except AgentAbsent:
            return _read_at_port(config, clock)
        return _read_by_agent(config, clock, agent, status, tell)


def _read_by_agent(
    config: AgentConfig, clock: Clock, agent: AgentSocket, status: Mapping[str, Any], tell: Callable[[str], None]
) -> Reading:
    if heard := status["bus"]["second_master"]:
        raise SecondMasterHeard(f"{heard}; until then it is not enrolled")
    bus = AgentBus(agent, AgentPort(status["bus"]["baud"], status["bus"]["framing"]), clock, tell)
    reader = reader_of(bus, config.meter, load_profile(config.meter.profile), clock)
    reader.identify()
    return reader.read()


def _read_at_port(config: AgentConfig, clock: Clock) -> Reading:
    meter = MeterAtPort(config, clock)
    try:
        if heard := meter.bus.listen(LISTEN_S):
            raise SecondMasterHeard(
                f"somebody else asks on this bus ({heard} times in {LISTEN_S:.0f} s), and a meter that shares its bus "
                "is not enrolled; find the second master (inverters often are one) and give the meter a bus of its own"
            )
        return meter.read()
    finally:
        meter.close()


def _judge_phases(config: AgentConfig, profile: Profile, tell: Callable[[str], None]) -> None:
    if profile.phase_accounting is None:
        return
    is_so, site = profile.phases_added(config.meter.phase_accounting), config.site.phase_accounting
    if is_so is None:
        tell(f"nobody has found out how {profile.model} adds its phases: {FIND_OUT}")
    elif site not in (None, is_so):
        raise MixedPhases(
            f"{config.meter.id} adds its phases as {is_so}, the site as {site}: the same flow would mint other "
            "amounts, so it is not enrolled; set the meter otherwise if it can be, or choose another model"
        )


def find_record(path: Path, meter: str | None, seq: Seq | None) -> Row:
    """Record number `seq` of the newest install in the journal, the last one if None.  Raises JournalError."""
    config = load(path).of(meter)
    journal = Journal.open_read_only(config.journal_path)
    try:
        install = journal.install()
        if seq is None:
            rows = journal.last_rows(1)
            found = rows[0] if rows else None
        else:
            found = journal.row(install.install_id, seq) if install else None
    finally:
        journal.close()
    if found is None:
        what = "no record yet" if seq is None else f"no record {seq}"
        raise JournalError(f"{config.journal_path}: there is {what}; `meterbridge agent status` shows what there is")
    return found
