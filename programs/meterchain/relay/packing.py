"""Which records share a transaction: a meter's own in their order, neighbours of one lookup table together.

Pure, so that a property test can hold it to its promises.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

Row = TypeVar("Row")

ROWS_PER_TRANSACTION = 4
"""Four verified readings with a lookup table have 1,156 bytes of 1,232."""


def pack(waiting: Mapping[str, Sequence[Row]], near: Mapping[str, int]) -> list[list[tuple[str, Row]]]:
    """Transactions of up to ROWS_PER_TRANSACTION rows, to be sent in this order.

    `waiting` are each meter's rows in order; meters of the same number in `near` (their lookup table) are put together.
    No row overtakes another of its meter, and the oldest of every meter come first, so that one with a long queue does
    not keep the others waiting.
    """
    meters = sorted(waiting, key=lambda meter: (near[meter], meter))
    deepest = max(map(len, waiting.values()), default=0)
    single = [
        (meter, waiting[meter][depth]) for depth in range(deepest) for meter in meters if depth < len(waiting[meter])
    ]
    return [single[at : at + ROWS_PER_TRANSACTION] for at in range(0, len(single), ROWS_PER_TRANSACTION)]
