"""The owners trade: after each slot everybody offers the surplus that was measured, or bids for the need.

    market = open_market(stage, seed)
    market.order(slot)      after the slot's records are minted and burned
    market.clear()          900 s later: the keeper settles the epoch, everybody is paid out

Prices come from the seed; energy comes from the chain's own accounts.  The keeper is the real one.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from solders.keypair import Keypair

from meterchain import instructions
from meterchain.accounts import GovernanceConfig, fetch
from meterchain.keeper import Keeper
from meterchain.keeper_plan import Action, State
from meterchain.market import builders
from meterchain.market.accounts import HistoryEntry, Market, Seat, Side
from meterchain.market.amounts import Scale, scale_of
from meterchain.market.builders import MarketTerms
from meterchain.market.creation import create_currency, create_market, issue
from meterchain.market.curve import Curve, curve_of
from meterchain.market.reading import fetch_books, fetch_history, fetch_seats, find_market
from meterchain.parameters import BY_NAME
from meterchain.tokens import read_token_account
from meterchain.units import Atoms, Lamports, Slot, slot_of
from metersim.stage.cast import wallet
from metersim.stage.node import Node
from metersim.stage.show import Show
from metersim.stage.site import Stage

CURRENCY = "baht"
POCKET_MONEY = Atoms(500_000_000)
"""What every owner starts with: 500 baht."""
TERMS = MarketTerms(n_slots=256, n_seats=64, history=128)
ASK_TICKS, BID_TICKS = (40, 320), (200, 520)
"""Sellers want 2.2 to 3.6 baht per kWh at least, buyers give 3.0 to 4.6 at most."""
SEATS_AT_ONCE = 8
"""Seats that one payout serves: each needs two accounts in the transaction."""
_FEES = Lamports(1_000_000_000)
_MWH_PER_LOT = 1_000


@dataclass(frozen=True, slots=True)
class EpochResult:
    """One epoch's end; `price` in quote atoms per kWh.  `curve` is its book, as it was cleared."""

    epoch: Slot
    price: int
    volume_wh: int
    orders: int
    settled: bool
    entry: HistoryEntry
    curve: Curve


@dataclass
class Exchange:
    """The stage's market.  `counted` remembers up to where each meter's energy has been traded, mWh."""

    stage: Stage
    seed: int
    keeper: Keeper
    scale: Scale
    curves: dict[Slot, Curve] = field(default_factory=dict)
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def market(self) -> Market:
        """The market as it is now."""
        return find_market(self.stage.chain, self.stage.site.programs, self.keeper.market)

    def order(self, slot: int, show: Show) -> None:
        """Every owner sells what the slot left over, or buys what it lacked.  Raises what Chain.send raises."""
        least = self._least_lots()
        for seat, node in enumerate(self.stage.nodes):
            surplus = self._surplus_lots(node)
            side = Side.SELL if surplus > 0 else Side.BUY
            lots = min(surplus, self._in_wallet(node)) if side is Side.SELL else -surplus
            if lots >= least and (side is Side.BUY or node.part.makes_energy):
                self._place(node, seat, side, lots, slot)
            show.step(node.meter_id)

    def clear(self) -> None:
        """What is due is settled by the keeper, and everybody gets what is free.  Raises what Chain.send raises."""
        turn = self.keeper.turn()
        for refused in turn.refused:
            raise refused.error
        seats = [seat for seat in self._seats() if seat.base_free or seat.quote_free]
        for start in range(0, len(seats), SEATS_AT_ONCE):
            paid = builders.payout(self.stage.site.programs, self.market, seats[start : start + SEATS_AT_ONCE])
            self.stage.chain.send([paid], [self.keeper.payer])

    def results(self) -> tuple[EpochResult, ...]:
        """The settled epochs, oldest first."""
        entries = fetch_history(self.stage.chain, self.stage.site.programs, self.market)
        lot_wh = self.scale.lot_size // (_MWH_PER_LOT * 1_000)
        return tuple(
            EpochResult(
                entry.epoch, entry.price, entry.volume_lots * lot_wh, entry.orders, settled=True, entry=entry,
                curve=self.curves[entry.epoch],
            )
            for entry in entries
        )  # fmt: skip

    def _surplus_lots(self, node: Node) -> int:
        """Wh exported less imported since the last call; negative is need."""
        state = self.stage.state(node)
        now = (int(state.cum_export_mwh), int(state.cum_import_mwh))
        before = self.counted.get(node.meter_id, (0, 0))
        self.counted[node.meter_id] = now
        mwh = (now[0] - before[0]) - (now[1] - before[1])
        return abs(mwh) // _MWH_PER_LOT * (1 if mwh > 0 else -1)

    def _least_lots(self) -> int:
        """MIN_LOTS; the market's own copy is written when a book opens."""
        config = fetch(self.stage.chain, self.stage.site.programs, GovernanceConfig, self.stage.site.governance)
        return BY_NAME["MIN_LOTS"].default if config is None else config.system_parameters[BY_NAME["MIN_LOTS"].id]

    def _in_wallet(self, node: Node) -> int:
        (info,) = self.stage.chain.accounts([self.stage.site.grid_account(node.owner.pubkey())])
        return read_token_account(info).amount // self.scale.lot_size if info else 0

    def _place(self, node: Node, seat: int, side: Side, lots: int, slot: int) -> None:
        dice = random.Random(f"market {self.seed} {node.meter_id} {slot}")
        tick = dice.randint(*(ASK_TICKS if side is Side.SELL else BID_TICKS))
        market, chain = self.market, self.stage.chain
        ours = builders.create_order(
            self.stage.site.programs, market, node.owner.pubkey(), seat, side, Atoms(lots * market.lot_size),
            market.price(tick), epoch=slot_of(chain.clock().unix_s), client_id=slot,
        )  # fmt: skip
        chain.send([ours], [node.owner])

    def _seats(self) -> Sequence[Seat]:
        return fetch_seats(self.stage.chain, self.stage.site.programs, self.market)


def open_market(stage: Stage, seed: int, show: Show) -> Exchange:
    """A currency, a market in which anybody may trigger the clearing, and a seat with money for every owner."""
    chain, programs, authority = stage.chain, stage.site.programs, stage.authority
    show.scene("Opening the market: currency, books, seats", len(stage.nodes) + 1)
    currency = create_currency(chain, authority, CURRENCY)
    market = create_market(chain, programs, authority, currency.address, TERMS)
    chain.send([instructions.set_auto_clearing(programs, authority.pubkey(), enabled=True)], [authority])
    show.step("market")
    for node in stage.nodes:
        owner = node.owner.pubkey()
        issue(chain, authority, currency.address, owner, POCKET_MONEY)
        chain.send([builders.open_seat(programs, market, owner)], [node.owner])
        show.step(node.meter_id)
    curves: dict[Slot, Curve] = {}

    def remember(state: State, action: Action) -> None:
        curves[action.epoch] = curve_of(fetch_books(chain, programs, state.market)[action.book])

    keeper = Keeper(chain, programs, market.address, _funded(stage, seed), before_clearing=remember)
    return Exchange(stage, seed, keeper, scale_of(chain, market), curves)


def _funded(stage: Stage, seed: int) -> Keypair:
    payer = wallet(seed, "keeper")
    stage.chain.airdrop(payer.pubkey(), _FEES)
    return payer
