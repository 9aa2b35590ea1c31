"""A randomized state machine over all five programs: what must hold holds after every step, and everybody can leave.

default   a few hundred steps, and proof that the machine notices and can be replayed
ci        CI_STEPS steps from fixed seeds
soak      as many as SOAK_SECONDS hold (60 minutes), from SOAK_SEED or a seed of its own that it prints
"""

import os
import secrets
import time
from collections.abc import Callable
from random import Random

import pytest
from solders.pubkey import Pubkey
from tests.soak import driver, invariants, measuring, trading
from tests.soak.driver import LONGEST, Tally, run, settle_in, shorten
from tests.soak.world import Broken, World, create
from tests.trading.rows import BASE, QUOTE

BATCHES, RUNS = 8, 15
"""CI: runs of LONGEST steps, in batches that may run beside each other."""
MUST_HAPPEN = {
    "sync_owner", "close_billing", "report_equivocation", "clear_freeze", "set_relayers", "rotate_meter_key",
    "set_key_level",
    "replace_meter", "rebase_meter", "reassign_meter", "pay", "cancel", "withdraw", "accept",
    "hold", "close_seat", "update_market", "sync_total_supply", "burn_plainly",
}  # fmt: skip
"""Rules whose call was taken at least once, or the batch proves less than it says."""
SOAK_SECONDS = int(os.environ.get("SOAK_SECONDS", "3600"))
LENGTHS = (100, LONGEST, LONGEST, 4 * LONGEST)

