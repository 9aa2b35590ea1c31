"""Steps of the department and of whoever watches: owners that change, bills, contradictions, freezes, relayers."""

from dataclasses import replace
from random import Random

from solders.keypair import Keypair
from tests.soak.measuring import next_record
from tests.soak.oracle_model import disowned
from tests.soak.registering import anybody
from tests.soak.shadow import Meter, State
from tests.soak.world import World, sign

from meterchain import instructions as ix
from meterchain.accounts import MeterStatus
from meterchain.instructions import SignedRecord
from meterchain.record import Record
from meterchain.units import InstallId, Mwh, Seq

MOST = 8
"""Relayers that a site can list."""


def _known(world: World, dice: Random) -> tuple[Meter, State] | None:
    """A meter with an account of the oracle."""
    known = [(meter, meter.state) for meter in world.meters.values() if meter.state]
    return dice.choice(known) if known else None


def sync_owner(world: World, dice: Random) -> bool:
    """Mostly a meter that changed hands."""
    away = [m for m in world.meters.values() if m.state and m.state.owner != m.owner]
    found = _known(world, dice)
    if found is None or (not away and dice.random() < 0.8):
        return False
    meter = dice.choice(away) if away and dice.random() < 0.9 else found[0]
    by, forfeit = world.decider(dice), dice.random() < 0.4
    hand_over(world, meter, world.stranger if not forfeit and dice.random() < 0.8 else by, forfeit=forfeit)
    return True


def hand_over(world: World, meter: Meter, by: Keypair, *, forfeit: bool) -> None:
    state = meter.state
    assert state
    why = world.unless_authority(by) if forfeit else set[str]()
    why |= {"OwnerUnchanged"} if state.owner == meter.owner else set()
    why |= {"AccrualPending"} if state.unminted and not forfeit else set()
    call = ix.sync_owner(world.built, by.pubkey(), meter.meter_id, forfeit=forfeit)
    if world.attempt(f"sync_owner {meter.meter_id} {forfeit}", [call], by, why):
        meter.state = disowned(state).but(owner=meter.owner)


def close_billing(world: World, dice: Random) -> bool:
    found, by = _known(world, dice), world.decider(dice)
    if found is None:
        return False
    meter, state = found
    call = ix.close_billing(world.built, by.pubkey(), meter.meter_id)
    if world.attempt(f"close_billing {meter.meter_id}", [call], by, world.unless_authority(by)):
        meter.state = state.but(written_off=state.written_off + state.unburned)
    return True


def report_equivocation(world: World, dice: Random) -> bool:
    """Two stories of one number, which somebody who has the key signs; sometimes no two, or by another key."""
    found = _known(world, dice)
    if found is None:
        return False
    meter, state = found
    one = replace(next_record(world, meter, state, dice), seq=Seq(dice.choice((1, state.seq + 1))))
    one = replace(one, install_id=InstallId(meter.install))
    pick = dice.random()
    other = one if pick < 0.1 else replace(one, export_mwh=Mwh(one.export_mwh + 1))
    key, by = (world.stranger if 0.1 <= pick < 0.2 else meter.key), anybody(world, dice).key
    why = {"InstallMismatch"} if state.install != meter.install else set()
    why |= {"Frozen"} if state.frozen_at else set()
    why |= {"NoContradiction"} if other is one else set()
    why |= {"SignatureMismatch"} if key is not meter.key else set()
    wanted = ix.report_equivocation(
        world.built, by.pubkey(), _signed(key, one), _signed(key, other), position=0
    )  # fmt: skip
    if world.attempt(f"report_equivocation {meter.meter_id}", wanted, by, why):
        meter.state = state.but(frozen_at=world.now)
    return True


def _signed(key: Keypair, record: Record) -> SignedRecord:
    return SignedRecord(record.encode(), sign(key, record.encode()))


def clear_freeze(world: World, dice: Random) -> bool:
    """Mostly a frozen meter."""
    frozen = [meter for meter in world.meters.values() if meter.state and meter.state.frozen_at]
    found = _known(world, dice)
    if found is None or (not frozen and dice.random() < 0.9):
        return False
    thaw(world, dice.choice(frozen) if frozen else found[0], world.decider(dice))
    return True


def thaw(world: World, meter: Meter, by: Keypair) -> None:
    state = meter.state
    assert state
    why = world.unless_authority(by) | (set() if state.frozen_at else {"NotFrozen"})
    renewed = meter.key_rotated_at > state.frozen_at or meter.install > state.install
    if not renewed and meter.status is not MeterStatus.DECOMMISSIONED:
        why.add("Frozen")
    call = ix.clear_freeze(world.built, by.pubkey(), meter.meter_id)
    if world.attempt(f"clear_freeze {meter.meter_id}", [call], by, why):
        meter.state = state.but(frozen_at=0)


def set_relayers(world: World, dice: Random) -> bool:
    """Anybody delivers, or a list; mostly with the relayer that we use."""
    by = world.decider(dice)
    wallets = [world.stranger.pubkey(), world.relayer.pubkey(), *(p.wallet for p in world.people.values())]
    listed = None if dice.random() < 0.6 else dice.sample(wallets, dice.randrange(min(MOST, len(wallets)) + 1))
    call = ix.set_relayers(world.built, by.pubkey(), listed or (), listed_only=listed is not None)
    if world.attempt(
        f"set_relayers {'anyone' if listed is None else len(listed)}", [call], by, world.unless_authority(by)
    ):
        world.relayers = listed
    return True
