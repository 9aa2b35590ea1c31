"""pytest plugin `metersim`: meters, buses and whole sites as fixtures, for any project that has meterbridge installed.

    def test_my_reader(meter):
        sdm = meter("sdm630", baud=9600)
        assert my_reader(sdm.port, unit=sdm.unit).voltage == pytest.approx(sdm.value("voltage_l1"), rel=1e-6)

Nothing is loaded before a test asks for it.  A fixture of the same name in a conftest.py comes first.
docs/simulator.md has the whole story.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from metersim.stage.bench import BenchBus, BenchMeter
    from metersim.stage.site import Stage


@pytest.fixture
def bus() -> Iterator[Callable[..., BenchBus]]:
    """`bus(plan, plan, …, baud=9600)`: a bus on a pseudo-terminal with those meters on it; ends with the test."""
    from metersim.stage.bench import open_bus

    with ExitStack() as stack:
        yield lambda *plans, **options: stack.enter_context(open_bus(*plans, **options))


@pytest.fixture
def meter() -> Iterator[Callable[..., BenchMeter]]:
    """`meter("sdm630", baud=9600)`: one meter on a bus of its own; ends with the test."""
    from metersim.stage.bench import open_meter

    with ExitStack() as stack:
        yield lambda profile, **options: stack.enter_context(open_meter(profile, **options))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Stage]:
    """A deployed chain with two users and their meters, buses and agents, at noon; `metersim.stage.site` says how."""
    from metersim.stage.cast import cast
    from metersim.stage.demo import NOON
    from metersim.stage.site import raised

    with raised(cast(2, 1, NOON), seed=1, begin_utc=NOON, folder=tmp_path / "site") as stage:
        yield stage
