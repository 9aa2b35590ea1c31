"""What the first boot leaves on the FAT partition for people: outcome.json and claim.json.

FAT knows no modes and no links, so files are written plainly under another name, synced and renamed.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meteredge.durable import sync_folder

OUTCOME, CLAIM = "outcome.json", "claim.json"


def write_outcome(folder: Path, facts: Mapping[str, Any]) -> None:
    """Replace the outcome.  Raises OSError."""
    write_on_card(folder / OUTCOME, json.dumps({"schema": 1, **facts}, indent=1) + "\n")


def read_outcome(folder: Path) -> dict[str, Any]:
    """The outcome as it stands there, empty if there is none."""
    try:
        return dict(json.loads((folder / OUTCOME).read_text("utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def write_on_card(path: Path, text: str) -> None:
    """Write a file, whole or not at all, also where it cannot have a mode.  Raises OSError."""
    draft = path.with_name(f"{path.name}.new")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)
