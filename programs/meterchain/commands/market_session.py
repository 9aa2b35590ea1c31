"""What every market command begins and ends with: the market, how its amounts are written, the wallet's seat."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain.commands.recorded import RecordedChain, attempt
from meterchain.commands.session import Row, Session, an_address, session
from meterchain.market import builders
from meterchain.market.accounts import Asset, Book, Market, Order, OrderState, Seat
from meterchain.market.amounts import Scale, scale_of
from meterchain.market.reading import NoSeat, fetch_books, fetch_seats, find_market, seat_number
from meterchain.programs import Programs

ASSETS = {"energy": Asset.BASE, "money": Asset.QUOTE}

AMarket = Annotated[
    Pubkey | None,
    typer.Option(
        "--market",
        parser=an_address,
        metavar="ADDRESS",
        envvar="METERBRIDGE_MARKET",
        help="Which market; not needed where there is one.",
    ),
]
Wallet = Annotated[Path, typer.Option("--wallet", metavar="FILE", help="The trader's own wallet; it signs and pays.")]


@dataclass(frozen=True, slots=True)
class Stall:
    """One market, as a command uses it."""

    session: Session
    market: Market
    scale: Scale

    @property
    def chain(self) -> RecordedChain:
        """The chain, which records what is sent."""
        return self.session.chain

    @property
    def programs(self) -> Programs:
        """The programs on it."""
        return self.session.programs

    def seat_of(self, trader: Keypair) -> int:
        """The trader's seat; opened if there is none, in a rehearsal the one that would be."""
        wallet = trader.pubkey()
        found = seat_number(self.chain, self.programs, self.market, wallet)
        if found is not None:
            return found
        wanted = builders.open_seat(self.programs, self.market, wallet)
        if attempt(lambda: self.chain.send([wanted], [trader])) is None:
            return self._next_seat()
        opened = seat_number(self.chain, self.programs, self.market, wallet)
        if opened is None:
            raise NoSeat(f"{self.chain.name} confirmed the seat but does not show it: try another RPC")
        return opened

    def existing_seat(self, wallet: Pubkey) -> Seat:
        """Raises NoSeat."""
        index = seat_number(self.chain, self.programs, self.market, wallet)
        if index is None:
            raise NoSeat(f"{wallet} has no seat in this market: `meterbridge market deposit` or an order opens one")
        return fetch_seats(self.chain, self.programs, self.market)[index]

    def own_orders(self, wallet: Pubkey) -> list[tuple[Book, Order]]:
        """The wallet's orders that are open, in the order in which they were placed."""
        index = seat_number(self.chain, self.programs, self.market, wallet)
        books = fetch_books(self.chain, self.programs, self.market)
        own = [(b, o) for b in books for o in b.orders if o.seat == index and o.state is OrderState.OPEN]
        return sorted(own, key=lambda found: found[1].id)

    def seat_document(self, wallet: Pubkey) -> dict[str, Any]:
        """The seat for `--json`: amounts in kWh and money, and in atoms."""
        index = seat_number(self.chain, self.programs, self.market, wallet)
        if index is None:
            return {"market": str(self.market.address), "seat": None}
        seat, scale = fetch_seats(self.chain, self.programs, self.market)[index], self.scale
        return {
            "market": str(self.market.address),
            "seat": {
                "index": seat.index,
                "energy_free_kwh": scale.kwh(seat.base_free),
                "energy_locked_kwh": scale.kwh(seat.base_locked),
                "money_free": scale.coin(seat.quote_free),
                "money_locked": scale.coin(seat.quote_locked),
                "energy_free_atoms": seat.base_free,
                "energy_locked_atoms": seat.base_locked,
                "money_free_atoms": seat.quote_free,
                "money_locked_atoms": seat.quote_locked,
                "open_orders": [self.order_document(book, each) for book, each in self.own_orders(wallet)],
            },
        }

    def order_document(self, book: Book, order: Order) -> dict[str, Any]:
        """One order for `--json`."""
        return {
            "id": order.id,
            "client_id": order.client_id,
            "epoch": book.epoch,
            "side": order.side.name.lower(),
            "kwh": self.scale.lots(order.lots),
            "filled_kwh": self.scale.lots(order.filled),
            "price": self.scale.per_kwh(self.market.price(order.tick)),
            "state": order.state.name.lower(),
            "seat": order.seat,
        }

    def _next_seat(self) -> int:
        seats = fetch_seats(self.chain, self.programs, self.market)
        return next((seat.index for seat in seats if not seat.is_taken), len(seats))


@contextmanager
def stall(
    context: typer.Context, rpc: str, folder: Path | None, market: Pubkey | None, *, dry_run: bool = False
) -> Iterator[Stall]:
    """Connect and find the market.  Raises NoMarket and what `session` raises."""
    with session(context, rpc, folder, dry_run=dry_run) as here:
        found = find_market(here.chain, here.programs, market)
        yield Stall(here, found, scale_of(here.chain, found))


def seat_rows(here: Stall, wallet: Pubkey) -> list[Row]:
    """The seat for people."""
    document = here.seat_document(wallet)["seat"]
    if document is None:
        return [("seat", "none")]
    orders = [f"{each['id']} {each['side']} {each['kwh']} kWh at {each['price']}" for each in document["open_orders"]]
    return [
        ("seat", str(document["index"])),
        ("energy", f"{document['energy_free_kwh']} kWh free, {document['energy_locked_kwh']} locked"),
        ("money", f"{document['money_free']} free, {document['money_locked']} locked"),
        ("open orders", "; ".join(orders) or "none"),
    ]
