"""What a node hands to its operator: the claim for its meter, and single records out of the journal.

Neither holds anything secret.  The claim is made before there is a journal, so it reads the meter itself; the registers
in it become the meter's baseline: energy before them is never credited.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from solders.pubkey import Pubkey

from meterchain.claim import Claim, NodeTold
from meterchain.units import InstallId, Seq
from meteredge.board import board_serial
from meteredge.clock import Clock
from meteredge.config import AgentConfig, ConfigError, load
from meteredge.durable import sync_folder, write_new
from meteredge.journal import Journal, Row
from meteredge.journal_schema import JournalError
from meteredge.key_rotation import make_next
from meteredge.keys import LEVEL, create_key, create_relayer, load_relayer
from meteredge.meter_port import MeterAtPort
from meteredge.reader import Reading
from meteredge.signer import Signer
from meteredge.station import load_meter_key

_MODEL_SIZE = 16
WANTED, MADE = "claim.wanted", "claim.json"
"""In the state folder: the order for a claim (owner, label), and the claim that was made of it."""
LISTEN_S = 6.0
"""How long a bus is listened to before a meter on it is enrolled; inverters ask every second or few."""
LABEL = "label:"
"""Stands before a serial number that a person read off the meter, as in `label:10000001`."""


class SecondMasterHeard(Exception):
    """Somebody else asks on the meter's bus: it is not enrolled."""


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
) -> Claim:
    """Read the meter of the configuration at `path` and sign the proof of possession with its key.

    `meter` names one where the configuration has several; `label` is the serial number on the meter's plate, where the
    wire does not tell it; `new_key` makes a key if there is none; `rotate` claims with the key that
    shall follow the present one, made if none waits (`key_rotation`).  Raises ConfigError, KeyFileError, ProfileError,
    BusError.
    """
    config = load(path).of(meter)
    reading = (read or read_once)(config, clock)
    serial = reading.serial or (f"{LABEL}{label}" if label else None)
    if serial is None:
        raise ConfigError(
            f"{config.meter.profile}: this model does not tell its serial number; read it off the meter's plate and "
            "add --label NUMBER"
        )
    if new_key and config.key.file and not Path(config.key.file).exists():
        create_key(Path(config.key.file))
    signer = make_next(config) if rotate else Signer(load_meter_key(config))
    profile = MeterAtPort(config, clock).profile
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
            read_at=max(0, int(clock.utc())),
            port=config.bus.port,
            unit=config.meter.unit,
            direction=config.meter.direction,
            settings={name: reading.values[name] for name in profile.settings if name in reading.values},
        ),
    )


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
    draft = folder / f".{MADE}"
    draft.unlink(missing_ok=True)
    write_new(draft, made.model_dump_json(by_alias=True, indent=1).encode())
    draft.replace(folder / MADE)
    sync_folder(folder)
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


def read_once(config: AgentConfig, clock: Clock) -> Reading:
    """One reading by a port that is opened for it, on a bus that nobody else uses.

    Raises SecondMasterHeard, BusError and ProfileError.
    """
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
