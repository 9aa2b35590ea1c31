"""One play from its folder to its verdict."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from metersim.stage.scenarios.events import changes_of, events_of
from metersim.stage.scenarios.files import Scenario, load
from metersim.stage.scenarios.foundation import Foundation
from metersim.stage.scenarios.verdict import Verdict, judge
from metersim.stage.scenarios.world import AFTER_END_S, World, raised


@dataclass(frozen=True, slots=True)
class Result:
    """How a scenario ended, what the technician was told, and how many real seconds it took."""

    scenario: Scenario
    verdict: Verdict
    told: tuple[str, ...]
    wall_s: float


def play(folder: Path, foundation: Foundation) -> Result:
    """Play the scenario in `folder` on a copy of `foundation`.  Raises ScenarioError."""
    scenario = load(folder)
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="metersim-") as state,
        raised(scenario.config, changes_of(scenario), Path(state), foundation) as world,
    ):
        _let_happen(world, scenario)
        verdict = judge(world, scenario.expect)
        return Result(scenario, verdict, tuple(world.told), time.perf_counter() - began)


def _let_happen(world: World, scenario: Scenario) -> None:
    for event in events_of(scenario):
        world.play_until(event.at_s)
        event.happens(world)
    world.play_until(scenario.config.end_s + AFTER_END_S)
    world.settle()
