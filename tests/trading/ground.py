"""A market to trade in, on the real programs: instructions with their accounts filled in, what came of them, people.

Only money is conjured up: token accounts are written as no transaction could.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from tests.trading.money import write_tokens
from tests.trading.rows import (
    BASE,
    COLLECTING,
    IDLE,
    LOT,
    MATCHING,
    QUOTE,
    RICH,
    SELL,
    SETTLING,
    SOL,
    Entry,
    Order,
    Seat,
    Trader,
    key,
    price,
)

from meterchain import pdas, site
from meterchain.accounts import Role, UserType
from meterchain.chain import Receipt
from meterchain.embedded import EmbeddedChain
from meterchain.idl import Event
from meterchain.programs import Programs
from meterchain.tokens import associated_token_account
from meterchain.transactions import compute_limit
from meterchain.units import SLOT_S, Lamports, UnixTime

Bent: TypeAlias = Any
"""What a test puts in place of an account's address, an argument or a field."""


@dataclass(repr=False)
class Ground:
    """One market and who trades there."""

    chain: EmbeddedChain
    built: Programs
    authority: Keypair
    market: Pubkey
    quote_mint: Pubkey
    books: tuple[Pubkey, Pubkey]
    seats: Pubkey
    history: Pubkey
    fees: Pubkey
    traders: dict[str, Trader] = field(default_factory=dict)

    # --- addresses ---

    @property
    def grid(self) -> Pubkey:
        return pdas.grid_mint(self.built)

    def mint(self, asset: int) -> Pubkey:
        return self.quote_mint if asset == QUOTE else self.grid

    def vault(self, asset: int) -> Pubkey:
        return self._pda(b"vault", bytes(self.market), bytes([asset]))

    def seat_index(self, wallet: Pubkey) -> Pubkey:
        return self._pda(b"seat", bytes(self.market), bytes(wallet))

    def account(self, wallet: Pubkey, asset: int) -> Pubkey:
        """The canonical token account."""
        return associated_token_account(wallet, self.mint(asset))[0]

    def _pda(self, *seeds: bytes) -> Pubkey:
        return Pubkey.find_program_address(list(seeds), self.built.id("trading"))[0]

    # --- instructions ---

    def ix(
        self,
        name: str,
        accounts: Mapping[str, Pubkey | None] | None = None,
        arguments: Mapping[str, Any] | None = None,
        remaining: Sequence[AccountMeta] = (),
    ) -> Instruction:
        """Any instruction, with the market's own accounts filled in where it has them."""
        known = {
            "market": self.market,
            "seats": self.seats,
            "history": self.history,
            "base_vault": self.vault(BASE),
            "quote_vault": self.vault(QUOTE),
            "authority": self.authority.pubkey(),
            "fee_destination": self.fees,
        }
        wanted = self.built["trading"].account_names(name)
        given = {name: address for name, address in known.items() if name in wanted} | dict(accounts or {})
        return self.built["trading"].instruction(name, given, arguments or {}, remaining)

    def order(
        self,
        trader: Trader,
        side: int,
        lots: int,
        tick: int,
        *,
        book: Pubkey | None = None,
        client_id: int = 0,
        **bent: Bent,
    ) -> Instruction:
        """An order of `lots` at `tick`; `energy`, `price` and account names override what follows from them."""
        asset = BASE if side == SELL else QUOTE
        limit = bent.pop("price", price(tick))
        arguments = {
            "seat": bent.pop("seat", trader.seat),
            "energy": bent.pop("energy", lots * LOT),
            "client_id": client_id,
        }
        accounts = {
            "trader": trader.wallet,
            "user": pdas.user(self.built, trader.wallet),
            "book": book or self.entry_book(),
            "token_account": self.account(trader.wallet, asset),
            "vault": self.vault(asset),
        } | bent
        name, limit_name = ("create_sell_order", "price") if side == SELL else ("create_buy_order", "max_price")
        return self.ix(name, accounts, {**arguments, limit_name: limit})

    def cancelling(self, trader: Trader, book: Pubkey, slot: int, order_id: int, **bent: Bent) -> Instruction:
        accounts = {"authority": trader.wallet, "user": pdas.user(self.built, trader.wallet), "book": book} | bent
        return self.ix("cancel_order", accounts, {"slot": slot, "id": order_id})

    def flagging(self, trader: Trader, flags: int, **bent: Bent) -> Instruction:
        """set_seat_flags."""
        accounts = {"authority": trader.wallet, "user": pdas.user(self.built, trader.wallet)}
        return self.ix("set_seat_flags", accounts | bent, {"seat": trader.seat, "flags": flags})

    def moving(self, name: str, trader: Trader, asset: int, amount: int, **bent: Bent) -> Instruction:
        """Deposit or withdraw."""
        seat = bent.pop("seat", trader.seat)
        token_account = self.account(trader.wallet, asset)
        accounts = {"trader": trader.wallet, "token_account": token_account, "vault": self.vault(asset)} | bent
        return self.ix(name, accounts, {"seat": seat, "side": asset, "amount": amount})

    def paying(self, *traders: Trader, **bent: Bent) -> Instruction:
        """payout; `accounts=[…]` replaces the remaining accounts."""
        rows, metas = [], []
        for trader in traders:
            bumps = []
            for asset in (BASE, QUOTE):
                address, bump = associated_token_account(trader.wallet, self.mint(asset))
                metas.append(AccountMeta(address, is_signer=False, is_writable=True))
                bumps.append(bump)
            rows.append({"seat": trader.seat, "base_bump": bumps[BASE], "quote_bump": bumps[QUOTE]})
        metas = bent.pop("metas", metas)
        return self.ix("payout", bent, {"seats": rows}, metas)

    def triggering(self, inline: int = 0, **bent: Pubkey | None) -> Instruction:
        """The oracle's trigger_market_clearing, by the authority unless `caller` says otherwise."""
        accounts = {"caller": self.authority.pubkey(), "market": self.market, "book": self.due_book()}
        ledger = {"seats": self.seats, "history": self.history} if inline else {}
        arguments = {"inline_sweep": inline}
        return self.built["oracle"].instruction("trigger_market_clearing", accounts | ledger | bent, arguments)

    def clearing(self, **bent: Pubkey) -> Instruction:
        """clear_epoch itself, for which only the oracle can sign."""
        return self.ix("clear_epoch", {"book": self.due_book(), "program": self.built.id("trading")} | bent)

    def matching(self, most: int = 4096, **bent: Pubkey) -> Instruction:
        return self.ix("match_orders", {"book": self.settling_book()} | bent, {"max": most})

    def settling(self, most: int = 4096, **bent: Pubkey) -> Instruction:
        accounts = {"book": self.settling_book(), "program": self.built.id("trading")} | bent
        return self.ix("settle_trade", accounts, {"max": most})

    # --- doing ---

    def send(self, *instructions: Instruction, by: Keypair | None = None, units: int = 1_400_000) -> Receipt:
        return self.chain.send([compute_limit(units), *instructions], [by or self.authority])

    def send_unsigned(self, *instructions: Instruction, units: int = 1_400_000) -> Receipt:
        """As `send`, paid by the authority, with whatever other signature the instructions want conjured up."""
        payer = self.authority.pubkey()
        message = MessageV0.try_compile(payer, [compute_limit(units), *instructions], [], self.chain._blockhash())
        blank = [Signature.default()] * message.header.num_required_signatures
        return self.chain.submit(VersionedTransaction.populate(message, blank))

    def place(self, trader: Trader, side: int, lots: int, tick: int, **more: Bent) -> int:
        """Places an order; returns its id."""
        receipt = self.send(self.order(trader, side, lots, tick, **more), by=trader.key)
        return int.from_bytes(receipt.return_data, "little")

    def clear(self) -> Receipt:
        """Clears the due book, through the oracle."""
        return self.send(self.triggering())

    def end_epoch(self) -> None:
        """Time passes until the epoch of now is over."""
        now = self.chain.clock().unix_s
        self.chain.set_unix_time(UnixTime(now - now % SLOT_S + SLOT_S))

    def settle_epoch(self, *, chunk: int = 4096) -> list[Event]:
        """Ends the epoch and takes the due book through clearing, matching and settling; returns the events."""
        self.end_epoch()
        events = list(self.events(self.clear()))
        book = self.settling_book()
        while self.state(book) == MATCHING:
            events += self.events(self.send(self.matching(chunk)))
        while self.state(book) == SETTLING:
            events += self.events(self.send(self.settling(chunk)))
        return events

    def events(self, receipt: Receipt) -> list[Event]:
        return self.built["trading"].events(receipt)

    # --- looking ---

    def data(self, address: Pubkey) -> bytes:
        (info,) = self.chain.accounts([address])
        assert info is not None, address
        return info.data

    def fetch_market(self) -> dict[str, Any]:
        return self.built["trading"].decode_account("Market", self.data(self.market))

    def book(self, address: Pubkey) -> dict[str, Any]:
        return self.built["trading"].decode_account("Book", self.data(address))

    def state(self, book: Pubkey) -> int:
        return int(self.book(book)["state"])

    def entry_book(self) -> Pubkey:
        """The book for an order now."""
        market, now = self.fetch_market(), self.chain.clock().unix_s
        epoch = now - now % SLOT_S
        for index in range(2):
            if market["book_state"][index] == COLLECTING and market["book_epoch"][index] == epoch:
                return self.books[index]
        return self.books[0 if market["book_state"][0] == IDLE else 1]

    def due_book(self) -> Pubkey:
        market = self.fetch_market()
        waiting = [(market["book_epoch"][i], i) for i in range(2) if market["book_state"][i] == COLLECTING]
        return self.books[min(waiting)[1]] if waiting else self.books[0]

    def settling_book(self) -> Pubkey:
        index = self.fetch_market()["settling_book"]
        return self.books[index if index < 2 else 0]

    def orders(self, book: Pubkey) -> list[Order]:
        return [Order(*Order.LAYOUT.unpack(row)) for row in self._rows(book, "BOOK")]

    def all_seats(self) -> list[Seat]:
        rows = (Seat.LAYOUT.unpack(row) for row in self._rows(self.seats, "SEATS"))
        return [Seat(Pubkey(owner), *rest) for owner, *rest in rows]

    def seat(self, trader: Trader) -> Seat:
        return self.all_seats()[trader.seat]

    def entries(self) -> list[Entry]:
        return [Entry(*Entry.LAYOUT.unpack(row)) for row in self._rows(self.history, "HISTORY")]

    def tokens(self, address: Pubkey) -> int:
        """Balance of a token account, atoms."""
        return int.from_bytes(self.data(address)[64:72], "little")

    def _rows(self, address: Pubkey, what: str) -> Iterable[bytes]:
        constants = self.built["trading"].constants
        start, size = int(constants[f"{what}_ROWS_AT"]), int(constants[f"{what}_ROW"])
        data = self.data(address)
        count = row_count(data, self.built, what)
        return (data[start + i * size : start + (i + 1) * size] for i in range(count))

    # --- people and money ---

    def join(
        self, name: str, *, user_type: UserType = UserType.PROSUMER, base: int = RICH, quote: int = RICH
    ) -> Trader:
        """Registers somebody, gives money and a seat."""
        who = self.citizen(name, user_type=user_type, base=base, quote=quote)
        receipt = self.send(self.seating(who.pubkey()), by=who)
        trader = Trader(who, int.from_bytes(receipt.return_data, "little"))
        self.traders[name] = trader
        return trader

    def citizen(
        self, name: str, *, user_type: UserType = UserType.PROSUMER, base: int = RICH, quote: int = RICH
    ) -> Keypair:
        """A registered user with money, without a seat."""
        who = key(name)
        self.chain.airdrop(who.pubkey(), Lamports(100 * SOL))
        here = site.load(self.chain, self.built)
        site.register_user(self.chain, here, self.authority, who.pubkey(), user_type, Role.STUDENT)
        self.give(who.pubkey(), BASE, base)
        self.give(who.pubkey(), QUOTE, quote)
        return who

    def seating(self, wallet: Pubkey, **bent: Bent) -> Instruction:
        accounts = {"trader": wallet, "payer": wallet, "user": pdas.user(self.built, wallet)} | bent
        return self.ix("open_seat", accounts)

    def leaving(self, trader: Trader, **bent: Bent) -> Instruction:
        accounts = {
            "authority": trader.wallet,
            "user": pdas.user(self.built, trader.wallet),
            "wallet": trader.wallet,
            "seat_index": self.seat_index(trader.wallet),
        } | bent
        return self.ix("close_seat", accounts)

    def give(self, wallet: Pubkey, asset: int, amount: int, *, at: Pubkey | None = None, state: int = 1) -> Pubkey:
        """Writes a token account with `amount` atoms; state 2 is frozen."""
        address = at or self.account(wallet, asset)
        write_tokens(self.chain, address, self.mint(asset), wallet, amount, state=state)
        return address

    def patch(self, address: Pubkey, name: str, **fields: Bent) -> None:
        """Changes fields of an account's header as no transaction could."""
        idl, data = self.built["trading"], self.data(address)
        head = idl.encode_account(name, idl.decode_account(name, data) | fields)
        (info,) = self.chain.accounts([address])
        assert info is not None
        self.chain.set_account(address, owner=info.owner, data=head + data[len(head) :])


def row_count(data: bytes, built: Programs, what: str) -> int:
    """The u32 right behind the header."""
    idl = built["trading"]
    name = {"BOOK": "Book", "SEATS": "Seats", "HISTORY": "History"}[what]
    head = len(idl.encode_account(name, idl.decode_account(name, data)))
    return int.from_bytes(data[head : head + 4], "little")
