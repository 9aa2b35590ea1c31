"""A meter goes to the shelf: final record, decommissioned, paid out, out of its owner's list, its label void.

Its key stays the meter's on the chain for ever, where a decommissioned meter's records are refused: it signs nothing
that anybody takes, and no other meter can be assigned with it.
"""

from solders.keypair import Keypair

from meterchain import instructions, settling
from meterchain.accounts import MeterState, MeterStatus, fetch
from meterchain.chain import TransactionFailed
from meterchain.commands.meter_owner import free_place
from meterchain.commands.meter_views import kwh, meter_of
from meterchain.commands.recorded import attempt
from meterchain.commands.session import Session
from meterchain.commands.user_views import user_of
from meterprov import manifest as facts
from meterprov.fingerprint import fingerprint
from meterprov.life.ending import DELIVERED, FINAL, MAINTENANCE, Papers, end_install
from meterprov.life.options import Office
from meterprov.life.papers import void_labels
from meterprov.life.steps import Walk

PAID, STATUS, PLACE, LABEL = "paid out", "decommissioned", "unassigned", "label void"


def decommission_meter(
    walk: Walk, here: Session, office: Office, signer: Keypair, meter_id: str, papers: Papers, at: int
) -> None:
    """Walk as far as the papers allow.  Raises Undelivered, StepRefused, and what the chain raises."""
    meter = meter_of(here, meter_id)
    if meter.status is MeterStatus.DECOMMISSIONED:
        for name in (DELIVERED, MAINTENANCE, FINAL):
            walk.done(name, f"install {meter.install_id} has ended")
    else:
        end_install(walk, here, office, signer, meter_id, papers, at)
    if not walk.goes_on:
        walk.later(PAID, STATUS, PLACE, LABEL)
        return
    _pay_out(walk, here, signer, meter_id)
    if meter.status is not MeterStatus.DECOMMISSIONED:
        step = instructions.set_meter_status(here.programs, signer.pubkey(), meter_id, MeterStatus.DECOMMISSIONED)
        attempt(lambda: here.chain.send([step], [signer]))
        walk.sent(STATUS, "for ever; its key signs nothing that anybody takes")
    else:
        walk.done(STATUS, "for ever; its key signs nothing that anybody takes")
    if walk.rehearsal and meter.status is not MeterStatus.DECOMMISSIONED:
        walk.later(PLACE, LABEL)
        return
    if meter.meter_no in user_of(here, meter.owner).meters:
        free_place(here, signer, meter_of(here, meter_id))
        walk.sent(PLACE, f"its place in the list of {meter.owner} is free")
    else:
        walk.done(PLACE, f"it stands in no list; {meter.owner} may have another")
    if walk.rehearsal:
        walk.later(LABEL)
        return
    key = fingerprint(str(meter.meter_key))
    facts.append_once(
        office.manifest,
        facts.Decommissioned(at=at, meter_id=meter_id, install_id=meter.install_id, retired=key),
    )
    void_labels(office.manifest, meter_id, None, at, also=key)
    walk.done(LABEL, f"the one with key {key}; take it off")


def _pay_out(walk: Walk, here: Session, signer: Keypair, meter_id: str) -> None:
    """Mint and burn what is due: no node will do it any more.  What cannot be paid now anybody can pay later."""
    state = fetch(here.chain, here.programs, MeterState, here.site.meter_state(meter_id))
    if state is None:
        walk.done(PAID, "it has never counted anything")
        return
    due = settling.dues(here.chain, here.programs, state)
    if not due.mint_mwh and not due.burn_mwh:
        walk.done(PAID, f"{kwh(state.minted_mwh)} kWh were minted, nothing is open")
        return
    told = f"{kwh(due.mint_mwh)} kWh minted, {kwh(due.burn_mwh)} kWh burned"
    try:
        attempt(lambda: here.chain.send(settling.settle(here.programs, signer.pubkey(), meter_id, due), [signer]))
    except TransactionFailed as error:
        walk.done(PAID, f"not now ({error.name}): {kwh(due.mint_mwh)} kWh stay his, and may be minted at any time")
    else:
        walk.done(PAID, told if not walk.rehearsal else f"{told} (would be)")