Say = Callable[[str], None]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Writes a line that is seen whether the test passes or not."""

    def write(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)  # noqa: T201

    return write


def go(seed: int, steps: int, tally: Tally) -> None:
    if failure := run(seed, range(steps), tally):
        raise Broken(f"{shorten(failure)}\n\nreplay: python -m tests.soak {seed} {steps}") from failure.error


def test_what_must_hold_holds_after_every_step_and_everybody_can_leave() -> None:
    tally = Tally()
    for seed, steps in ((1, 100), (2, 100), (3, 120)):
        go(seed, steps, tally)
    assert tally.steps == 320
    assert sum(tally.accepted.values()) > 100
    assert sum(tally.refused.values()) > 50


@pytest.mark.ci
@pytest.mark.parametrize("batch", range(BATCHES))
def test_forty_thousand_steps(batch: int, say: Say) -> None:
    tally = Tally()
    for number in range(RUNS):
        go(1_000 * (batch + 1) + number, LONGEST, tally)
    say(f"soak, batch {batch}: {tally}")
    assert tally.steps * BATCHES > 40_000
    assert tally.epochs["traded"] > RUNS
    assert set(tally.ways) == {"held", "stale", "kept"}
    assert set(tally.accepted) > MUST_HAPPEN, MUST_HAPPEN - set(tally.accepted)


@pytest.mark.soak
def test_as_many_steps_as_there_is_time_for(say: Say) -> None:
    first = int(os.environ.get("SOAK_SEED", secrets.randbelow(10**9)))
    say(f"soak: from seed {first}, {SOAK_SECONDS} s")
    tally, seed, end = Tally(), first, time.monotonic() + SOAK_SECONDS
    while time.monotonic() < end:
        go(seed, LENGTHS[seed % len(LENGTHS)], tally)
        seed += 1
    say(f"soak: seeds {first} to {seed - 1}: {tally}")


def test_a_run_is_told_by_its_seed() -> None:
    logs = []
    for _ in range(2):
        world = create()
        settle_in(world, Random("5 begin"))
        for number in range(40):
            driver.step(world, Random(f"5 {number}"))
        logs.append(world.log)
        world.chain.close()
    assert logs[0] == logs[1]


def test_a_failure_is_made_as_short_as_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(world: World) -> None:
        assert not any(line.startswith("sync_total_supply") for line in world.log)

    monkeypatch.setattr(invariants, "check", check)
    monkeypatch.setattr(driver, "RULES", ((9, driver.governing.restore_parameters), (1, measuring.sync_total_supply)))
    failure = run(3, range(60))
    assert failure
    assert len(failure.steps) == 60
    short = shorten(failure)
    assert len(short.steps) == 1
    assert short.log[-1].startswith("sync_total_supply")
    assert "seed 3, 1 steps" in str(short)


def bent_tokens(world: World, address: Pubkey, more: int) -> None:
    (info,) = world.chain.accounts([address])
    assert info
    amount = int.from_bytes(info.data[64:72], "little") + more
    changed = info.data[:64] + amount.to_bytes(8, "little") + info.data[72:]
    world.chain.set_account(address, owner=info.owner, data=changed)


def bent_account(world: World, program: str, kind: str, address: Pubkey, **more: int) -> None:
    idl = world.built[program]
    (info,) = world.chain.accounts([address])
    assert info
    fields = idl.decode_account(kind, info.data)
    head = idl.encode_account(kind, fields | {name: fields[name] + change for name, change in more.items()})
    world.chain.set_account(address, owner=info.owner, data=head + info.data[len(head) :])


BENT: dict[str, Callable[[World], None]] = {
    "a vault holds too little": lambda w: bent_tokens(w, w.ground.vault(BASE), -1),
    "money from nowhere": lambda w: bent_tokens(w, w.people["ann"].accounts[QUOTE], 1),
    "GRID from nowhere": lambda w: bent_tokens(w, w.people["ann"].accounts[BASE], 1),
    "a liability forgotten": lambda w: bent_account(w, "trading", "Market", w.ground.market, liab_base=-1),
    "a level without an order": lambda w: bent_account(w, "trading", "Book", w.ground.books[0], total_ask_lots=1),
    "minted without export": lambda w: bent_account(
        w, "oracle", "MeterState", w.meters["METER_001"].state_address, minted_mwh=1
    ),
    "export without a record": lambda w: bent_account(
        w, "oracle", "MeterState", w.meters["METER_001"].state_address, cum_export_mwh=1
    ),
    "a counter too high": lambda w: bent_account(
        w, "registry", "RegistryConfig", invariants._pda(w, "registry"), active_meter_count=1
    ),
}


@pytest.fixture(scope="module")
def begun() -> World:
    """A world in which GRID was minted and ann has an order in the book."""
    world = create()
    settle_in(world, Random("1 begin"))
    ann = world.people["ann"]
    trader = trading.trader_of(world, ann)
    call = world.ground.order(trader, 1, 20, 500, book=world.ground.books[0])
    world.attempt("sell 20", [trading.LIMIT, call], ann.key)
    invariants.check(world)
    return world


@pytest.mark.parametrize("what", BENT)
def test_the_machine_notices(begun: World, what: str) -> None:
    addresses = [begun.ground.vault(BASE), *begun.people["ann"].accounts, begun.ground.market, begun.ground.books[0],
                 begun.meters["METER_001"].state_address, invariants._pda(begun, "registry")]  # fmt: skip
    before = begun.chain.accounts(addresses)
    BENT[what](begun)
    with pytest.raises(AssertionError):
        invariants.check(begun)
    for info in before:
        assert info
        begun.chain.set_account(info.address, owner=info.owner, data=info.data, lamports=info.lamports)
    invariants.check(begun)


def test_a_step_that_should_be_refused_and_is_not_is_a_failure(begun: World) -> None:
    by = begun.government.authority
    call = measuring.ix.sync_total_supply(begun.built)
    with pytest.raises(Broken, match="was to be refused"):
        begun.attempt("sync_total_supply", [call], by, {"Unauthorized"})
    with pytest.raises(Broken, match="success was expected"):
        begun.attempt("burn", [measuring.ix.burn(begun.built, by.pubkey(), measuring.Atoms(1))], by)
