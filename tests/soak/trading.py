"""Steps of the people in the market: seats, money in and out, orders and their cancelling."""

from random import Random
from typing import Any

from solders.keypair import Keypair
from tests.soak.registering import TAKEN, anybody
from tests.soak.shadow import (
    CANCEL_FREEZE,
    CLEARING,
    MAX_ORDERS,
    MIN_LOTS,
    ORDER_ENTRY,
    Person,
)
from tests.soak.world import NOT_THERE, World
from tests.trading.rows import (
    BASE,
    BUY,
    COLLECTING,
    IDLE,
    LOT,
    OPEN,
    QUOTE,
    SELL,
    Trader,
)

from meterchain.accounts import UserStatus, UserType
from meterchain.transactions import compute_limit
from meterchain.units import SLOT_S

LIMIT = compute_limit(1_400_000)
ENOUGH = 100
"""Lots of GRID that somebody needs to be thought of as a seller."""


def trader_of(world: World, person: Person) -> Trader:
    """For the builders: a person with their seat; without one, the first."""
    seat = world.seat_of(person)
    return Trader(person.key, 0 if seat is None else seat)


def entry(world: World, market: dict[str, Any]) -> int | None:
    """The book that an order goes to now."""
    epoch = world.now - world.now % SLOT_S
    states, epochs = market["book_state"], market["book_epoch"]
    collecting = [i for i in (0, 1) if states[i] == COLLECTING and epochs[i] == epoch]
    return next(iter(collecting + [i for i in (0, 1) if states[i] == IDLE]), None)


def open_seat(world: World, dice: Random) -> bool:
    seated = {person.name for person in world.people.values() if world.seat_of(person) is not None}
    person = anybody(world, dice)
    if person.name in seated and dice.random() < 0.8:
        return False
    why = world.unless(ORDER_ENTRY) | (set() if person.registered else NOT_THERE)
    why |= {"UserInactive"} if person.registered and not person.is_active else set()
    why |= {TAKEN} if person.name in seated else set()
    why |= {"SeatsFull"} if len(seated) == world.market["n_seats"] else set()
    world.attempt(f"open_seat {person.name}", [world.ground.seating(person.wallet)], person.key, why)
    return True


def close_seat(world: World, dice: Random) -> bool:
    person = anybody(world, dice)
    index = world.seat_of(person)
    if index is None:
        return False
    by = person.key if dice.random() < 0.7 else world.decider(dice)
    seat = world.eyes.seats(world.ground.seats)[index]
    held = seat.base_free + seat.base_locked + seat.quote_free + seat.quote_locked + seat.open_orders
    evicts = not world.unless_authority(by) and person.status is UserStatus.REVOKED
    held += seat.order_epoch == world.now - world.now % SLOT_S  # it counts the orders of this epoch
    why = ({"SeatInUse"} if held else set()) | (set() if by is person.key or evicts else {"Unauthorized"})
    call = world.ground.leaving(Trader(person.key, index), authority=by.pubkey())
    world.attempt(f"close_seat {person.name}", [call], by, why)
    return True


def hold(world: World, dice: Random) -> bool:
    person, flags = anybody(world, dice), dice.choice((0, 0, 1, 2))
    index = world.seat_of(person)
    if index is None:
        return False
    by, why = person.key, {"Overflow"} if flags > 1 else set[str]()
    if dice.random() < 0.3:  # the department, which may let a Revoked user's go
        by = world.decider(dice)
        refused = world.unless_authority(by) or person.status is not UserStatus.REVOKED or flags
        why |= {"Unauthorized"} if refused else set()
    call = world.ground.flagging(Trader(person.key, index), flags, authority=by.pubkey())
    world.attempt(f"hold {person.name} {flags}", [call], by, why)
    return True


def _seat_to_use(world: World, dice: Random, person: Person) -> tuple[Trader, set[str]] | None:
    """One's own; sometimes another's."""
    own = world.seat_of(person)
    seats = world.eyes.seats(world.ground.seats)
    if own is None or dice.random() < 0.03:
        index = dice.randrange(len(seats) + 1)
        return Trader(person.key, index), set() if index == own else {"NotOwner"}
    return Trader(person.key, own), set()


