"""The keeper: takes every epoch from collected to settled, on time, and needs to remember nothing.

`keeper_plan.next_actions` is all that it decides, from what the chain shows and the chain's clock.  A keeper that
crashed anywhere starts again from the chain; two keepers beside each other ask for the same, the programs take it once,
and the later one looks again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import pdas
from meterchain.accounts import GovernanceConfig, OracleConfig, fetch
from meterchain.chain import Chain, ChainError, ChainUnreachable
from meterchain.keeper_plan import Action, State, Step, StepKind, next_actions, seconds_until_due
from meterchain.market import builders
from meterchain.market.accounts import Market
from meterchain.market.reading import find_market, row_count
from meterchain.parameters import BY_NAME
from meterchain.programs import Programs
from meterchain.site import SiteError
from meterchain.transactions import compute_limit, salt
from meterchain.units import Lamports, UnixTime

CLEARING = 1 << 5
"""Bit of the pause mask that stops clearing."""
TRANSACTION_UNITS = 1_400_000
MOST_LOOKS = 8
"""How often one turn looks at the chain again before it waits."""


def look(chain: Chain, programs: Programs, market: Pubkey, caller: Pubkey) -> State:
    """What the chain shows now.  Raises SiteError, NoMarket, AccountError and what Chain.accounts raises."""
    governance = fetch(chain, programs, GovernanceConfig, pdas.governance(programs))
    oracle = fetch(chain, programs, OracleConfig, pdas.oracle(programs))
    if governance is None or oracle is None:
        raise SiteError(f"there is no initialised site on {chain.name}: run `meterbridge site init`")
    found = find_market(chain, programs, market)
    infos = chain.accounts(found.books)
    rows = [row_count(programs, "Book", info.data) if info else 0 for info in infos]
    values = governance.system_parameters
    return State(
        market=found,
        rows=(rows[0], rows[1]),
        interval_s=oracle.market_clearing_interval,
        settle_delay_s=values[BY_NAME["SETTLE_DELAY_SECS"].id],
        max_sweep=values[BY_NAME["MAX_SWEEP"].id],
        clearing_paused=bool(governance.effective_pause(chain.clock().unix_s) & CLEARING),
        may_trigger=oracle.auto_clearing_enabled or governance.engineering_authority == caller,
    )


def instructions_of(programs: Programs, market: Market, caller: Pubkey, action: Action) -> list[Instruction]:
    """The instructions of an action, without the compute limit."""

    def build(step: Step) -> Instruction:
        if step.kind is StepKind.TRIGGER:
            return builders.trigger_market_clearing(programs, market, caller, action.book, step.rows)
        if step.kind is StepKind.MATCH:
            return builders.match_orders(programs, market, action.book, step.rows)
        if step.kind is StepKind.SETTLE:
            return builders.settle_trade(programs, market, action.book, step.rows)
        return builders.void_epoch(programs, market, caller, action.book)

    return [build(step) for step in action.steps]


@dataclass(frozen=True, slots=True)
class Done:
    """An action that the chain took, and what it cost."""

    action: Action
    fee: Lamports
    compute_units: int


@dataclass(frozen=True, slots=True)
class Refused:
    """An action that failed: somebody else was faster, or something is wrong; the next look tells."""

    action: Action
    error: ChainError


Outcome: TypeAlias = Done | Refused


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn came to: the chain as it was left, and what was tried."""

    state: State
    now: UnixTime
    outcomes: tuple[Outcome, ...]

    @property
    def done(self) -> list[Done]:
        """What the chain took."""
        return [outcome for outcome in self.outcomes if isinstance(outcome, Done)]

    @property
    def refused(self) -> list[Refused]:
        """What it did not."""
        return [outcome for outcome in self.outcomes if isinstance(outcome, Refused)]


@dataclass
class Keeper:
    """One market's keeper.  `payer` signs and pays; `stand_by_s` holds it back that long behind another."""

    chain: Chain
    programs: Programs
    market: Pubkey
    payer: Keypair
    stand_by_s: int = 0
    before_clearing: Callable[[State, Action], None] = lambda _state, _action: None
    """Called before each trigger: whoever wants to keep the book, which settling empties, reads it here."""
    _salt: int = field(default=0, repr=False)

    def turn(self) -> Turn:
        """Look, do what is due, look again, until nothing is due or nothing moves.

        Raises ChainUnreachable if the chain cannot be read; an action that fails is in the Turn, not raised.
        """
        outcomes: list[Outcome] = []
        state, now = self._look()
        for _ in range(MOST_LOOKS):
            actions = next_actions(state, UnixTime(now - self.stand_by_s))
            if not actions:
                break
            outcomes += self._carry_out(state, actions)
            before = state
            state, now = self._look()
            if state == before:
                break
        return Turn(state, now, tuple(outcomes))

    def _look(self) -> tuple[State, UnixTime]:
        state = look(self.chain, self.programs, self.market, self.payer.pubkey())
        return state, self.chain.clock().unix_s

    def _carry_out(self, state: State, actions: Sequence[Action]) -> list[Outcome]:
        """Until the first that fails."""
        outcomes: list[Outcome] = []
        for action in actions:
            if action.steps[0].kind is StepKind.TRIGGER:
                self.before_clearing(state, action)
            outcome = self._send(state.market, action)
            outcomes.append(outcome)
            if isinstance(outcome, Refused):
                break
        return outcomes

    def _send(self, market: Market, action: Action) -> Outcome:
        """Salted, because two transactions with the same bytes are one to a cluster."""
        self._salt += 1
        ours = instructions_of(self.programs, market, self.payer.pubkey(), action)
        wanted = [compute_limit(TRANSACTION_UNITS), salt(self._salt), *ours]
        try:
            receipt = self.chain.send(wanted, [self.payer])
        except ChainError as error:  # unreachable too: what became of it, the next look tells
            return Refused(action, error)
        return Done(action, receipt.fee, receipt.compute_units)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a keeper waits, in seconds: at most `longest` between two looks, `shortest` after a failure."""

    longest_s: float = 15.0
    shortest_s: float = 2.0


Watch: TypeAlias = Callable[[Turn | ChainUnreachable], None]


def run(keeper: Keeper, wait: Callable[[float], bool], watch: Watch, pace: Pace = Pace()) -> None:
    """Take turns until `wait(seconds)` returns True.  `watch` is told what each came to, or that the chain is away."""
    while True:
        try:
            turn = keeper.turn()
        except ChainUnreachable as error:
            watch(error)
            pause = pace.shortest_s
        else:
            watch(turn)
            pause = _pause(turn, keeper.stand_by_s, pace)
        if wait(pause):
            return


def _pause(turn: Turn, stand_by_s: int, pace: Pace) -> float:
    if turn.refused:
        return pace.shortest_s
    due = seconds_until_due(turn.state, UnixTime(turn.now - stand_by_s))
    return pace.longest_s if not due else min(float(due), pace.longest_s)
