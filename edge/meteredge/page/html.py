"""The page itself: one document, no external asset, nothing that is not escaped.

The body's `main` is replaced by what the server pushes (server-sent events); without JavaScript a reload does it.
"""

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from html import escape
from importlib.resources import files
from zoneinfo import ZoneInfo

from meteredge.doctor.sheet import Sheet, Verdict
from meteredge.page.curve import day_curve
from meteredge.page.snapshot import MeterView, Snapshot

_MARKS = {Verdict.PASS: "✓", Verdict.WARN: "!", Verdict.FAIL: "✗", Verdict.NOT_APPLICABLE: "·"}


@cache
def style() -> str:
    """The style sheet."""
    return files(__package__).joinpath("page.css").read_text("utf-8")


@cache
def script() -> str:
    """The script."""
    return files(__package__).joinpath("page.js").read_text("utf-8")


def policy() -> str:
    """Content-Security-Policy: this page runs its own script and nothing else, and talks to its own server alone."""
    return (
        f"default-src 'none'; style-src {_hash(style())}; script-src {_hash(script())}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def page(snapshot: Snapshot) -> str:
    """The whole document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(_title(snapshot))}</title><style>{style()}</style></head>\n"
        f"<body><header><h1>{escape(snapshot.site)}</h1>"
        '<span id="live" class="soft">as of this reload</span></header>\n'
        f"<main>{main(snapshot)}</main>\n<script>{script()}</script></body></html>\n"
    )


def main(snapshot: Snapshot) -> str:
    """What is pushed again whenever it changed."""
    zone = ZoneInfo(snapshot.timezone)
    return "".join([_state(snapshot, zone), *(_meter(meter, snapshot, zone) for meter in snapshot.meters)])


def _title(snapshot: Snapshot) -> str:
    names = ", ".join(meter.meter_id for meter in snapshot.meters)
    return f"{'' if not snapshot.problems else '✗ '}{names} · {snapshot.site}"


def _state(snapshot: Snapshot, zone: ZoneInfo) -> str:
    at = f'<p class="soft">{datetime.fromtimestamp(snapshot.made_at, zone):%Y-%m-%d %H:%M:%S} {escape(zone.key)}</p>'
    if not snapshot.problems:
        return f'<div class="state"><p><strong>All is well.</strong></p>{at}</div>'
    lines = "".join(f"<p>{escape(problem)}</p>" for problem in snapshot.problems)
    return f'<div class="state bad"><p><strong>Something is wrong.</strong></p>{lines}{at}</div>'


def _meter(meter: MeterView, snapshot: Snapshot, zone: ZoneInfo) -> str:
    figures = "".join(f"<div><b>{value}</b><span>{name}</span></div>" for name, value in _figures(meter, zone))
    notes = "".join(f'<p class="soft">{escape(str(note))}</p>' for note in _notes(meter))
    return (
        f'<section id="{escape(meter.meter_id)}"><h2>{escape(meter.meter_id)}</h2>'
        f'<div class="big">{figures}</div>{notes}'
        f"<h3>The last 24 hours</h3>{day_curve(meter.day, snapshot.made_at, zone)}"
        '<p class="soft key"><i class="e"></i>exported<i class="i"></i>imported</p>'
        f"{_sheet(meter.sheet, zone)}</section>"
    )


def _figures(meter: MeterView, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    said = meter.said
    for name in ("export", "import"):
        if said.get(f"{name}_mwh") is not None:
            yield f"{name} register", f"{said[f'{name}_mwh'] / 1e6:,.3f} kWh"
    if said.get("power_w") is not None:
        yield "power now", f"{said['power_w']:,.0f} W"
    if said.get("last_slot"):
        yield "last slot signed", f"{datetime.fromtimestamp(said['last_slot'], zone):%H:%M}"
    waiting = sum(n for state, n in meter.records.items() if state not in {"final", "refused"})
    yield "records on chain", f"{meter.records.get('final', 0):,}"
    yield "records waiting", f"{waiting:,}"


def _notes(meter: MeterView) -> Iterator[str]:
    for name in ("read_problem", "slot_problem", "delivery_problem", "bridge"):
        if meter.said.get(name):
            yield meter.said[name]


def _sheet(sheet: Sheet | None, zone: ZoneInfo) -> str:
    if sheet is None:
        return '<h3>Doctor</h3><p class="soft">The doctor is on the way.</p>'
    parts = [f'<p class="soft">The doctor looked at {datetime.fromtimestamp(sheet.made_at, zone):%H:%M:%S}.</p>']
    for section, checks in sheet.sections():
        lines = "".join(
            f'<li class="{check.verdict.replace(" ", "-")}"><span class="mark">{_MARKS[check.verdict]}</span>'
            f"<span><strong>{escape(check.title)}</strong> {escape(check.fact)}</span>"
            + (f'<span class="next">→ {escape(check.next_step)}</span>' if check.next_step else "")
            + "</li>"
            for check in checks
        )
        parts.append(f"<h3>{escape(section)}</h3><ul>{lines}</ul>")
    return "".join(parts)