def deposit(world: World, dice: Random) -> bool:
    person, asset = anybody(world, dice), dice.choice((BASE, QUOTE))
    trader, why = _seat_to_use(world, dice, person)
    held = world.eyes.tokens(person.accounts[asset])
    amount = (held.amount if held else 10) * dice.choice((0, 1, 10, 20, 50, 101)) // 100
    why |= world.unless(ORDER_ENTRY) | (set() if held else NOT_THERE)
    why |= {"InsufficientFunds"} if held and amount > held.amount else set()
    call = world.ground.moving("deposit", trader, asset, amount)
    world.attempt(f"deposit {amount} of {asset} by {person.name}", [call], person.key, why)
    return True


def withdraw(world: World, dice: Random) -> bool:
    person, asset = anybody(world, dice), dice.choice((BASE, QUOTE))
    trader, why = _seat_to_use(world, dice, person)
    seats = world.eyes.seats(world.ground.seats)
    seat = seats[trader.seat] if trader.seat < len(seats) else None
    free = (seat.quote_free if asset == QUOTE else seat.base_free) if seat else 0
    amount = free * dice.choice((0, 1, 30, 50, 100)) // 100 + (dice.random() < 0.05)
    why |= {"InsufficientFunds"} if amount > free else set()
    why |= set() if world.eyes.tokens(person.accounts[asset]) else NOT_THERE
    call = world.ground.moving("withdraw", trader, asset, amount)
    world.attempt(f"withdraw {amount} of {asset} by {person.name}", [call], person.key, why)
    return True


def order(world: World, dice: Random) -> bool:
    seated = [person for person in world.people.values() if world.seat_of(person) is not None]
    person = dice.choice(seated) if seated and dice.random() < 0.97 else anybody(world, dice)
    place(world, dice, person, dice.choice((BUY, SELL)))
    return True


def crowd(world: World, dice: Random) -> bool:
    """Everybody with a seat orders: those who have GRID sell, the others buy; prices cross more often than not."""
    people = [person for person in world.people.values() if world.seat_of(person) is not None]
    dice.shuffle(people)
    for person in people:
        grid = sum(_funds(world, person, trader_of(world, person), BASE)) // LOT
        sells = grid > ENOUGH and person.user_type is UserType.PROSUMER and dice.random() < 0.6
        place(world, dice, person, SELL if sells else BUY, crossing=True)
    return bool(people)


def place(world: World, dice: Random, person: Person, side: int, *, crossing: bool = False) -> None:
    market = world.market
    trader, why = _seat_to_use(world, dice, person)
    middle = 500 + (20 if crossing and side == BUY else 0)
    tick = dice.choice((0, 1_023, 1_024)) if dice.random() < 0.03 else dice.randrange(middle - 20, middle + 20)
    asset = BASE if side == SELL else QUOTE
    lots = _lots(world, dice, person, trader, market, asset, tick)
    extra = 1 if dice.random() < 0.02 else 0
    price = market["price_floor"] + tick * market["tick_size"] + extra
    book = entry(world, market)
    why |= _order_flaws(world, person, trader, market, side)
    if extra or tick > 1_023:
        why.add("BadTick")
    least = (
        market["min_lots"] if book is not None and market["book_state"][book] == COLLECTING else world.param(MIN_LOTS)
    )
    if lots < least:
        why.add("BelowMin")
    why |= _unfunded(world, person, trader, market, asset, lots, tick)
    call = world.ground.order(
        trader, side, lots, 0, book=world.ground.books[book or 0], price=price, energy=lots * market["lot_size"]
    )
    what = f"{'sell' if side == SELL else 'buy'} {lots} at {tick} by {person.name}"
    world.attempt(what, [LIMIT, call], person.key, why)


def _funds(world: World, person: Person, trader: Trader, asset: int) -> tuple[int, int]:
    """Free in the seat, and in the wallet."""
    seats = world.eyes.seats(world.ground.seats)
    seat = seats[trader.seat] if trader.seat < len(seats) else None
    free = (seat.quote_free if asset == QUOTE else seat.base_free) if seat else 0
    return free, world.eyes.amount(person.accounts[asset])


