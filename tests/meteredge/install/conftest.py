"""A machine in a folder, empty."""

from pathlib import Path

import pytest
from tests.meteredge.install.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.empty(tmp_path / "root")
