"""Steps of an epoch: cleared, matched in pieces, settled, paid out, voided; and the market's own rules."""

from random import Random
from typing import Any

from solders.instruction import Instruction
from solders.keypair import Keypair
from tests.soak.registering import anybody
from tests.soak.shadow import CLEARING, SETTLE_DELAY, Person
from tests.soak.trading import LIMIT, trader_of
from tests.soak.world import Awaited, World, standing
from tests.trading import model
from tests.trading.rows import COLLECTING, FLOOR, LOT, MATCHING, SETTLING, STEP

from meterchain.units import SLOT_S

GRIDS = ((LOT, FLOOR, STEP), (LOT // 2, FLOOR, 2 * STEP), (LOT, 3_000_000, 1_000), (LOT // 2, FLOOR, STEP // 5 * 3),
         (0, FLOOR, STEP))  # fmt: skip
"""Lot, floor and tick; the last two are not exact."""
BAD_GRIDS = 2


def due(market: dict[str, Any]) -> int | None:
    """The book that clears next."""
    waiting = [(market["book_epoch"][i], i) for i in (0, 1) if market["book_state"][i] == COLLECTING]
    return min(waiting)[1] if waiting else None


def trigger(world: World, dice: Random) -> bool:
    market = world.market
    index = due(market)
    over = index is not None and world.now >= market["book_epoch"][index] + SLOT_S
    if not over and dice.random() < 0.9:
        return False
    by = world.stranger if dice.random() < 0.8 else world.government.authority
    clear(world, by, dice.choice((0, 0, 1, 5, 24)), wrong_book=dice.random() < 0.05)
    return True


def clear(world: World, by: Keypair, inline: int, *, wrong_book: bool = False) -> bool:
    """trigger_market_clearing; keeps what the model of the auction says."""
    market, now = world.market, world.now
    index = due(market)
    why = set() if world.auto_clearing else world.unless_authority(by)
    why |= world.unless(CLEARING) | (set() if market["clearing_enabled"] else {"MarketClosed"})
    if market["settling_book"] < 2 or index is None:
        why.add("WrongPhase")
    if index is not None:
        delay = max(market["settle_delay_secs"], world.param(SETTLE_DELAY))
        why |= {"EpochNotOver"} if now < market["book_epoch"][index] + SLOT_S + delay else set()
    why |= {"WrongBook"} if wrong_book else set()
    chosen = world.ground.books[((index or 0) + wrong_book) % 2]
    ledger = {"seats": world.ground.seats, "history": world.ground.history} if inline else {}
    accounts = {"caller": by.pubkey(), "market": world.ground.market, "book": chosen} | ledger
    call = world.built["oracle"].instruction("trigger_market_clearing", accounts, {"inline_sweep": inline})
    expected = None if why or index is None else _foretell(world, index)
    done = world.attempt(f"trigger {inline}", [LIMIT, call], by, why)
    if done and expected:
        world.awaited[chosen] = expected
    return bool(done)


def _foretell(world: World, index: int) -> Awaited:
    book, orders = world.book(index), standing(world, world.ground.books[index])
    crossing = model.clear(orders)
    filled = model.allocate(orders, crossing, book["margin_rule"])
    market, quote, fee = world.market, None, None
    if (market["lot_size"], market["price_floor"], market["tick_size"]) == GRIDS[0]:
        settlement = model.settle(orders, filled, crossing, book["fee_bps"])
        quote, fee = settlement.quote_volume, settlement.fee
    volume, tick = (crossing.volume, crossing.tick) if crossing else (0, 0)
    return Awaited(book["epoch"], volume, tick, tuple(filled), quote, fee)


def crank(world: World, dice: Random) -> bool:
    """match_orders or settle_trade by anybody, mostly the one that is due, in pieces."""
    market = world.market
    index = market["settling_book"]
    if index > 1 and dice.random() < 0.9:
        return False
    index = index if index < 2 else dice.randrange(2)
    by = dice.choice([world.stranger, world.government.authority, anybody(world, dice).key])
    right = "match" if market["book_state"][index] == MATCHING else "settle"
    name = right if dice.random() < 0.95 else dice.choice(("match", "settle"))
    sweep(world, name, index, by, dice.choice((0, 1, 2, 3, 7, 24, 2**32 - 1)))
    return True


def sweep(world: World, name: str, index: int, by: Keypair, most: int) -> None:
    wanted = MATCHING if name == "match" else SETTLING
    why = set() if world.market["book_state"][index] == wanted else {"WrongPhase"}
    book = world.ground.books[index]
    call = world.ground.matching(most, book=book) if name == "match" else world.ground.settling(most, book=book)
    world.attempt(f"{name} {most}", [LIMIT, call], by, why)


def finish(world: World, dice: Random) -> bool:
    """A keeper comes: what is due is cleared, matched and settled."""
    market = world.market
    if market["settling_book"] < 2:
        index = market["settling_book"]
        if market["book_state"][index] == MATCHING:
            sweep(world, "match", index, world.stranger, 24)
        if world.market["book_state"][index] == SETTLING:
            sweep(world, "settle", index, world.stranger, 24)
    else:
        return trigger(world, dice)
    return True


def pay(world: World, dice: Random) -> bool:
    """Payout to one or two seats, by anybody; what cannot be paid is left."""
    people = [person for person in world.people.values() if world.seat_of(person) is not None]
    if not people:
        return False
    chosen = dice.sample(people, min(len(people), dice.choice((1, 2))))
    world.attempt(f"pay {' '.join(p.name for p in chosen)}", [LIMIT, paying(world, chosen)], world.stranger)
    return True


def paying(world: World, people: list[Person]) -> Instruction:
    return world.ground.paying(*[trader_of(world, person) for person in people])


def void(world: World, dice: Random) -> bool:
    index = world.market["settling_book"]
    if index > 1 or (world.market["book_state"][index] == MATCHING and dice.random() < 0.7):
        return False
    by, book = world.decider(dice), world.ground.books[index]
    why = world.unless_authority(by)
    why |= set() if world.market["book_state"][index] == MATCHING else {"WrongPhase"}
    call = world.ground.ix("void_epoch", {"caller": by.pubkey(), "book": book})
    if world.attempt("void", [call], by, why):
        world.awaited.pop(book, None)
    return True


def sweep_fees(world: World, dice: Random) -> bool:
    by = world.decider(dice)
    call = world.ground.ix("sweep_fees", {"authority": by.pubkey()})
    world.attempt("sweep_fees", [call], by, world.unless_authority(by))
    return True


def update_market(world: World, dice: Random) -> bool:
    """The grid, which needs both books Idle, or the switch."""
    by, market = world.decider(dice), world.market
    why = world.unless_authority(by)
    update: dict[str, int | None] = dict.fromkeys(("lot_size", "price_floor", "tick_size", "clearing_enabled"))
    if dice.random() < (0.6 if market["clearing_enabled"] else 0.2):
        chosen = dice.randrange(len(GRIDS))
        update["lot_size"], update["price_floor"], update["tick_size"] = GRIDS[chosen]
        why |= set() if market["book_state"] == bytes(2) else {"MarketBusy"}
        why |= {"BadTick", "BadLot"} if chosen >= len(GRIDS) - BAD_GRIDS else set()
    else:
        update["clearing_enabled"] = 1 if not market["clearing_enabled"] else dice.choice((1, 1, 0, 2))
        why |= {"Overflow"} if update["clearing_enabled"] == 2 else set()
    call = world.ground.ix("update_market_params", {"authority": by.pubkey()}, {"update": update})
    world.attempt(f"update_market {update}", [call], by, why)
    return True
