"""`demo --report FILE.html`: the day on one page that needs nothing but itself: tables, pictures, the audit."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from meterchain.market import plot
from meterchain.market.amounts import Scale
from meterchain.units import MWH_PER_KWH, SLOT_S, UnixTime
from metersim.stage.demo import Outcome
from metersim.stage.trading import CURRENCY, EpochResult

_DAY_S = 86_400
_STYLE = """
body{font:16px/1.5 system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;color:#1d2733}
body{max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.7rem}h2{font-size:1.2rem;margin-top:2.2rem}
table{border-collapse:collapse;width:100%}
th,td{padding:.25rem .7rem;border-bottom:1px solid #d7dde4;text-align:right}
th:first-child,td:first-child{text-align:left}
svg{width:100%;height:auto;margin:.8rem 0}
.ok{color:#1c7c4a}.no{color:#b3261e;font-weight:600}.note{color:#5a6673}
"""


def page(outcome: Outcome) -> str:
    """The page, as text."""
    found, seed = outcome.market, outcome.options.seed
    played = f"{len(outcome.meters)} meters, seed {seed}, {outcome.chain} chain, played in {outcome.wall_s:.1f} s."
    body = [
        "<h1>A campus trades its own energy</h1>",
        f'<p class="note">{played} Every number below was read from the chain.</p>',
        "<h2>Meters</h2>",
        _meters(outcome),
    ]
    if found is not None and outcome.epochs:
        since = UnixTime(outcome.epochs[0].epoch - outcome.epochs[0].epoch % _DAY_S)
        body += ["<h2>Epochs</h2>", _epochs(outcome.epochs, found)]
        body.append(plot.day([each.entry for each in outcome.epochs], found, since, currency=CURRENCY))
        body += [plot.clearing(each.curve, found, currency=CURRENCY, settled=True) for each in outcome.epochs]
    body += ["<h2>Audit</h2>", _audit(outcome)]
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>meterbridge demo</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>\n'
        + "\n".join(body)
        + "\n</html>\n"
    )


def _meters(outcome: Outcome) -> str:
    rows = [
        (
            meter.meter_id,
            meter.profile,
            meter.owner,
            f"{meter.sums.final}/{meter.sums.signed}",
            *(_kwh(mwh) for mwh in (meter.sums.export_mwh, meter.sums.import_mwh)),
            *(_kwh(atoms // 1_000) for atoms in (meter.sums.minted_atoms, meter.sums.burned_atoms)),
        )
        for meter in outcome.meters
    ]
    head = ("meter", "model", "owner", "records", "export kWh", "import kWh", "GRID minted", "GRID burned")
    return _table(head, rows)


def _epochs(epochs: Sequence[EpochResult], scale: Scale) -> str:
    rows = [
        (
            _span(each.epoch),
            str(each.orders),
            scale.per_kwh(each.price) if each.volume_wh else "no trade",
            scale.lots(each.entry.volume_lots),
            scale.coin(each.entry.quote_volume),
            scale.coin(each.entry.fee),
        )
        for each in epochs
    ]
    return _table(("epoch, UTC", "orders", f"{CURRENCY} per kWh", "kWh", "paid", "fee"), rows)


def _audit(outcome: Outcome) -> str:
    checks = outcome.audit.checks
    lines = "".join(
        f'<li class="{"ok" if check.ok else "no"}">{escape(check.name)} '
        f'<span class="note">{escape(check.detail)}</span>'
        for check in checks
    )
    good = sum(check.ok for check in checks)
    folded = f"<details><summary>All of them</summary><ul>{lines}</ul></details>"
    return f"<p>{good} of {len(checks)} checks hold.</p>{folded}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(title)}" for title in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows)
    return f"<table><tr>{titles}{lines}</table>"


def _kwh(mwh: int) -> str:
    return f"{mwh // MWH_PER_KWH:,}.{mwh % MWH_PER_KWH // 1_000:03}"


def _span(epoch: int) -> str:
    first, last = (datetime.fromtimestamp(at, UTC).strftime("%H:%M") for at in (epoch, epoch + SLOT_S))
    return f"{first} to {last}"
