"""What transactions cost: compute units by program, read from the logs that the runtime writes."""

import re

from solders.pubkey import Pubkey

from meterchain.chain import Receipt

_LINE = re.compile(
    r"Program (?P<id>\w+) "
    r"(?:invoke \[(?P<depth>\d+)\]|consumed (?P<units>\d+) of \d+ compute units|(?P<end>success|failed))"
)


def compute_units(receipt: Receipt, program: Pubkey) -> int:
    """Compute units of the top-level instructions of `program`, what they called included."""
    total, depth = 0, 0
    for line in receipt.logs:
        match = _LINE.match(line)
        if match is None:
            continue
        if match["depth"]:
            depth = int(match["depth"])
        elif match["end"]:
            depth -= 1
        elif depth == 1 and match["id"] == str(program):
            total += int(match["units"])
    return total
