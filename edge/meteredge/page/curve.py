"""The day's curve as SVG: export upwards, import downwards, mean power of each stretch between two records.

Pure: the same numbers give the same bytes.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from meteredge.page.day import DAY_S, Stretch

WIDTH, HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 12, 28
_STEPS = (1, 2, 5, 10)
_HOURS = 6


def day_curve(stretches: Sequence[Stretch], now: float, zone: ZoneInfo) -> str:
    """The picture of the 24 hours before `now`."""
    top_w = _nice(max((stretch.export_w for stretch in stretches), default=0.0))
    low_w = _nice(max((stretch.import_w for stretch in stretches), default=0.0))
    scale = _Scale(now - DAY_S, now, top_w, low_w)
    sums = sum(s.export_mwh for s in stretches) / 1e6, sum(s.import_mwh for s in stretches) / 1e6
    said = f"The last 24 hours: {sums[0]:,.3f} kWh exported, {sums[1]:,.3f} kWh imported"
    body = [*_grid(scale, now, zone), *(bar for stretch in stretches for bar in _bars(stretch, scale))]
    if not stretches:
        body.append(f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle">no two records yet</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{escape(said)}</title>{''.join(body)}</svg>"
    )


class _Scale:
    """Where an instant and a power lie."""

    def __init__(self, begin: float, end: float, top_w: float, low_w: float) -> None:
        self.begin, self.end, self.top_w, self.low_w = begin, end, top_w, low_w

    def x(self, at: float) -> float:
        share = (min(max(at, self.begin), self.end) - self.begin) / (self.end - self.begin)
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, power_w: float) -> float:
        share = (self.top_w - power_w) / (self.top_w + self.low_w)
        return round(_TOP + share * (HEIGHT - _TOP - _BOTTOM), 1)


def _bars(stretch: Stretch, scale: _Scale) -> list[str]:
    left, right, zero = scale.x(stretch.begin), scale.x(stretch.end), scale.y(0)
    width = max(round(right - left - 0.5, 1), 0.5)
    bars = []
    for power_w, kind in ((stretch.export_w, "export"), (-stretch.import_w, "import")):
        if power_w:
            y = scale.y(power_w)
            top, height = min(y, zero), max(round(abs(y - zero), 1), 0.5)
            bars.append(f'<rect class="{kind}" x="{left}" y="{top}" width="{width}" height="{height}"/>')
    return bars


def _grid(scale: _Scale, now: float, zone: ZoneInfo) -> list[str]:
    lines = []
    for power_w in sorted({scale.top_w, scale.top_w / 2, 0.0, -scale.low_w / 2, -scale.low_w}):
        y = scale.y(power_w)
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        lines.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{_power(abs(power_w))}</text>')
    local = datetime.fromtimestamp(now, zone).replace(minute=0, second=0, microsecond=0)
    at = local - timedelta(hours=local.hour % _HOURS)
    while at.timestamp() > scale.begin:
        x = scale.x(at.timestamp())
        lines.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
        lines.append(f'<text x="{x}" y="{HEIGHT - 10}" text-anchor="middle">{at:%H:%M}</text>')
        at -= timedelta(hours=_HOURS)
    return lines


def _nice(power_w: float) -> float:
    """A round number not below `power_w`; 100 W at least."""
    step = 100.0
    while True:
        for factor in _STEPS:
            if step * factor >= power_w:
                return step * factor
        step *= 10


def _power(power_w: float) -> str:
    return f"{power_w / 1000:g} kW" if power_w >= 1000 else f"{power_w:g} W"
