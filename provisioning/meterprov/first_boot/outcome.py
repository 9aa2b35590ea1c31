"""What the first boot leaves on the FAT partition for people: outcome.json and claim.json.

FAT knows no modes and no links, so nothing here is secret.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meterchain.durable import write_whole

OUTCOME, CLAIM = "outcome.json", "claim.json"


def write_outcome(folder: Path, facts: Mapping[str, Any]) -> None:
    """Replace the outcome.  Raises OSError."""
    write_whole(folder / OUTCOME, f"{json.dumps({'schema': 1, **facts}, indent=1)}\n".encode())


def read_outcome(folder: Path) -> dict[str, Any]:
    """The outcome as it stands there, empty if there is none."""
    try:
        return dict(json.loads((folder / OUTCOME).read_text("utf-8")))
    except (FileNotFoundError, ValueError):
        return {}