def _each(market: dict[str, Any], asset: int, tick: int) -> int:
    return int(market["lot_size"] if asset == BASE else market["value_floor"] + tick * market["value_step"])


def _lots(
    world: World, dice: Random, person: Person, trader: Trader, market: dict[str, Any], asset: int, tick: int
) -> int:
    most = sum(_funds(world, person, trader, asset)) // _each(market, asset, tick)
    usual = dice.randrange(50, 150)
    return int(dice.choice((9, 10, usual, usual, usual, usual, most // 3, most, most + 1)))


def _unfunded(
    world: World, person: Person, trader: Trader, market: dict[str, Any], asset: int, lots: int, tick: int
) -> set[str]:
    free, held = _funds(world, person, trader, asset)
    why = set() if world.eyes.tokens(person.accounts[asset]) else set(NOT_THERE)
    if lots * _each(market, asset, tick) > free + held:
        why.add("InsufficientFunds")
    return why


def _order_flaws(world: World, person: Person, trader: Trader, market: dict[str, Any], side: int) -> set[str]:
    why = world.unless(ORDER_ENTRY)
    why |= set() if person.registered else NOT_THERE
    why |= {"UserInactive"} if person.registered and not person.is_active else set()
    why |= {"NotProsumer"} if side == SELL and person.user_type is not UserType.PROSUMER else set()
    why |= set() if market["clearing_enabled"] else {"MarketClosed"}
    index, now = entry(world, market), world.now
    if index is None:
        return why | {"MarketBusy"}
    epoch, book = now - now % SLOT_S, world.book(index)
    opens = book["state"] == IDLE
    if now >= epoch + SLOT_S - (world.param(CANCEL_FREEZE) if opens else market["cancel_freeze_secs"]):
        why.add("MarketClosed")
    seats = world.eyes.seats(world.ground.seats)
    if trader.seat >= len(seats):
        return why
    seat = seats[trader.seat]
    placed = seat.placed if seat.order_epoch == epoch else 0
    share = max(1, min(market["n_slots"] // max(1, market["open_seats"]), world.param(MAX_ORDERS)))
    why |= {"TooManyOrders"} if placed >= (share if opens else book["max_orders"]) else set()
    why |= {"OppositeSide"} if seat.order_epoch == epoch and seat.side != side else set()
    kept = market["n_seats"] - (0 if opens else book["seats_used"]) if placed else 0
    full = len(world.eyes.orders(world.ground.books[index])) + kept >= market["n_slots"]
    why |= {"BookFull"} if full else set()
    return why


def cancel(world: World, dice: Random) -> bool:
    index = dice.randrange(2)
    address, rows = world.ground.books[index], world.eyes.orders(world.ground.books[index])
    if not rows:
        return False
    slot = dice.randrange(len(rows))
    row = rows[slot]
    person = world.sitter(row.seat) or anybody(world, dice)
    by, wrong_id = person.key, dice.random() < 0.03
    if dice.random() < 0.15:
        by = dice.choice([anybody(world, dice).key, world.government.authority])
    why = may_not_cancel(world, index, person, row.state, by) | ({"OrderNotFound"} if wrong_id else set())
    why |= set() if person.registered else NOT_THERE
    call = world.ground.cancelling(
        Trader(person.key, row.seat), address, slot, row.id + wrong_id, authority=by.pubkey()
    )
    world.attempt(f"cancel {slot} of {person.name}", [LIMIT, call], by, why)
    return True


def may_not_cancel(world: World, index: int, person: Person, state: int, by: Keypair) -> set[str]:
    """Why an order cannot be cancelled now."""
    market, book, now = world.market, world.book(index), world.now
    why = set() if by is person.key or (not world.unless_authority(by) and not person.is_active) else {"NotOwner"}
    if book["state"] != COLLECTING:
        why.add("WrongPhase")
    if state != OPEN:
        why |= {"OrderNotFound", "NotOwner"}
    end = book["epoch"] + SLOT_S
    frozen = end - market["cancel_freeze_secs"] <= now < end + SLOT_S
    if frozen and market["clearing_enabled"] and not world.paused & CLEARING:
        why.add("CancelFrozen")
    return why
