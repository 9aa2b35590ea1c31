"""Pictures as SVG, written by hand: an epoch's clearing (supply and demand steps, price, volume) and a day's epochs.

Pure functions from numbers to text: the same numbers give the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from xml.sax.saxutils import escape

from meterchain.market.accounts import HistoryEntry
from meterchain.market.amounts import ATOMS_PER_KWH, Scale
from meterchain.market.curve import Curve, price_of
from meterchain.units import SLOT_S, UnixTime

WIDTH, HEIGHT = 760, 480
DAY_S = 86_400
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 24, 74, 56
_DEMAND, _SUPPLY, _PRICE, _GAIN, _INK, _PALE = "#1f5fa8", "#c2570c", "#1c7c4a", "#d9efe2", "#1d2733", "#d7dde4"
_STYLE = (
    "text{font-family:system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:12px;fill:#1d2733}"
    ".title{font-size:17px;font-weight:600}.note{fill:#5a6673}.halo{paint-order:stroke;stroke:#fff;stroke-width:4px}"
)
_NICE = (1, 2, 5, 10)
_GRID_LINES = 6


@dataclass(frozen=True, slots=True)
class _Frame:
    """A rectangle on the page and the ranges that it shows."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        share_x = (x - self.x[0]) / (self.x[1] - self.x[0])
        share_y = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + share_x * self.width, self.top + (1 - share_y) * self.height


def clearing(curve: Curve, scale: Scale, *, currency: str = "", settled: bool = False) -> str:
    """One epoch: demand falls, supply rises, both in steps; where they cross is the price.

    `settled` says that the price is final; without it the picture says "if it cleared now".
    """
    found = curve.crossing
    start = datetime.fromtimestamp(curve.epoch, UTC)
    title = f"Epoch {start:%Y-%m-%d %H:%M} UTC"
    if found is None:
        note = "nothing trades: no bid reaches an offer" if curve.bids or curve.asks else "no orders"
    else:
        when = "cleared at" if settled else "if it cleared now:"
        said = scale.per_kwh(price_of(scale, found.tick))
        note = f"{when} {said} {currency}{' ' * bool(currency)}per kWh, {scale.lots(found.volume)} kWh trade"
    frame = _epoch_frame(curve, scale)
    body = [*_grid(frame, "energy, kWh", f"price, {currency or 'money'} per kWh")]
    demand, supply = _demand_points(curve, scale, frame), _supply_points(curve, scale, frame)
    if found is not None:
        volume = _kwh(scale, found.volume)
        body.append(_shape(_gain(demand, supply, volume), frame, fill=_GAIN))
    body += [_line(demand, frame, _DEMAND), _line(supply, frame, _SUPPLY)]
    body += _legend(curve, scale, frame)
    if found is not None:
        price = price_of(scale, found.tick)
        body += _mark(frame, _kwh(scale, found.volume), _money(scale, price), scale.per_kwh(price))
    return _page(title, note, body)


