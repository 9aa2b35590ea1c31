"""The results of many scenarios as a table, or as one JSON document."""

import json
from pathlib import Path

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from metersim.stage.scenarios.files import ScenarioError, names_in
from metersim.stage.scenarios.foundation import found
from metersim.stage.scenarios.play import Result, play

CHECK_FAILED = 1


def tell_all(folder: Path, only: str | None, *, as_json: bool) -> int:
    """Play those in `folder`; 0 if all are as expected, else 1.  Raises ScenarioError if there is none."""
    names = [name for name in names_in(folder) if only is None or only in name] if folder.is_dir() else []
    if not names:
        raise ScenarioError(f"{folder}: no scenarios here; name the folder that holds them, e.g. tests/scenarios")
    foundation = found("scenarios")
    results = []
    for name in names:
        typer.echo(name, err=True)
        results.append(play(folder / name, foundation))
    if as_json:
        typer.echo(json.dumps([_row(result) for result in results], indent=1))
    else:
        Console().print(table_of(results))
        for result in results:
            for sentence in result.verdict.wrong:
                typer.echo(f"{result.scenario.name}: {sentence}")
    return 0 if all(result.verdict.ok for result in results) else CHECK_FAILED


def table_of(results: list[Result]) -> Table:
    """One row a scenario."""
    table = Table(box=SIMPLE_HEAD, show_footer=True, padding=(0, 1, 0, 0))
    wall_s = sum(result.wall_s for result in results)
    good = sum(result.verdict.ok for result in results)
    table.add_column("scenario", f"{good} of {len(results)} as expected", no_wrap=True)
    for title in ("slots", "signed", "final", "waiting"):
        table.add_column(title, justify="right")
    table.add_column("kWh", justify="right")
    table.add_column("s", f"{wall_s:.1f}", justify="right")
    table.add_column("")
    for result in results:
        verdict = result.verdict
        table.add_row(
            result.scenario.name,
            str(result.scenario.config.slots),
            str(verdict.signed),
            str(verdict.final),
            str(verdict.waiting),
            f"{verdict.credited_mwh / 1e6:.3f}",
            f"{result.wall_s:.2f}",
            "ok" if verdict.ok else "[red]wrong[/red]",
        )
    return table


def _row(result: Result) -> dict[str, object]:
    verdict = result.verdict
    return {
        "name": result.scenario.name,
        "title": result.scenario.config.title,
        "slots": result.scenario.config.slots,
        "signed": verdict.signed,
        "final": verdict.final,
        "refused": verdict.refused,
        "waiting": verdict.waiting,
        "credited_mwh": verdict.credited_mwh,
        "ok": verdict.ok,
        "wrong": list(verdict.wrong),
        "told": list(result.told),
        "wall_s": round(result.wall_s, 3),
    }
