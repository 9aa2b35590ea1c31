"""`make bench`: measure, print tables, write build/bench.json; `--write` fills the README and the baseline.

The document: {"conditions": {...}, "cu": {"submit_1": 1234, ...}, "demo": {...}, "cli": {...}}.
Compute units are exact; everything in seconds was taken on a shared machine and is worth what its conditions say.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tests.bench import agent, bridge, bus, commands, compute, journal, market, old_token, reader, readme

Numbers = Mapping[str, float]


OLD = "cu_old_token"
"""Section beside `cu`: the same over the old SPL Token program, held to nothing."""


def measure_units() -> Numbers:
    """Section `cu`: the line's instructions and the market's."""
    return {**compute.measure(), **market.measure_cu()}


def measure_over_the_old_token() -> Numbers:
    """As `measure_units` with the token program that mainnet ran before p-token.  Raises NoOldToken."""
    make = old_token.chains()
    return {**compute.measure(make), **market.measure_cu(make)}


ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "build" / "bench.json"
SECTIONS: Mapping[str, tuple[str, Callable[[], Numbers]]] = {
    "cu": (
        "compute units: our instructions with all they call, precompile and compute budget excluded",
        measure_units,
    ),
    "market": ("the market: transactions for an epoch of 4,096 orders", market.measure_counts),
    "bus": ("the simulated bus on ptys: median of 300 transactions, cost of 15 buses", bus.measure),
    "reader": (
        "reading 20 registers at 9,600 baud: ours, plain minimalmodbus, pymodbus in turns",
        reader.quietest,
    ),
    "agent": (
        "an agent left alone: its memory after ten slots over HTTPS, its start, what a slot costs its card",
        lambda: {**agent.measure(), **journal.measure()},
    ),
    "bridge": ("the bridge: a read of 20 registers at 9,600 baud, beside one without it", bridge.quietest),
    "cli": ("starting the command", commands.measure_help),
    "demo": ("make demo, 15 meters, 4 slots", commands.measure_demo),
}


def conditions() -> dict[str, str | int]:
    """On what these numbers were taken."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": len(os.sched_getaffinity(0)),
        "solders": version("solders"),
        "token_program": "p-token, as in LiteSVM and on mainnet",
    }


def show(title: str, section: str, numbers: Numbers, console: Console, *, beside: Numbers | None = None) -> None:
    """One table per section, with the limit where there is one, and `beside` as a second column."""
    table = Table(title=title, title_justify="left")
    table.add_column("key")
    table.add_column("measured", justify="right")
    table.add_column("limit", justify="right")
    if beside is not None:
        table.add_column("old SPL Token", justify="right")
    for key, value in numbers.items():
        second = [] if beside is None else [f"{beside[key]:,}"]
        table.add_row(f"{section}.{key}", f"{value:,}", readme.bound(f"{section}.{key}"), *second)
    console.print(table)


def _old_column(document: dict[str, Any]) -> Numbers | None:
    """The second column of `cu`, which goes into the document too; None, and a word why, if it cannot be had."""
    document.pop(OLD, None)
    try:
        document[OLD] = dict(measure_over_the_old_token())
    except old_token.NoOldToken as error:
        print(f"no column for the old SPL Token: {error}", file=sys.stderr)  # noqa: T201
        return None
    return dict(document[OLD])


def main() -> int:
    """0 done, 1 a limit is passed, 2 wrong use."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=SECTIONS, help="one section")
    parser.add_argument("--write", action="store_true", help="fill the README's table and the compute-unit baseline")
    arguments = parser.parse_args()
    console, document = Console(), json.loads(DOCUMENT.read_text()) if DOCUMENT.exists() else {}
    document["conditions"] = conditions()
    for name, (title, measure) in SECTIONS.items():
        if arguments.only in (None, name):
            print(f"measuring {title} …", file=sys.stderr)  # noqa: T201
            document[name] = dict(measure())
            beside = _old_column(document) if name == "cu" else None
            show(title, name, document[name], console, beside=beside)
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(json.dumps(document, indent=1) + "\n")
    if arguments.write:
        readme.fill(document)
    passed = [
        key
        for key in (*readme.LIMITS, *readme.FLOORS)
        if (value := readme.find(document, key)) is not None and not readme.is_held(key, value)
    ]
    for key in passed:
        console.print(f"{key} is not within its limit", style="red")
    return 1 if passed else 0


if __name__ == "__main__":
    sys.exit(main())