def day(entries: Sequence[HistoryEntry], scale: Scale, since: UnixTime, *, currency: str = "") -> str:
    """The epochs from `since` (Unix seconds) for 24 hours: the price of each above, its volume below."""
    shown = [entry for entry in entries if since <= entry.epoch < since + DAY_S]
    traded = [entry for entry in shown if entry.volume_lots]
    volume = sum(entry.volume_lots for entry in traded)
    paid = sum(entry.quote_volume for entry in traded)
    note = f"{len(shown)} epochs settled, {len(traded)} with trades, {scale.lots(volume)} kWh for {scale.coin(paid)}"
    prices = [_money(scale, entry.price) for entry in traded] or [_money(scale, scale.price_floor)]
    step = _money(scale, scale.tick_size)
    low, high = min(prices) - 4 * step, max(prices) + 4 * step
    most = max((_kwh(scale, entry.volume_lots) for entry in traded), default=1.0)
    width, hours = WIDTH - _LEFT - _RIGHT, (0.0, 24.0)
    upper = _Frame(_LEFT, _TOP, width, 190, hours, (max(low, 0.0), high))
    lower = _Frame(_LEFT, _TOP + 226, width, HEIGHT - _TOP - 226 - _BOTTOM, hours, (0.0, most * 1.1))
    body = [*_grid(upper, "", f"price, {currency or 'money'} per kWh", hours=True)]
    body += _grid(lower, "hour of the day, UTC", "volume, kWh", hours=True)
    for entry in traded:
        hour = (entry.epoch - since) / 3600
        wide = SLOT_S / 3600
        price, kwh = _money(scale, entry.price), _kwh(scale, entry.volume_lots)
        body.append(_line([(hour, price), (hour + wide, price)], upper, _PRICE, width=3))
        bar = [(hour + 0.02, 0.0), (hour + 0.02, kwh), (hour + wide - 0.02, kwh), (hour + wide - 0.02, 0.0)]
        body.append(_shape(bar, lower, fill=_DEMAND))
    return _page(f"Market day {datetime.fromtimestamp(since, UTC):%Y-%m-%d} UTC", f"{note} {currency}".strip(), body)


def _kwh(scale: Scale, lots: int) -> float:
    return float(Decimal(lots * scale.lot_size) / ATOMS_PER_KWH)


def _money(scale: Scale, atoms: int) -> float:
    return float(Decimal(atoms).scaleb(-scale.decimals))


def _epoch_frame(curve: Curve, scale: Scale) -> _Frame:
    prices = [_money(scale, price_of(scale, tick)) for tick in [*curve.bids, *curve.asks]]
    prices = prices or [_money(scale, price_of(scale, tick)) for tick in (0, 100)]
    room = max((max(prices) - min(prices)) * 0.12, 2 * _money(scale, scale.tick_size))
    most = max((total for _, total in [*curve.demand, *curve.supply]), default=1)
    size = (WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM)
    high = (max(min(prices) - room, 0.0), max(prices) + room)
    return _Frame(_LEFT, _TOP, *size, (0.0, _kwh(scale, most) * 1.06), high)


def _demand_points(curve: Curve, scale: Scale, frame: _Frame) -> list[tuple[float, float]]:
    return _steps(curve.demand, scale, end=frame.y[0])


def _supply_points(curve: Curve, scale: Scale, frame: _Frame) -> list[tuple[float, float]]:
    return _steps(curve.supply, scale, end=frame.y[1])


def _steps(levels: Sequence[tuple[int, int]], scale: Scale, *, end: float) -> list[tuple[float, float]]:
    """Along at each price, then up or down to the next; at last to the edge of the picture."""
    points: list[tuple[float, float]] = []
    before = 0.0
    for tick, total in levels:
        price, kwh = _money(scale, price_of(scale, tick)), _kwh(scale, total)
        points += [(before, price), (kwh, price)]
        before = kwh
    return [*points, (before, end)] if points else []


def _gain(
    demand: Sequence[tuple[float, float]], supply: Sequence[tuple[float, float]], volume: float
) -> list[tuple[float, float]]:
    """Between both curves, from nothing to the volume."""
    return [*_until(demand, volume), *reversed(_until(supply, volume))]


def _until(points: Sequence[tuple[float, float]], volume: float) -> list[tuple[float, float]]:
    kept = []
    for x, y in points:
        if x >= volume:
            kept.append((volume, y))
            break
        kept.append((x, y))
    return kept


def _legend(curve: Curve, scale: Scale, frame: _Frame) -> list[str]:
    found = []
    for n, (name, levels, colour) in enumerate((("demand", curve.demand, _DEMAND), ("supply", curve.supply, _SUPPLY))):
        total = scale.lots(levels[-1][1]) if levels else "0"
        x, y = frame.left + 8 + 190 * n, _TOP - 12
        found.append(f'<line x1="{x}" y1="{y - 4}" x2="{x + 22}" y2="{y - 4}" stroke="{colour}" stroke-width="3"/>')
        found.append(f'<text x="{x + 30}" y="{y}">{name}, {total} kWh</text>')
    return found


