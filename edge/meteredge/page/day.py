"""The energy of the last 24 hours, slot by slot, from a journal's signed records."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from meterchain.record import Reason, Record
from meterchain.units import SLOT_S
from meteredge.journal import Row

DAY_S = 86_400
ROWS = DAY_S // SLOT_S + 1


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time between two signed records, Unix seconds, and what moved in it, mWh."""

    begin: int
    end: int
    export_mwh: int
    import_mwh: int

    @property
    def export_w(self) -> float:
        """Mean power fed in."""
        return self.export_mwh * 3.6 / (self.end - self.begin)

    @property
    def import_w(self) -> float:
        """Mean power taken."""
        return self.import_mwh * 3.6 / (self.end - self.begin)


def last_day(rows: Sequence[Row], now: float) -> tuple[Stretch, ...]:
    """What moved between neighbours of `rows` (oldest first) within 24 hours before `now`.

    Records of different installs have no common register, and a register that fell (a wrap) tells nothing here: such
    stretches are left out.
    """
    records = [Record.decode(row.record) for row in rows]
    found = []
    for before, after in pairwise(records):
        export, taken = after.export_mwh - before.export_mwh, after.import_mwh - before.import_mwh
        begin, end = _at(before), _at(after)
        if before.install_id == after.install_id and min(export, taken) >= 0 and now - DAY_S < end and begin < end:
            found.append(Stretch(begin, end, export, taken))
    return tuple(found)


def _at(record: Record) -> int:
    """A periodic record stands for its slot's end, whenever within the window it was read."""
    return record.epoch + SLOT_S if record.reason in {Reason.PERIODIC, Reason.BEGIN} else record.ts
