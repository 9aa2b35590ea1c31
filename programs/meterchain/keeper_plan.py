"""What a keeper does next: pure functions from what the chain shows, and its clock, to transactions.

An epoch opens by its first order; an epoch without orders needs nothing.  A campus-sized book is cleared, matched and
settled by one transaction; a larger one by a trigger, then matching, then settling, which are never mixed: if matching
halts the market, a settling step behind it would fail and take the halt back.
"""

from dataclasses import dataclass
from enum import Enum

from meterchain.market.accounts import BookState, Market
from meterchain.units import SLOT_S, Lamports, Slot, UnixTime

HALT_MOST_S = 86_400
"""A market that has been halted this long may be released by anybody."""
ROOM_UNITS = 1_200_000
"""Compute units that the steps of one transaction may be estimated at."""
CALL_UNITS, ROW_UNITS = 12_000, 150
"""Upper estimates of one match_orders or settle_trade: for the call, and for each order (tests/bench measures them)."""
SIGNATURE_FEE = Lamports(5_000)


class StepKind(Enum):
    """What the keeper asks of the programs."""

    TRIGGER = "trigger_market_clearing"
    MATCH = "match_orders"
    SETTLE = "settle_trade"
    VOID = "void_epoch"


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction; `rows` is the sweep of a trigger, or how many orders to match or settle."""

    kind: StepKind
    rows: int


@dataclass(frozen=True, slots=True)
class Action:
    """One transaction on the book `book` (0 or 1), which holds the orders of `epoch`."""

    book: int
    epoch: Slot
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """What it does, for logs and metrics."""
        return self.steps[0].kind.value


@dataclass(frozen=True, slots=True)
class State:
    """What the chain shows of one market.  `rows` are the orders of each book, cancelled ones too."""

    market: Market
    rows: tuple[int, int]
    interval_s: int
    settle_delay_s: int
    max_sweep: int
    clearing_paused: bool
    may_trigger: bool

    def due_at(self, book: int) -> UnixTime:
        """When the Collecting book `book` may be cleared: by the oracle's or the market's rule, whichever is later."""
        delay = max(self.settle_delay_s, self.market.settle_delay_secs)
        return UnixTime(self.market.book_epoch[book] + max(self.interval_s, self.market.market_epoch_length) + delay)


def next_actions(state: State, now: UnixTime) -> list[Action]:
    """The transactions that finish all that is due at `now` (the chain's clock), in their order; [] if nothing is.

    Each is right if those before it have succeeded.  Whoever carries them out looks again when one fails.
    """
    market, busy = state.market, state.market.settling_book
    if market.halted:
        over = now >= market.halted_at + HALT_MOST_S
        return [Action(busy, market.book_epoch[busy], (Step(StepKind.VOID, 0),))] if over and busy in (0, 1) else []
    actions = _finishing(state, busy) if busy in (0, 1) else []
    if state.clearing_paused or not state.may_trigger or not market.clearing_enabled:
        return actions
    for book in market.waiting_books():
        if now >= state.due_at(book):
            actions += _clearing(state, book)
    return actions


def seconds_until_due(state: State, now: UnixTime) -> int | None:
    """How long until the next book is due, at least 0; None if no book collects."""
    due = [state.due_at(book) for book in state.market.waiting_books()]
    return max(min(due) - now, 0) if due else None


def transactions_for(rows: int, max_sweep: int) -> int:
    """How many transactions take an epoch of `rows` orders from collected to settled."""
    if rows <= max_sweep:
        return 1
    return 1 + 2 * len(_packed(StepKind.MATCH, rows, max_sweep))


def _clearing(state: State, book: int) -> list[Action]:
    """A book that is due.  What follows a trigger that does not finish by itself is known only when the price is."""
    rows, epoch = state.rows[book], state.market.book_epoch[book]
    inline = max(rows, 1) if rows <= state.max_sweep else 0
    return [Action(book, epoch, (Step(StepKind.TRIGGER, inline),))]


def _finishing(state: State, book: int) -> list[Action]:
    """The book that is Matching or Settling."""
    rows, done, epoch = state.rows[book], state.market.clear.cursor, state.market.book_epoch[book]
    matching = state.market.book_state[book] is BookState.MATCHING
    groups = _packed(StepKind.MATCH, rows - done, state.max_sweep) if matching else []
    groups += _packed(StepKind.SETTLE, rows if matching else rows - done, state.max_sweep)
    return [Action(book, epoch, steps) for steps in groups]


def _packed(kind: StepKind, rows: int, max_sweep: int) -> list[tuple[Step, ...]]:
    """Steps that sweep `rows`, as many in a transaction as its compute units hold; one step if there are no rows."""
    groups: list[tuple[Step, ...]] = []
    group: list[Step] = []
    spent, left = 0, rows
    while left > 0 or not (groups or group):
        now = min(max(left, 1), max_sweep)
        cost = CALL_UNITS + ROW_UNITS * now
        if group and spent + cost > ROOM_UNITS:
            groups.append(tuple(group))
            group, spent = [], 0
        group.append(Step(kind, now))
        spent, left = spent + cost, left - now
    return [*groups, tuple(group)]


def late_by(state: State, now: UnixTime) -> int:
    """Seconds by which the oldest unfinished epoch is behind; 0 if none is."""
    market = state.market
    unfinished = [state.due_at(book) for book in (0, 1) if market.book_state[book] is not BookState.IDLE]
    return max([now - due for due in unfinished if now > due], default=0)


def fees_for_days(state: State, days: int) -> Lamports:
    """What `days` cost at most: every epoch's book full, one signature a transaction."""
    epochs = days * (86_400 // SLOT_S)
    return Lamports(epochs * transactions_for(state.market.n_slots, state.max_sweep) * SIGNATURE_FEE)
