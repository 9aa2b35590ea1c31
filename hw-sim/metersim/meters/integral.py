"""Energy as the exact integral of an installation's power, in integers: watt-milliseconds.  3,600 of them are 1 mWh.

Channels: import and export of the whole connection, then import and export of each phase.  The whole is netted over the
phases ("vector") or added up from them ("per_phase"), as the meter's profile says.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from metersim.meters.installation import DAY_S, Installation, net_watts

Accounting = Literal["vector", "per_phase"]
WMS_PER_MWH = 3_600
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Flow:
    """Import and export by phase and of the whole, in one unit (W, or watt-milliseconds)."""

    import_: int
    export: int
    phase_import: tuple[int, ...]
    phase_export: tuple[int, ...]


class Integral:
    """Power and energy of an installation at any moment.  Days are computed once and kept."""

    def __init__(self, installation: Installation, accounting: Accounting) -> None:
        self._installation = installation
        self._accounting = accounting
        self._days: dict[int, tuple[list[list[int]], list[list[int]]]] = {}

    def power_w(self, at_utc: float) -> Flow:
        """The power in the minute that contains `at_utc` (Unix seconds), W."""
        day, minute, _ = _split(at_utc)
        watts, _ = self._day(day)
        return _flow([line[minute] for line in watts])

    def energy_wms(self, from_utc: float, to_utc: float) -> Flow:
        """The energy between two moments, watt-milliseconds.  Zero if `to_utc` is not later."""
        if to_utc <= from_utc:
            from_utc = to_utc
        first, last = _split(from_utc)[0], _split(to_utc)[0]
        channels = len(self._day(first)[0])
        totals = [
            end - begin for end, begin in zip(self._since_midnight(to_utc), self._since_midnight(from_utc), strict=True)
        ]
        for day in range(first, last):
            whole = self._day(day)[1]
            totals = [totals[c] + whole[c][-1] for c in range(channels)]
        return _flow(totals)

    def _since_midnight(self, at_utc: float) -> list[int]:
        day, minute, ms = _split(at_utc)
        watts, sums = self._day(day)
        return [total[minute] + line[minute] * ms for line, total in zip(watts, sums, strict=True)]

    def _day(self, day: int) -> tuple[list[list[int]], list[list[int]]]:
        """Watts by channel and minute, and watt-milliseconds by channel from midnight to the start of each minute."""
        if day not in self._days:
            phases = net_watts(self._installation, day)
            whole = [sum(minute) for minute in zip(*phases, strict=True)]
            by_phase = [part for line in phases for part in (_positive(line), _negative(line))]
            if self._accounting == "vector":
                channels = [_positive(whole), _negative(whole), *by_phase]
            else:
                channels = [_added(by_phase[0::2]), _added(by_phase[1::2]), *by_phase]
            sums = [[0, *accumulate(watts * _MINUTE_MS for watts in line)] for line in channels]
            self._days[day] = (channels, sums)
        return self._days[day]


def _split(at_utc: float) -> tuple[int, int, int]:
    """Day number, minute of the day, millisecond of the minute."""
    ms = round(at_utc * 1_000)
    day, ms = divmod(ms, DAY_S * 1_000)
    return day, *divmod(ms, _MINUTE_MS)


def _flow(channels: list[int]) -> Flow:
    return Flow(channels[0], channels[1], tuple(channels[2::2]), tuple(channels[3::2]))


def _positive(line: list[int]) -> list[int]:
    return [max(watts, 0) for watts in line]


def _negative(line: list[int]) -> list[int]:
    return [max(-watts, 0) for watts in line]


def _added(lines: list[list[int]]) -> list[int]:
    return [sum(minute) for minute in zip(*lines, strict=True)]
