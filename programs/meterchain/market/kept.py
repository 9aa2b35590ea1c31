"""A book kept as a file: settling empties the book on the chain, and a picture of its epoch is drawn from this.

JSON: schema 1, market, epoch (Unix seconds), decimals, lot_size, price_floor, tick_size, orders [[side, tick, lots], …]
in the order of arrival, cancelled ones left out; side 0 buys, 1 sells.
"""

import json
from pathlib import Path

from meterchain.chain import ChainError
from meterchain.durable import write_whole
from meterchain.market.accounts import Book, Side
from meterchain.market.amounts import Scale
from meterchain.market.curve import Curve, curve_of_orders
from meterchain.units import Slot

SCHEMA = 1


class NotKept(ChainError):
    """There is no kept book, or the file is none."""


def keep(folder: Path, book: Book, scale: Scale) -> Path:
    """Write the book to `folder/<epoch>.json`; whole or not at all, and there for good.  Raises OSError."""
    document = {
        "schema": SCHEMA,
        "market": str(book.market),
        "epoch": book.epoch,
        "decimals": scale.decimals,
        "lot_size": scale.lot_size,
        "price_floor": scale.price_floor,
        "tick_size": scale.tick_size,
        "orders": [[int(order.side), order.tick, order.lots] for order in book.orders if order.stands],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{book.epoch}.json"
    write_whole(path, json.dumps(document).encode())
    return path


def read(path: Path) -> tuple[Curve, Scale]:
    """What `keep` wrote.  Raises NotKept."""
    try:
        document = json.loads(path.read_text("utf-8"))
        if document["schema"] != SCHEMA:
            raise NotKept(f"{path}: schema {document['schema']}, this software reads {SCHEMA}: update it")
        orders = [(Side(side), int(tick), int(lots)) for side, tick, lots in document["orders"]]
        scale = Scale(*(int(document[name]) for name in ("decimals", "lot_size", "price_floor", "tick_size")))
        return curve_of_orders(Slot(int(document["epoch"])), orders), scale
    except FileNotFoundError:
        raise NotKept(f"{path}: no such file; `meterbridge keeper run --keep DIR` keeps each book") from None
    except (ValueError, KeyError, TypeError) as error:
        raise NotKept(f"{path}: not a kept book ({error})") from error
