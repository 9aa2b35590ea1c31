"""How an install ends: the node delivers all, the meter goes to maintenance, the final record is signed and accepted.

The proof is the record itself: reason F, signed by the meter's key, its digest the last one that the oracle has of this
install.  So nothing that the node signed before it is on its way any more, and nothing came after it.
"""

from dataclasses import dataclass
from pathlib import Path

from solders.keypair import Keypair

from meterchain import instructions
from meterchain.accounts import Meter, MeterState, MeterStatus, fetch
from meterchain.commands.meter_views import kwh, meter_of
from meterchain.commands.node_status import read_node_status, refuse_undelivered
from meterchain.commands.recorded import attempt
from meterchain.commands.session import Session
from meterchain.commands.verify import read_signed
from meterchain.ed25519 import BadSignature, Signed
from meterchain.record import Reason, Record, record_digest
from meterprov import manifest as facts
from meterprov.life.options import Office
from meterprov.life.steps import StepRefused, Walk

DELIVERED, MAINTENANCE, FINAL = "delivered", "maintenance", "final record"


@dataclass(frozen=True)
class Papers:
    """What the node of the ending install has printed."""

    node_status: Path | None = None
    final: Path | None = None
    gone: bool = False
    """The node is gone: what it has not delivered is lost, and there is no final record."""


def end_install(
    walk: Walk, here: Session, office: Office, signer: Keypair, meter_id: str, papers: Papers, at: int
) -> None:
    """Walk to the accepted final record.  Raises Undelivered, StepRefused, and what the chain raises."""
    meter = meter_of(here, meter_id)
    state = fetch(here.chain, here.programs, MeterState, here.site.meter_state(meter_id))
    if meter.status is MeterStatus.COMPROMISED:
        for name in (DELIVERED, MAINTENANCE, FINAL):
            walk.done(name, "left out: the meter is compromised, nothing of its key is believed")
        return
    final = _final(here, office, meter, state, papers.final, at)
    _deliver(walk, meter, state, papers, proved=final is not None)
    if not walk.goes_on:
        walk.later(MAINTENANCE, FINAL)
        return
    if meter.status is MeterStatus.MAINTENANCE or meter.status is MeterStatus.DECOMMISSIONED:
        walk.done(MAINTENANCE, f"the chain takes nothing of {meter_id} but a final record")
    else:
        step = instructions.set_meter_status(here.programs, signer.pubkey(), meter_id, MeterStatus.MAINTENANCE)
        attempt(lambda: here.chain.send([step], [signer]))
        walk.sent(MAINTENANCE, f"the chain takes nothing of {meter_id} but a final record")
    if final is not None:
        registers = f"{kwh(final.export_mwh)} kWh export, {kwh(final.import_mwh)} kWh import"
        walk.done(FINAL, f"number {final.seq}, accepted: {registers}")
    elif papers.gone:
        walk.done(FINAL, "none: the node is gone, its energy ends with the last record on the chain")
    else:
        walk.waits(
            FINAL,
            "the node has not shown it",
            "on the node: meterbridge agent final && meterbridge agent record > final.json; then --final final.json",
        )


def _deliver(walk: Walk, meter: Meter, state: MeterState | None, papers: Papers, *, proved: bool) -> None:
    if proved:
        walk.done(DELIVERED, "everything before the final record is on the chain, or its energy is in it")
    elif meter.status in {MeterStatus.MAINTENANCE, MeterStatus.DECOMMISSIONED} and papers.node_status is None:
        walk.done(DELIVERED, f"{meter.meter_id} is in {meter.status.name.lower()} already")
    elif papers.gone:
        walk.done(DELIVERED, "the node is gone: what it had not delivered is lost")
    elif papers.node_status is not None:
        said = read_node_status(papers.node_status, meter.meter_id)
        refuse_undelivered(said, meter, state, force=False)
        walk.done(DELIVERED, f"the node has {said.last_seq or 0} records, none waits")
    else:
        walk.waits(
            DELIVERED,
            "nobody has said that the node has delivered all",
            "on the node: systemctl stop meterbridge-agent; meterbridge agent status --json > status.json; then "
            "--node-status status.json (--force if the node is gone)",
        )


def _final(
    here: Session, office: Office, meter: Meter, state: MeterState | None, paper: Path | None, at: int
) -> facts.FinalRecord | None:
    """The final record of the present install, if the chain's last record is it; kept in the manifest."""
    if paper is not None:
        found = _proved(here, meter, state, paper, at)
        if not here.chain.rehearsal:
            facts.append_once(office.manifest, found)
        return found
    known = [fact for fact in facts.read(office.manifest) if isinstance(fact, facts.FinalRecord)]
    ours = [fact for fact in known if fact.meter_id == meter.meter_id and fact.install_id == meter.install_id]
    accepted = [fact for fact in ours if _is_last(fact, state)]
    return accepted[-1] if accepted else None


def _is_last(fact: facts.FinalRecord, state: MeterState | None) -> bool:
    return state is not None and (state.install_id, state.last_digest.hex()) == (fact.install_id, fact.digest)


def _proved(here: Session, meter: Meter, state: MeterState | None, paper: Path, at: int) -> facts.FinalRecord:
    encoded, signature = read_signed(str(paper))
    record = Record.decode(encoded)
    whose = (record.meter_id, record.install_id, record.domain)
    if whose != (meter.meter_id, meter.install_id, here.site.domain):
        raise StepRefused(
            f"{paper}: a record of {record.meter_id}, install {record.install_id}; {meter.meter_id}, install "
            f"{meter.install_id} of this site is wanted"
        )
    if record.reason is not Reason.FINAL:
        raise StepRefused(
            f"{paper}: record {record.seq} is no final one; on the node: meterbridge agent final && meterbridge agent "
            "record > final.json"
        )
    try:
        Signed(bytes(meter.meter_key), signature).check(encoded)
    except BadSignature:
        raise StepRefused(f"{paper}: not signed by the key of {meter.meter_id}; print it on its node") from None
    fact = facts.FinalRecord(
        at=at, meter_id=meter.meter_id, install_id=meter.install_id, seq=record.seq,
        digest=record_digest(encoded).hex(), read_at=record.ts, export_mwh=record.export_mwh,
        import_mwh=record.import_mwh,
    )  # fmt: skip
    if not _is_last(fact, state):
        there = 0 if state is None or state.install_id != meter.install_id else state.seq
        raise StepRefused(
            f"the final record is number {record.seq}, the chain has {there}: if it is behind, let the node deliver "
            f"(`meterbridge agent final` tells what is in the way; a record before it wants `meterbridge meter status "
            f"{meter.meter_id} active` first); if it is ahead, sign another one"
        )
    return fact
