"""Runs of random steps, each told by its seed and its number alone, so that a failure can be replayed and made shorter.

    python -m tests.soak SEED [STEPS]          replay a run, print its steps, and shorten it if it fails

A step takes its randomness from (seed, number): leaving others out does not change what it tries.  `RULES` is the table
of what is done and how often; a new instruction is a function of (world, dice) and a line there.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.soak import clearing, exits, governing, invariants, judging, measuring, registering, trading
from tests.soak.shadow import Person
from tests.soak.world import World, create

from meterchain.accounts import MeterKind, UserType
from meterchain.units import SLOT_S, UnixTime

Rule = Callable[[World, Random], bool]
"""Tries something; False if there was nothing to try."""

RULES: tuple[tuple[int, Rule], ...] = (
    (80, governing.time_passes),
    (14, governing.update_parameters),
    (10, governing.restore_parameters),
    (8, governing.pause),
    (14, governing.unpause),
    (8, governing.propose),
    (10, governing.accept),
    (2, governing.cancel_proposal),
    (4, governing.name_a_guardian),
    (6, governing.list_a_program),
    (8, governing.push),
    (8, registering.register_user),
    (6, registering.update_user),
    (12, registering.set_user_status),
    (10, registering.assign_meter),
    (14, registering.set_meter_status),
    (6, registering.set_meter_limits),
    (8, registering.rotate_meter_key),
    (6, registering.set_key_level),
    (10, registering.replace_meter),
    (8, registering.rebase_meter),
    (8, registering.reassign_meter),
    (4, registering.unassign_meter),
    (12, measuring.init_meter_state),
    (110, measuring.report),
    (60, measuring.process),
    (5, measuring.switch_the_oracle),
    (12, judging.sync_owner),
    (6, judging.close_billing),
    (5, judging.report_equivocation),
    (14, judging.clear_freeze),
    (6, judging.set_relayers),
    (24, measuring.spend),
    (24, measuring.approve),
    (8, measuring.open_account),
    (5, measuring.close_account),
    (8, measuring.reopen_money),
    (4, measuring.sync_total_supply),
    (16, trading.open_seat),
    (6, trading.close_seat),
    (8, trading.hold),
    (30, trading.deposit),
    (24, trading.withdraw),
    (70, trading.order),
    (36, trading.crowd),
    (40, trading.cancel),
    (50, clearing.trigger),
    (60, clearing.crank),
    (50, clearing.finish),
    (24, clearing.pay),
    (20, clearing.void),
    (6, clearing.sweep_fees),
    (8, clearing.update_market),
)
LONGEST = 400
"""Steps of a run; then everybody leaves."""


@dataclass(frozen=True)
class Failure:
    """A run that went wrong."""

    seed: int
    steps: tuple[int, ...]
    log: tuple[str, ...]
    error: BaseException

    def __str__(self) -> str:
        told = "\n".join(f"  {line}" for line in self.log)
        return f"seed {self.seed}, {len(self.steps)} steps:\n{told}\n{type(self.error).__name__}: {self.error}"


@dataclass
class Tally:
    """What runs came to."""

    runs: int = 0
    steps: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    epochs: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        done, not_done = sum(self.accepted.values()), sum(self.refused.values())
        epochs, ways = (", ".join(f"{n} {name}" for name, n in each.items()) for each in (self.epochs, self.ways))
        what = f"{done} accepted, {not_done} refused; epochs: {epochs}; exits: {ways}"
        return f"{self.steps} steps in {self.runs} runs: {what}"


def run(seed: int, steps: Iterable[int], tally: Tally | None = None) -> Failure | None:
    """One run of these step numbers; then everybody leaves."""
    chosen, world = tuple(steps), create()
    try:
        settle_in(world, Random(f"{seed} begin"))
        for number in chosen:
            step(world, Random(f"{seed} {number}"))
            invariants.check(world)
        way = exits.leave(world, Random(f"{seed} end"))
    except Exception as error:  # noqa: BLE001
        return Failure(seed, chosen, tuple(world.log), error)
    finally:
        world.chain.close()
    if tally is not None:
        tally.runs += 1
        tally.steps += len(chosen)
        tally.accepted += world.accepted
        tally.refused += world.refused
        tally.epochs += world.epochs
        tally.ways[way] += 1
    return None


def step(world: World, dice: Random) -> None:
    """One rule of the table; another if there was nothing to try."""
    weights = [weight for weight, _ in RULES]
    while not dice.choices(RULES, weights)[0][1](world, dice):
        pass


def settle_in(world: World, dice: Random) -> None:
    """Most of the people come, three meters are assigned and report a day's energy, which is minted."""
    people = list(world.people.values())
    for person in people[:5]:
        _join(world, dice, person)
    measuring.let_anybody_clear(world, world.government.authority)
    kinds = (MeterKind.BIDIRECTIONAL, MeterKind.BIDIRECTIONAL, MeterKind.GENERATION_ONLY)
    for number, kind in enumerate(kinds):
        by = world.government.authority
        while len(world.meters) <= number:  # an attempt may go wrong on purpose
            registering.assign(world, dice, by, people[number], registering.IDS[number], kind, 0)
        while world.meters[registering.IDS[number]].state is None:
            measuring.init_meter_state(world, dice)
    world.chain.set_unix_time(UnixTime(world.now - world.now % SLOT_S + 86_400 + 5))
    world.chain.next_block()
    for meter in world.meters.values():
        while not meter.last:
            assert meter.state
            record = measuring.next_record(world, meter, meter.state, dice)
            measuring.deliver(world, [(meter, record, meter.key, measuring.Signing())], f"{meter.meter_id} first")
        measuring.process_meter(world, meter)
    invariants.check(world)


def _join(world: World, dice: Random, person: Person) -> None:
    by, kind = world.government.authority, UserType.CONSUMER if person.name == "eli" else UserType.PROSUMER
    call = registering.ix.register_user(world.built, by.pubkey(), person.wallet, kind, registering.Role.STUDENT)
    world.attempt(f"register_user {person.name}", [call], by)
    person.registered, person.user_type = True, kind
    world.user_count += 1
    opening = measuring.ix.create_token_account(world.built, person.wallet, person.wallet)
    world.attempt(f"open_account {person.name}", [opening], person.key)
    if dice.random() < 0.9:
        world.attempt(f"open_seat {person.name}", [world.ground.seating(person.wallet)], person.key)


def shorten(failure: Failure, *, tries: int = 400) -> Failure:
    """The same kind of failure with as few steps as `tries` further runs find."""
    best, size = failure, max(1, len(failure.steps) // 2)
    while size and tries > 0:
        smaller = _without_a_piece(best, size, tries)
        tries -= len(best.steps) // size + 1
        if smaller is None:
            size //= 2
        else:
            best = smaller
    return best


def _without_a_piece(failure: Failure, size: int, tries: int) -> Failure | None:
    """The failure without some `size` steps in a row, from the end."""
    steps = failure.steps
    for start in list(range(len(steps) - size, -1, -size))[:tries]:
        found = run(failure.seed, _but(steps, start, size))
        if found and _kind(found) == _kind(failure):
            return found
    return None


def _but(steps: Sequence[int], start: int, size: int) -> tuple[int, ...]:
    return (*steps[:start], *steps[start + size :])


def _kind(failure: Failure) -> tuple[str, str, str]:
    """Enough to tell one failure from another: what was tried, and where it was raised."""
    place, trace = "", failure.error.__traceback__
    while trace:
        place, trace = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}", trace.tb_next
    return type(failure.error).__name__, str(failure.error).split(" ", 1)[0], place
