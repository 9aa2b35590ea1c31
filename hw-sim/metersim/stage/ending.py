"""How the demo ends for a person: a table of meters, one of epochs, a line of costs, and what the audit says."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from meterchain.market.amounts import Scale
from meterchain.units import MWH_PER_KWH
from metersim.stage.demo import Outcome, Sums
from metersim.stage.trading import CURRENCY, EpochResult

ATOMS_PER_GRID = 1_000_000_000


def tell(outcome: Outcome, console: Console) -> None:
    """Print the end."""
    console.print(_table(outcome))
    if outcome.market is not None and outcome.epochs:
        console.print(_epochs(outcome.epochs, outcome.market))
    units = max(outcome.compute_units, default=0)
    console.print(
        f"{len(outcome.compute_units)} deliveries, at most {units:,} compute units each, "
        f"{outcome.fees_lamports:,} lamports of fees, {outcome.wall_s:.1f} s",
        highlight=False,
    )
    failed = [check for check in outcome.audit.checks if not check.ok]
    for check in failed:
        console.print(f"[red]failed[/red] {check.name}: {check.detail}", highlight=False)
    if failed:
        console.print(f"audit failed: {len(failed)} of {len(outcome.audit.checks)} checks", highlight=False)
    else:
        console.print(
            f"audit ok: minted atoms = 1,000 x credited export mWh for all {len(outcome.audit.meters)} meters "
            f"({len(outcome.audit.checks)} checks, from the chain's accounts and events alone)",
            highlight=False,
        )


def _table(outcome: Outcome) -> Table:
    """Narrow enough for 80 columns."""
    table = Table(box=SIMPLE_HEAD, padding=0, show_footer=len(outcome.meters) > 1)
    table.add_column("\nmeter", "all", no_wrap=True)
    table.add_column("\nmodel", no_wrap=True)
    table.add_column("\nowner", no_wrap=True)
    table.add_column("export\nkWh", justify="right", no_wrap=True)
    table.add_column("import\nkWh", justify="right", no_wrap=True)
    titles = ("\nsigned", "\nfinal", "GRID\nminted", "GRID\nburned")
    for title, footer in zip(titles, _cells(outcome.totals), strict=True):
        table.add_column(title, footer, justify="right", no_wrap=True)
    for meter in outcome.meters:
        registers = _kwh(meter.export_register_mwh), _kwh(meter.import_register_mwh)
        table.add_row(meter.meter_id, meter.profile, meter.owner, *registers, *_cells(meter.sums))
    return table


def _epochs(epochs: Sequence[EpochResult], scale: Scale) -> Table:
    """Price and volume of every epoch."""
    table = Table(box=SIMPLE_HEAD, padding=0)
    for title in ("epoch UTC", "orders", f"{CURRENCY}/kWh", "kWh traded", "paid", "fee"):
        table.add_column(title, justify="left" if title == "epoch UTC" else "right", no_wrap=True)
    for each in epochs:
        at = datetime.fromtimestamp(each.epoch, UTC)
        price = scale.per_kwh(each.price) if each.volume_wh else "no trade"
        traded = scale.lots(each.entry.volume_lots), scale.coin(each.entry.quote_volume), scale.coin(each.entry.fee)
        table.add_row(f"{at:%Y-%m-%d %H:%M}", str(each.orders), price, *traded)
    return table


def _cells(sums: Sums) -> tuple[str, ...]:
    return str(sums.signed), str(sums.final), _grid(sums.minted_atoms), _grid(sums.burned_atoms)


def _kwh(mwh: int) -> str:
    return f"{mwh / MWH_PER_KWH:,.3f}"


def _grid(atoms: int) -> str:
    return f"{atoms / ATOMS_PER_GRID:,.3f}"
