"""A market with traders, made by our own client on the embedded chain; GRID alone is conjured up."""

import hashlib
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions
from meterchain import site as steps
from meterchain.accounts import Role, UserType
from meterchain.embedded import EmbeddedChain
from meterchain.market import builders
from meterchain.market.accounts import Market, Side
from meterchain.market.amounts import Scale, scale_of
from meterchain.market.builders import MarketTerms
from meterchain.market.creation import create_currency, create_market, issue
from meterchain.market.reading import find_market, seat_number
from meterchain.programs import Programs
from meterchain.site import Site
from meterchain.tokens import TOKEN_PROGRAM, associated_token_account
from meterchain.transactions import compute_limit
from meterchain.units import SLOT_S, Atoms, Lamports, UnixTime, slot_of

SMALL = MarketTerms(n_slots=256, n_seats=16, history=4)
KWH = SOL = 1_000_000_000


@dataclass
class Place:
    """One market and its chain."""

    chain: EmbeddedChain
    programs: Programs
    site: Site
    authority: Keypair
    address: Pubkey

    @property
    def market(self) -> Market:
        return find_market(self.chain, self.programs, self.address)

    @property
    def scale(self) -> Scale:
        return scale_of(self.chain, self.market)

    def end_epoch(self) -> None:
        now = self.chain.clock().unix_s
        self.chain.set_unix_time(UnixTime(now - now % SLOT_S + SLOT_S))
        self.chain.next_block()

    def order(self, trader: Keypair, side: Side, wh: int, tick: int) -> int:
        """Returns the order's id."""
        market, wallet = self.market, trader.pubkey()
        seat = seat_number(self.chain, self.programs, market, wallet)
        assert seat is not None
        ours = builders.create_order(
            self.programs, market, wallet, seat, side, Atoms(wh * market.lot_size), market.price(tick),
            epoch=slot_of(self.chain.clock().unix_s),
        )  # fmt: skip
        receipt = self.chain.send([ours], [trader])
        return int.from_bytes(receipt.return_data, "little")

    def open_epoch(self, traders: list[Keypair]) -> None:
        """Half of the traders sell, half buy, crossing; the first of each side stays partly unfilled."""
        for n, trader in enumerate(traders):
            side = Side.SELL if n % 2 else Side.BUY
            self.order(trader, side, 1_000 + 37 * n, 300 + 10 * n if side is Side.BUY else 200 + 5 * n)

    def fill(self, trader: Keypair, base: int = 100 * KWH, quote: int = 10**9) -> None:
        """Tokens for a registered trader: GRID written as no transaction could, money issued."""
        grid = associated_token_account(trader.pubkey(), self.market.base_mint)[0]
        head = bytes(self.market.base_mint) + bytes(trader.pubkey()) + base.to_bytes(8, "little")
        self.chain.set_account(grid, owner=TOKEN_PROGRAM, data=head + bytes(36) + b"\1" + bytes(56))
        if quote:
            issue(self.chain, self.authority, self.market.quote_mint, trader.pubkey(), Atoms(quote))

    def send(self, *instructions: Instruction, by: Keypair | None = None) -> None:
        self.chain.send([compute_limit(1_400_000), *instructions], [by or self.authority])

    def join(self, name: str) -> Keypair:
        """As `register`, with a seat."""
        trader = self.register(name)
        self.chain.send([builders.open_seat(self.programs, self.market, trader.pubkey())], [trader])
        return trader

    def register(self, name: str) -> Keypair:
        """A prosumer with 100 GRID and 1,000 baht."""
        trader = key(name)
        self.chain.airdrop(trader.pubkey(), Lamports(100 * SOL))
        here = self.site, self.authority, trader.pubkey()
        steps.register_user(self.chain, *here, UserType.PROSUMER, Role.STUDENT)
        self.fill(trader)
        return trader


def key(name: str) -> Keypair:
    """The key of that name, always the same."""
    return Keypair.from_seed(hashlib.sha256(f"test {name}".encode()).digest())


def open_place(chain: EmbeddedChain, built: Programs, site: Site, authority: Keypair) -> Place:
    """A small market; anybody may trigger."""
    currency = create_currency(chain, authority, "baht")
    market = create_market(chain, built, authority, currency.address, SMALL)
    chain.send([instructions.set_auto_clearing(built, authority.pubkey(), enabled=True)], [authority])
    return Place(chain, built, site, authority, market.address)
