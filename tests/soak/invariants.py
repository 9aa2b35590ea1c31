"""What holds after every step, whatever was done."""

from collections import Counter
from collections.abc import Iterator
from struct import Struct
from typing import Any

from solders.pubkey import Pubkey
from tests.soak.shadow import Meter, Person
from tests.soak.world import MONEY, World
from tests.trading import model
from tests.trading.rows import ALLOCATED, BASE, BUY, COLLECTING, IDLE, MATCHING, OPEN, QUOTE, SELL, SETTLING, Order

from meterchain import pdas
from meterchain.accounts import MeterStatus

ATOMS = 1_000
_LEVELS = Struct("<1024I")
_PDAS: dict[bytes, Pubkey] = {}


def check(world: World) -> None:
    """Raises AssertionError."""
    market = world.market
    measured_and_minted(world)
    supply_adds_up(world)
    money_adds_up(world, market)
    market_adds_up(world, market)
    books_agree(world, market)
    epochs_come_out_as_foretold(world, market)
    registry_adds_up(world)
    governance_is_the_models(world)


def meters_of(world: World) -> Iterator[tuple[Meter, dict[str, Any]]]:
    for meter in world.meters.values():
        if meter.state:
            yield meter, dict(world.eyes.account("oracle", "MeterState", meter.state_address))


def measured_and_minted(world: World) -> None:
    """Each meter is what the model says; no more is minted, burned, given up than was credited."""
    for meter, found in meters_of(world):
        state = meter.state
        assert state
        name = meter.meter_id
        assert found["minted_mwh"] + found["forfeited_mwh"] <= found["cum_export_mwh"] == state.cum_export, name
        assert found["burned_mwh"] + found["written_off_import_mwh"] <= found["cum_import_mwh"] == state.cum_import, (
            name
        )
        assert (found["minted_mwh"], found["burned_mwh"]) == (state.minted, state.burned), name
        assert (found["forfeited_mwh"], found["written_off_import_mwh"]) == (state.forfeited, state.written_off), name
        assert (found["claimed_secs"], found["frozen_at"]) == (state.claimed, state.frozen_at), name
        assert found["flags"] == (state.frozen_at != 0), name
        assert (found["install_id"], found["seq"], found["last_ts"]) == (state.install, state.seq, state.last_ts), name
        assert (found["export_reg_mwh"], found["import_reg_mwh"]) == (state.export, state.import_), name
        assert found["last_digest"] == state.digest, name
        assert found["owner"] == bytes(world.people[state.owner].wallet), name


def supply_adds_up(world: World) -> None:
    """Supply = Σ minted - Σ burned - plain SPL burns, and it lies in the accounts that we know."""
    tokens = world.eyes.account("energy_token", "TokenConfig", _pda(world, "token_config"))
    states = [found for _, found in meters_of(world)]
    assert tokens["total_minted"] == ATOMS * sum(state["minted_mwh"] for state in states)
    assert tokens["total_burned_consumption"] == ATOMS * sum(state["burned_mwh"] for state in states)
    left = tokens["total_minted"] - tokens["total_burned_consumption"] - tokens["total_burned_voluntary"]
    supply = world.eyes.supply(world.ground.grid)
    assert left - world.plain_burns == supply
    assert tokens["total_supply"] == left - world.synced
    held = sum(world.eyes.amount(person.accounts[BASE]) for person in world.people.values())
    assert held + world.eyes.amount(_vault(world, BASE)) == supply


def money_adds_up(world: World, market: dict[str, Any]) -> None:
    """Money neither comes nor goes."""
    held = sum(world.eyes.amount(person.accounts[QUOTE]) for person in world.people.values())
    held += world.eyes.amount(_vault(world, QUOTE)) + world.eyes.amount(Pubkey(market["fee_destination"]))
    assert held == MONEY * len(world.people)


def market_adds_up(world: World, market: dict[str, Any]) -> None:
    """Vaults hold what is owed; seats and fees add up to it, in the middle of settling by Clear's sums."""
    seats, settling = world.eyes.seats(world.ground.seats), SETTLING in market["book_state"]
    assert world.eyes.amount(_vault(world, BASE)) >= market["liab_base"]
    assert world.eyes.amount(_vault(world, QUOTE)) >= market["liab_quote"]
    lots = market["clear.sum_buy"] - market["clear.sum_sell"] if settling else 0
    base = sum(seat.base_free + seat.base_locked for seat in seats)
    assert base == market["liab_base"] + lots * market["lot_size"]
    ahead = market["clear.sum_net"] + market["clear.sum_fee"] - market["clear.sum_cost"] if settling else 0
    quote = sum(seat.quote_free + seat.quote_locked for seat in seats)
    assert quote + market["fee_accrued"] == market["liab_quote"] + ahead
    assert market["halted"] == 0
    taken = [bytes(seat.owner) for seat in seats if any(bytes(seat.owner))]
    assert len(set(taken)) == len(taken) == market["open_seats"]


