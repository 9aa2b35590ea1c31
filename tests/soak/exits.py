"""No state without an exit: whatever a run left behind, everybody gets out with all that is theirs.

held    everything is paused for ever and the department is gone: people cancel, anybody cranks, they withdraw and leave
stale   nothing is paused, nobody ever clears: 900 s after the epoch everybody cancels
kept    a keeper clears what is due, pays everybody out; every meter reports again, and all it measured is minted
"""

from random import Random

from tests.soak import invariants
from tests.soak.clearing import clear, due, paying, sweep
from tests.soak.judging import thaw
from tests.soak.measuring import deliver, process_meter, reopen
from tests.soak.oracle_model import Signing
from tests.soak.registering import move, put_another_device, reassign, rebase
from tests.soak.shadow import ALL, MAX_METERS, MAX_SWEEP, MINT_CAP, PAUSE_MAX, READING_AGE, Meter, Person
from tests.soak.world import World
from tests.trading.rows import BASE, COLLECTING, MATCHING, OPEN, QUOTE, SETTLING, Trader

from meterchain import accounts, audit_readings
from meterchain import instructions as ix
from meterchain.accounts import MeterStatus, UserStatus, fetch_all
from meterchain.audit import audit
from meterchain.history import Archive
from meterchain.record import Record
from meterchain.units import SLOT_S, InstallId, Mwh, Seq, Slot, UnixTime

WAYS = ("held", "stale", "kept")


def leave(world: World, dice: Random) -> str:
    """Everybody gets out by one of the ways; which one."""
    audited(world)
    way = dice.choice(WAYS)
    world.log.append(f"-- everybody leaves: {way}")
    {"held": _hold, "stale": _let_pass, "kept": lambda world: _keep(world, dice)}[way](world)
    _cancel_all(world)
    _crank(world)
    for person in world.people.values():
        reopen(world, person)
    invariants.check(world)
    for person in world.people.values():
        _take_out(world, person, paid=way == "kept")
    world.chain.set_unix_time(UnixTime(world.now - world.now % SLOT_S + SLOT_S))
    world.chain.next_block()
    for person in world.people.values():
        _give_up_the_seat(world, person)
    market = world.market
    assert market["open_seats"] == 0
    assert (market["liab_base"], market["liab_quote"]) == (0, market["fee_accrued"])
    invariants.check(world)
    audited(world)
    return way


def audited(world: World) -> None:
    """Our own auditor agrees, from the accounts, and from the signature and registers of each reading."""
    meters = fetch_all(world.chain, world.built, accounts.Meter).values()
    past = Archive(world.chain, world.built).walk()
    found = [*audit(world.chain, world.built).checks, *audit_readings.checks(past, world.domain, list(meters))]
    wrong = [f"{check.name}: {check.detail}" for check in found if not check.ok]
    assert not wrong, wrong


def _decide(world: World, what: str, call: object) -> None:
    world.attempt(what, [call], world.government.authority)  # type: ignore[list-item]


def _hold(world: World) -> None:
    government, by = world.government, world.government.authority.pubkey()
    _decide(world, "update_parameters for ever", ix.update_parameters(world.built, by, {PAUSE_MAX: 0}))
    government.params[PAUSE_MAX], government.nonce = 0, government.nonce + 1
    _decide(world, "pause for ever", ix.emergency_pause(world.built, by, ALL, 9))
    government.pause(ALL, world.now)


def _let_pass(world: World) -> None:
    _unpause(world)
    world.chain.set_unix_time(UnixTime(world.now + 3 * SLOT_S))
    world.chain.next_block()


def _unpause(world: World) -> None:
    government, by = world.government, world.government.authority.pubkey()
    _decide(world, "unpause all", ix.emergency_unpause(world.built, by, ALL))
    government.unpause(ALL, world.now)


