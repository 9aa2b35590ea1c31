"""The demo as people and machines run it: frames on ptys, the real agent, the committed programs."""

import json
import subprocess
import sys

import pytest

from metersim.bus import running
from metersim.bus.line import Line
from metersim.bus.loop import SegmentPlan
from metersim.meters.installation import Installation
from metersim.meters.meter import MeterPlan
from metersim.stage.demo import NOON, Options, Outcome, play
from metersim.stage.show import Silent

NUMBERS = {"signed", "final", "refused", "export_mwh", "import_mwh", "minted_atoms", "burned_atoms"}


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "meterbridge", "demo", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def seed_one() -> Outcome:
    return play(Options(meters=2, slots=2, seed=1), Silent())


def test_json_stands_alone_on_stdout_and_agrees_with_itself() -> None:
    done = demo("--meters", "3", "--slots", "4", "--seed", "5", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["schema"], document["seed"], document["chain"]) == (1, 5, "embedded")
    assert [meter["id"] for meter in document["meters"]] == ["METER_001", "METER_002", "METER_003"]
    for meter in document["meters"]:
        assert set(meter) == NUMBERS | {"id"}
        assert (meter["signed"], meter["final"], meter["refused"]) == (4, 4, 0)
        assert meter["minted_atoms"] == 1_000 * meter["export_mwh"]
        assert meter["burned_atoms"] <= 1_000 * meter["import_mwh"]
    totals = {name: sum(meter[name] for meter in document["meters"]) for name in NUMBERS}
    assert document["totals"] == totals
    assert totals["minted_atoms"] > 0
    assert document["audit"]["ok"] is True
    assert all(check["ok"] for check in document["audit"]["checks"])
    assert document["cu"]["submit_meter_data"]["n"] == 12
    assert len(document["epochs"]) == 4
    for epoch in document["epochs"]:
        assert set(epoch) == {"epoch", "price", "volume_wh", "orders", "settled"}
        assert epoch["settled"] is True
        assert (epoch["price"] > 0) == (epoch["volume_wh"] > 0)
    assert sum(epoch["volume_wh"] for epoch in document["epochs"]) > 0
    assert 0 < document["cu"]["submit_meter_data"]["max"] < 4_000
    assert document["fees_lamports"] > 0
    assert 0 < document["wall_s"] < 60
    assert "Slot 12:00-12:15" in done.stderr


def test_without_json_it_ends_with_a_table_and_the_audit() -> None:
    done = demo("--meters", "1", "--slots", "1")
    assert done.returncode == 0, done.stderr
    assert "METER_001" in done.stdout
    assert "audit ok: minted atoms = 1,000 x credited export mWh for all 1 meters" in " ".join(done.stdout.split())


def test_one_seed_is_one_day(seed_one: Outcome) -> None:
    again = play(Options(meters=2, slots=2, seed=1), Silent())
    assert again.meters == seed_one.meters
    assert again.totals == seed_one.totals


def test_another_seed_is_another_day(seed_one: Outcome) -> None:
    assert play(Options(meters=2, slots=2, seed=2), Silent()).totals != seed_one.totals


def test_energy_flows_both_ways_and_burns_around_midday() -> None:
    totals = play(Options(meters=8, slots=4, seed=1), Silent()).totals
    assert totals.export_mwh > 0
    assert totals.import_mwh > 0
    assert 0 < totals.burned_atoms < totals.minted_atoms


def test_a_meter_on_a_port_of_this_machine_is_found_and_plays_alone() -> None:
    line = Line(9_600)
    plan = MeterPlan("sdm630", Installation(seed=4, phases=3, pv_peak_w=9_000), line, unit=7, since_utc=NOON - 3_600)
    with running.in_process([SegmentPlan(line, (plan,))]) as buses:
        buses.set_time(NOON, rate=1.0)
        done = demo(
            "--meters", "1", "--slots", "2", "--port", buses.ports[0], "--unit", "7", "--meter", "sdm630", "--json"
        )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["totals"]["signed"], document["totals"]["final"]) == (2, 2)
    assert document["audit"]["ok"] is True


def test_a_port_that_is_not_there_says_so_and_is_exit_code_3() -> None:
    done = demo("--meters", "1", "--port", "/dev/serial/by-id/not-there", "--meter", "sdm630")
    assert done.returncode == 3
    assert "/dev/serial/by-id/not-there" in done.stderr
    assert "plug" in done.stderr
    assert "Traceback" not in done.stderr