def books_agree(world: World, market: dict[str, Any]) -> None:
    """States, levels, totals and locks are those of the orders."""
    locked: Counter[tuple[int, int]] = Counter()
    waiting: Counter[int] = Counter()
    for index, address in enumerate(world.ground.books):
        book, rows = world.book(index), world.eyes.orders(address)
        assert (book["state"], book["epoch"]) == (market["book_state"][index], market["book_epoch"][index])
        assert rows == [] or book["state"] != IDLE
        live = [row for row in rows if row.state in (OPEN, ALLOCATED)]
        for row in live:
            each = market["lot_size"] if row.side == SELL else market["value_floor"] + row.tick * market["value_step"]
            locked[row.seat, row.side] += row.lots * each
            waiting[row.seat] += 1
        if book["state"] == COLLECTING:
            _levels_agree(book, live)
    for n, seat in enumerate(world.eyes.seats(world.ground.seats)):
        expected = (locked[n, SELL], locked[n, BUY], waiting[n])
        assert (seat.base_locked, seat.quote_locked, seat.open_orders) == expected, f"seat {n}"
    at_work = sum(state in (MATCHING, SETTLING) for state in market["book_state"])
    assert at_work == (market["settling_book"] < 2)


def _levels_agree(book: dict[str, Any], live: list[Order]) -> None:
    orders = [model.Order(row.side, row.tick, row.lots, row.seat) for row in live]
    for side, name in ((BUY, "bid"), (SELL, "ask")):
        lots = model.levels(orders, side)
        assert book[f"{name}_lots"] == _LEVELS.pack(*lots)
        assert book[f"total_{name}_lots"] == sum(lots)
    assert book["live"] == len(live)


def epochs_come_out_as_foretold(world: World, market: dict[str, Any]) -> None:
    """Price, volume and every fill are those of the model in Python."""
    for index, address in enumerate(world.ground.books):
        expected = world.awaited.get(address)
        if expected is None:
            continue
        if market["settling_book"] == index:
            assert (market["clear.epoch"], market["clear.volume"]) == (expected.epoch, expected.volume)
            assert market["clear.p"] == expected.tick
            if market["book_state"][index] == SETTLING and expected.volume:
                assert tuple(row.filled for row in world.eyes.orders(address)) == expected.filled
            continue
        entry = next(e for e in world.eyes.entries(world.ground.history) if e.epoch == expected.epoch)
        assert (entry.volume_lots, entry.flags) == (expected.volume, 0)
        assert entry.price == (market["price_floor"] + expected.tick * market["tick_size"] if expected.volume else 0)
        if expected.quote is not None:
            assert (entry.quote_volume, entry.fee) == (expected.quote, expected.fee)
        world.epochs["traded" if expected.volume else "without a trade"] += 1
        del world.awaited[address]


def registry_adds_up(world: World) -> None:
    """Counters, lists and accounts are the model's."""
    config = world.eyes.account("registry", "RegistryConfig", _pda(world, "registry"))
    meters = world.meters.values()
    assert config["user_count"] == world.user_count
    assert config["meter_count"] == config["next_meter_no"] - 1 == len(meters)
    assert config["active_meter_count"] == sum(meter.status is MeterStatus.ACTIVE for meter in meters)
    for meter in meters:
        found = world.eyes.account("registry", "Meter", meter.address)
        assert (found["status"], found["install_id"], found["meter_no"]) == (meter.status, meter.install, meter.number)
        assert found["owner"] == bytes(world.owner(meter).wallet)
        assert found["meter_key"] == bytes(meter.key.pubkey())
        assert found["key_level"] == meter.key_level
        assert found["forfeit_install"] == meter.forfeit
    for person in world.people.values():
        _user_agrees(world, person)


def _user_agrees(world: World, person: Person) -> None:
    found = world.eyes.account("registry", "User", person.user)
    if not person.registered:
        assert not found
        return
    assert (found["status"], found["user_type"]) == (person.status, person.user_type), person.name
    listed = sorted(number for number in found["meters"] if number)
    assert found["meter_count"] == len(listed)
    assert listed == sorted(world.meters[meter_id].number for meter_id in person.meters), person.name


def governance_is_the_models(world: World) -> None:
    config, government = (
        world.eyes.account("governance", "GovernanceConfig", _pda(world, "governance")),
        world.government,
    )
    assert config["engineering_authority"] == bytes(government.authority.pubkey())
    assert config["pending_authority"] == (bytes(government.pending.pubkey()) if government.pending else bytes(32))
    assert (config["guardian"], config["single_validator"]) == (bytes(government.guardian), bytes(government.validator))
    assert config["system_parameters"][: len(government.params)] == tuple(government.params)
    assert config["params_nonce"] == government.nonce
    alive = config["pause_expires_at"] == 0 or world.now < config["pause_expires_at"]
    assert (config["pause_mask"] if alive else 0) == world.paused
    assert config["emergency_pause"] == (config["pause_mask"] == 0x3F)


def _vault(world: World, asset: int) -> Pubkey:
    return _known(bytes([asset]), lambda: world.ground.vault(asset))


def _pda(world: World, name: str) -> Pubkey:
    return _known(name.encode(), lambda: getattr(pdas, name)(world.built))


def _known(name: bytes, derive: Any) -> Pubkey:  # noqa: ANN401
    """Addresses are the same in every world, and dear to derive."""
    if name not in _PDAS:
        _PDAS[name] = derive()
    return _PDAS[name]
