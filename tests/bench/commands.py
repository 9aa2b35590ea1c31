"""How long the commands of the first minute take: the best of several starts of --help, one whole demo."""

import json
import subprocess
import sys
import time
from pathlib import Path

HELP_RUNS = 7
COMMAND = Path(sys.executable).with_name("meterbridge")


def measure_help() -> dict[str, float]:
    """Seconds of `meterbridge --help`: the median start."""
    taken = sorted(_seconds([str(COMMAND), "--help"])[0] for _ in range(HELP_RUNS))
    return {"help_seconds": round(taken[HELP_RUNS // 2], 3)}


def measure_demo() -> dict[str, float]:
    """Seconds of the whole demo as a user starts it, and what it delivered.  Raises if its audit fails."""
    seconds, out = _seconds([str(COMMAND), "demo", "--json"])
    document = json.loads(out)
    return {
        "seconds": round(seconds, 1),
        "records_final": document["totals"]["final"],
        "fees_lamports": document["fees_lamports"],
    }


def _seconds(command: list[str]) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start, done.stdout