def _keep(world: World, dice: Random) -> None:
    """Clears and settles all there is, and mints all that was measured, once what hinders it is undone."""
    _let_pass(world)
    government, by = world.government, world.government.authority.pubkey()
    usual = {MINT_CAP: 10**15, MAX_METERS: 16, MAX_SWEEP: 1_024, READING_AGE: 604_800}
    _decide(world, "update_parameters as usual", ix.update_parameters(world.built, by, usual))
    for number, value in usual.items():
        government.params[number] = value
    government.nonce += 1
    _decide(world, "set_active True", ix.set_active(world.built, by, active=True))
    world.active = True
    _decide(world, "set_relayers anyone", ix.set_relayers(world.built, by, listed_only=False))
    world.relayers = None
    switch = dict.fromkeys(("lot_size", "price_floor", "tick_size")) | {"clearing_enabled": 1}
    _decide(world, "update_market on", world.ground.ix("update_market_params", {"authority": by}, {"update": switch}))
    _crank(world)
    while due(world.market) is not None:
        assert clear(world, world.government.authority, 24)
        _crank(world)
    for person in world.people.values():
        if person.registered and not person.is_active:
            call = ix.set_user_status(world.built, by, person.wallet, UserStatus.ACTIVE)
            _decide(world, f"set_user_status {person.name} ACTIVE", call)
            person.status = UserStatus.ACTIVE
        reopen(world, person)
    for meter in world.meters.values():
        if meter.state:
            _revive(world, meter, dice)
            # nothing is owed for what a compromised install reported, even if no record of its successor ever came
            owed = meter.state.install >= meter.forfeit
            assert bool(process_meter(world, meter)) is owed
            assert meter.state.unminted == 0 or not owed


def _revive(world: World, meter: Meter, dice: Random) -> None:
    """Whatever became of a meter, its next honest record is taken; one out of service for ever may be paid out."""
    assert meter.state
    by = world.government.authority
    if meter.status is MeterStatus.DECOMMISSIONED:
        if meter.state.frozen_at:
            thaw(world, meter, by)
        return
    while meter.status is MeterStatus.COMPROMISED:  # a proof may go wrong on purpose
        put_another_device(world, dice, meter, by)
    if meter.state.owner != meter.owner:
        reassign(world, meter, by, world.people[meter.state.owner])
    if meter.status is MeterStatus.ACTIVE:
        move(world, meter, by, MeterStatus.MAINTENANCE)
    rebase(world, meter, by, (0, 0))
    if meter.state.frozen_at:
        thaw(world, meter, by)
    move(world, meter, by, MeterStatus.ACTIVE)
    world.chain.set_unix_time(UnixTime(world.now - world.now % SLOT_S + 2 * SLOT_S + 5))
    epoch, ts = world.now - world.now % SLOT_S - SLOT_S, world.now
    seven = Mwh(7 if meter.max_w[0] else 0)
    record = Record(
        world.domain,
        meter.meter_id,
        InstallId(meter.install),
        Seq(1),
        Slot(epoch),
        UnixTime(ts),
        seven,
        Mwh(7),
        bytes(16),
    )
    assert deliver(world, [(meter, record, meter.key, Signing())], f"{meter.meter_id} again")


def _cancel_all(world: World) -> None:
    """Each trader cancels every order that stands: nobody else is needed."""
    for index, address in enumerate(world.ground.books):
        if world.market["book_state"][index] != COLLECTING:
            continue
        for slot, row in enumerate(world.eyes.orders(address)):
            if row.state == OPEN:
                person = world.sitter(row.seat)
                assert person
                call = world.ground.cancelling(Trader(person.key, row.seat), address, slot, row.id)
                world.attempt(f"cancel {slot} of {person.name}", [call], person.key)


def _crank(world: World) -> None:
    """A stranger finishes what is being settled, however small MAX_SWEEP is."""
    for name, state in (("match", MATCHING), ("settle", SETTLING)):
        while (index := world.market["settling_book"]) < 2 and world.market["book_state"][index] == state:
            sweep(world, name, index, world.stranger, 24)


def _take_out(world: World, person: Person, *, paid: bool) -> None:
    """All balances, by payout or by withdrawals, to the atom."""
    index = world.seat_of(person)
    if index is None:
        return
    seat = world.eyes.seats(world.ground.seats)[index]
    trader, free = Trader(person.key, index), (seat.base_free, seat.quote_free)
    before = [world.eyes.amount(person.accounts[asset]) for asset in (BASE, QUOTE)]
    if paid:
        world.attempt(f"hold {person.name} 0", [world.ground.flagging(trader, 0)], person.key)
        world.attempt(f"pay {person.name}", [paying(world, [person])], world.stranger)
    else:
        calls = [world.ground.moving("withdraw", trader, asset, free[asset]) for asset in (BASE, QUOTE)]
        world.attempt(f"withdraw all of {person.name}", calls, person.key)
    after = [world.eyes.amount(person.accounts[asset]) for asset in (BASE, QUOTE)]
    assert after == [had + owed for had, owed in zip(before, free, strict=True)], person.name


def _give_up_the_seat(world: World, person: Person) -> None:
    index = world.seat_of(person)
    if index is not None:
        world.attempt(f"close_seat {person.name}", [world.ground.leaving(Trader(person.key, index))], person.key)
