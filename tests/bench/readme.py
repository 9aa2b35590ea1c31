"""The limits that the project promises, and the README's table of what was measured."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench import agent, bridge, journal, market, reader

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BASELINE = Path(__file__).with_name("baseline.json")
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
LIMITS: Mapping[str, float] = {
    "cu.submit_1": 1_500,
    "cu.submit_4": 4_500,
    "cu.process_mint": 6_000,
    "cu.process_mint_burn": 9_000,
    "bus.error_percent": 2.0,
    "bus.core_share_15": 0.5,
    "cli.help_seconds": 0.3,
    "demo.seconds": 60,
    **market.LIMITS,
    **bridge.LIMITS,
    **reader.LIMITS,
    **agent.LIMITS,
    **journal.LIMITS,
}
FLOORS: Mapping[str, float] = {**reader.FLOORS}
"""What may not be less."""
WORDS = {
    "cu.submit_1": "one verified reading, compute units",
    "cu.submit_4": "four verified readings in one transaction, compute units",
    "cu.process_mint": "energy credited and GRID minted, compute units",
    "cu.process_mint_burn": "the same with a burn, compute units",
    **market.WORDS,
    **bridge.WORDS,
    **reader.WORDS,
    **agent.WORDS,
    **journal.WORDS,
    "bus.error_percent": "simulated bus at 9600 and 19200 baud: median transaction off theory, %",
    "bus.core_share_15": "15 simulated buses, a read each per second, share of a core",
    "cli.help_seconds": "`meterbridge --help`, seconds",
    "demo.seconds": "`make demo`: 15 meters, 4 slots, seconds",
}


def find(document: Mapping[str, Any], key: str) -> float | None:
    """The number at `section.key`, None if that section was not measured."""
    section, _, name = key.partition(".")
    value: float | None = document.get(section, {}).get(name)
    return value


def is_held(key: str, value: float) -> bool:
    """Whether the number is within what is promised; one of which nothing is promised is."""
    return value <= LIMITS.get(key, value) and value >= FLOORS.get(key, value)


def bound(key: str) -> str:
    """What is promised, as the tables show it; empty where nothing is."""
    if key in FLOORS:
        return f"≥ {FLOORS[key]:,}"
    return f"{LIMITS[key]:,}" if key in LIMITS else ""


def fill(document: Mapping[str, Any]) -> None:
    """Write the README's table between its markers, and the baseline that tests hold compute units to."""
    rows = "".join(
        f"| {words} | {value:,} | {bound(key)} |\n"
        for key, words in WORDS.items()
        if (value := find(document, key)) is not None
    )
    where = document["conditions"]
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    machine = f"Python {where['python']}, {where['cores']} cores of a shared machine"
    note = f"{machine}, solders {where['solders']}, {where['token_program']}."
    README.write_text(f"{before}{BEGIN}\n| what | measured | at most |\n|---|---:|---:|\n{rows}\n{note}\n{END}{after}")
    if "cu" in document:
        BASELINE.write_text(json.dumps(document["cu"], indent=1) + "\n")