def _mark(frame: _Frame, kwh: float, price: float, label: str) -> list[str]:
    """Dashes from both axes to the point where it clears."""
    x, y = frame.at(kwh, price)
    foot, side = frame.top + frame.height, frame.left
    dash = f'stroke="{_PRICE}" stroke-width="1.5" stroke-dasharray="5 4"'
    return [
        f'<line x1="{side}" y1="{y:.1f}" x2="{x:.1f}" y2="{y:.1f}" {dash}/>',
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x:.1f}" y2="{foot}" {dash}/>',
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{_PRICE}"/>',
        f'<text class="halo" x="{x + 9:.1f}" y="{y - 8:.1f}">{label}</text>',
    ]


def _grid(frame: _Frame, x_title: str, y_title: str, *, hours: bool = False) -> list[str]:
    lines = []
    right, foot = frame.left + frame.width, frame.top + frame.height
    for value in _round_values(*frame.y):
        _, y = frame.at(frame.x[0], value)
        lines.append(f'<line x1="{frame.left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{_PALE}"/>')
        lines.append(f'<text x="{frame.left - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>')
    for value in [float(h) for h in range(0, 25, 3)] if hours else _round_values(*frame.x):
        x, _ = frame.at(value, frame.y[0])
        lines.append(f'<line x1="{x:.1f}" y1="{foot}" x2="{x:.1f}" y2="{foot + 5}" stroke="{_INK}"/>')
        lines.append(f'<text x="{x:.1f}" y="{foot + 19}" text-anchor="middle">{_number(value)}</text>')
    lines.append(f'<path d="M{frame.left} {frame.top}V{foot}H{right}" fill="none" stroke="{_INK}" stroke-width="1.2"/>')
    middle, centre = frame.left + frame.width / 2, frame.top + frame.height / 2
    if x_title:
        lines.append(f'<text class="note" x="{middle}" y="{foot + 40}" text-anchor="middle">{escape(x_title)}</text>')
    lines.append(
        f'<text class="note" text-anchor="middle" transform="translate(18 {centre}) rotate(-90)">'
        f"{escape(y_title)}</text>"
    )
    return lines


def _round_values(low: float, high: float) -> list[float]:
    """Some six values between, that people find round."""
    rough = Decimal(str((high - low) / _GRID_LINES))
    power = Decimal(10) ** rough.adjusted()
    step = next(power * nice for nice in _NICE if power * nice >= rough)
    first = int(Decimal(str(low)) / step)
    values = [step * n for n in range(first, first + 4 * _GRID_LINES)]
    return [float(value) for value in values if low <= value <= high]


def _number(value: float) -> str:
    return f"{Decimal(str(round(value, 6))):f}".rstrip("0").rstrip(".") if value else "0"


def _line(points: Sequence[tuple[float, float]], frame: _Frame, colour: str, *, width: float = 2.2) -> str:
    return (
        f'<polyline points="{_places(points, frame)}" fill="none" stroke="{colour}" stroke-width="{width}" '
        'stroke-linejoin="round"/>'
    )


def _shape(points: Sequence[tuple[float, float]], frame: _Frame, *, fill: str) -> str:
    return f'<polygon points="{_places(points, frame)}" fill="{fill}"/>'


def _places(points: Sequence[tuple[float, float]], frame: _Frame) -> str:
    return " ".join("{:.1f},{:.1f}".format(*frame.at(x, y)) for x, y in points)


def _page(title: str, note: str, body: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img"><title>{escape(title)}</title><desc>{escape(note)}</desc><style>{_STYLE}</style>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<text class="title" x="{_LEFT}" y="26">{escape(title)}</text>'
        f'<text class="note" x="{_LEFT}" y="45">{escape(note)}</text>'
    )
    return "\n".join([head, *body, "</svg>", ""])
