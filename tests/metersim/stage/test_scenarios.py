"""Every scenario of tests/scenarios ends as it says, and every way of ending otherwise is noticed."""

from dataclasses import replace
from pathlib import Path

import pytest

from meterchain.units import Mwh
from metersim.bus.catalogue import FAULTS
from metersim.meters.changes import CHANGES
from metersim.stage.scenarios.events import EVENTS
from metersim.stage.scenarios.files import Config, Expect, ScenarioError, load, names_in
from metersim.stage.scenarios.foundation import Foundation, found
from metersim.stage.scenarios.play import play
from metersim.stage.scenarios.verdict import judge
from metersim.stage.scenarios.world import raised

FOLDER = Path(__file__).parents[2] / "scenarios"
PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text("utf-8")
AT_LEAST = 30


@pytest.fixture(scope="module")
def foundation() -> Foundation:
    return found("scenarios")


@pytest.mark.parametrize("name", names_in(FOLDER))
def test_a_scenario_ends_as_it_says(name: str, foundation: Foundation) -> None:
    assert play(FOLDER / name, foundation).verdict.wrong == ()


def test_there_are_scenarios_for_everything_that_can_happen() -> None:
    scenarios = [load(FOLDER / name) for name in names_in(FOLDER)]
    assert len(scenarios) >= AT_LEAST
    used = {entry.kind for scenario in scenarios for entry in scenario.faults}
    assert used == {*FAULTS, *CHANGES, *EVENTS}


def test_no_two_scenarios_say_the_same() -> None:
    titles = [load(FOLDER / name).config.title for name in names_in(FOLDER)]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("kind", [*CHANGES, *EVENTS])
def test_everything_that_can_happen_stands_on_the_page(kind: str) -> None:
    assert f"`{kind}`" in PAGE


def scenario(folder: Path, *, config: str = "", faults: str = "", expect: str = "") -> Path:
    (folder / "config.toml").write_text('title = "x"\nslots = 1\n' + config)
    (folder / "faults.toml").write_text(faults)
    (folder / "expect.toml").write_text(expect)
    return folder


@pytest.mark.parametrize(
    ("expect", "wrong"),
    [
        ("missing = [1]", "slots without a record: [], expected [1]"),
        ("signed = 2", "signed: 1, expected 2"),
        ("final = 0", "final: 1, expected 0"),
        ("refused = 1", "refused: 0, expected 1"),
        ("waiting = 1", "waiting: 0, expected 1"),
        ("energy_until_slot = 0", "energy is credited until slot 1, expected 0"),
        ('told = ["smoke"]', "nobody was told 'smoke'; told was: nothing"),
        ('stopped = "Fork"', "stopped: no, expected Fork"),
        ('time_status = "I"', "time status of the records: S, expected I"),
        ("rollovers = 1", "rollovers: 0, expected 1"),
        ("[bus]\necho = 0\nechoes = 1", "bus: 0 echoes, expected 1 or more"),
    ],
)
def test_an_end_that_is_not_as_expected_is_a_sentence(
    tmp_path: Path, foundation: Foundation, expect: str, wrong: str
) -> None:
    assert wrong in play(scenario(tmp_path, expect=expect.replace("echo = 0\n", "")), foundation).verdict.wrong


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ('[[fault]]\nkind = "smoke"', "nothing is called 'smoke'"),
        ('[[fault]]\nkind = "late_reply"\nlate = 1', "no option late"),
        ('[[fault]]\nkind = "echo"\nfrom = 5', "no time of the play"),
        ("[[fault]]\nfrom = 00:01:00", "kind"),
        ("[[fault", "faults.toml"),
    ],
)
def test_a_fault_that_is_none_is_told_with_its_file(
    tmp_path: Path, foundation: Foundation, faults: str, told: str
) -> None:
    with pytest.raises(ScenarioError, match=told):
        play(scenario(tmp_path, faults=faults), foundation)


def test_an_unknown_key_is_told_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"config\.toml: slotz"):
        load(scenario(tmp_path, config="slotz = 3\n"))
    with pytest.raises(ScenarioError, match=r"expect\.toml: singed"):
        load(scenario(tmp_path, expect="singed = 3\n"))


def test_a_record_that_the_meter_did_not_hold_is_noticed(tmp_path: Path, foundation: Foundation) -> None:
    with raised(Config(title="x", slots=1), (), tmp_path, foundation) as world:
        world.play_until(world.config.end_s + 60)
        world.settle()
        assert judge(world, Expect()).ok
        honest = world.witness.seen
        world.witness.seen = [replace(held, export_mwh=held.export_mwh + 50_000) for held in honest]
        assert "record 1 was signed, and the meter did not hold it" in judge(world, Expect()).wrong
        world.witness.seen = [replace(held, serial="20000002") for held in honest]
        assert "record 1 was signed, and the meter did not hold it" in judge(world, Expect()).wrong


def test_a_slot_that_is_signed_twice_and_energy_that_is_not_credited_are_noticed(
    tmp_path: Path, foundation: Foundation
) -> None:
    with raised(Config(title="x", slots=1), (), tmp_path, foundation) as world:
        world.play_until(world.config.end_s + 60)
        world.settle()
        world.signed *= 2
        assert "a slot was signed twice" in judge(world, Expect()).wrong
        world.baseline = replace(world.baseline, export_mwh=Mwh(world.baseline.export_mwh - 5_000))
        assert any("mWh are credited" in sentence for sentence in judge(world, Expect()).wrong)


def test_a_copy_of_a_site_is_a_chain_of_its_own(foundation: Foundation) -> None:
    one, two = (foundation.raised(foundation_at) for foundation_at in (1_782_043_200, 1_782_043_300))
    assert two.clock().unix_s - one.clock().unix_s == 100
    assert one.genesis_hash() == two.genesis_hash()
    one.close()
    two.close()
