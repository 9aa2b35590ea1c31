"""Ten simulated days of one node with faults of every kind: the real agent, the real programs, a bus in memory."""

import gc
from collections import Counter
from pathlib import Path

import pytest
from tests.meteredge.ten_days import CHAIN, DARK_BOOT, NODE, WIRE, Days, lived

from meterchain.audit import audit
from metersim.bus.catalogue import FAULTS
from metersim.stage.scenarios.events import EVENTS
from metersim.stage.scenarios.foundation import Foundation, found

TEN_DAYS = 960
GROWTH_KIB = 10_240
"""From the second day to the tenth, at most; the play's own memory of what was signed is in it."""
FOR_GOOD = {"another_node", "other_deployment"}
"""What stops a node, so that somebody must come: the scenarios have it."""


@pytest.fixture(scope="module")
def foundation() -> Foundation:
    return found("ten days")


def test_the_days_hold_everything_that_can_happen_and_pass() -> None:
    kinds = {kind for track in (WIRE, NODE, CHAIN) for kind, _ in track} - {DARK_BOOT}
    assert kinds == {*FAULTS, *EVENTS} - FOR_GOOD


def left_alone_well(days: Days) -> None:
    world = days.world
    assert world.stopped == ""
    assert world.missed_though_answered() == []
    assert world.closed_on_card == sorted(set(world.closed_on_card))
    assert {str(one.record.time_status) for one in world.signed} == {"S", "I", "R"}
    state, last = world.state(), world.signed[-1].record
    assert state is not None
    assert (state.last_ts, state.export_reg_mwh, state.import_reg_mwh) == (last.ts, last.export_mwh, last.import_mwh)
    assert state.cum_export_mwh == last.export_mwh - world.baseline.export_mwh
    assert state.cum_import_mwh == last.import_mwh - world.baseline.import_mwh
    assert world.agent is not None
    assert world.agent.journal.undelivered() == 0
    assert audit(world.home, world.site.programs, settled=world.settled).ok
    assert_nothing_piles_up(days)


def assert_nothing_piles_up(days: Days) -> None:
    assert days.resident_kib[-1] - days.resident_kib[1] <= GROWTH_KIB, days.resident_kib
    gc.collect()
    homes = [(str(type(one).__module__), type(one).__qualname__) for one in gc.get_objects()]
    ours = [(home, name) for home, name in homes if home.partition(".")[0] == "meteredge"]
    alive = Counter(name for home, name in ours if not home.startswith("meteredge.profiles"))  # these are loaded once
    assert alive["Row"] <= len(days.world.signed) + 10  # the play's
    assert all(number <= 200 for name, number in alive.items() if name != "Row"), alive


@pytest.mark.ci
def test_ten_days_with_faults_of_every_kind_miss_no_slot_that_the_meter_answered_for(
    tmp_path: Path, foundation: Foundation
) -> None:
    with lived(TEN_DAYS, 2, tmp_path, foundation) as days:
        left_alone_well(days)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [3, 4, 5, 6, 7])
def test_other_ten_days_are_no_worse(seed: int, tmp_path: Path, foundation: Foundation) -> None:
    with lived(TEN_DAYS, seed, tmp_path, foundation) as days:
        left_alone_well(days)


def test_a_day_with_faults_of_every_kind_misses_no_slot_that_the_meter_answered_for(
    tmp_path: Path, foundation: Foundation
) -> None:
    with lived(96, 1, tmp_path, foundation) as days:
        assert days.world.missed_though_answered() == []
        assert len(days.world.signed) > 48


def test_a_slot_that_was_missed_though_the_meter_answered_is_noticed(tmp_path: Path, foundation: Foundation) -> None:
    with lived(8, 1, tmp_path, foundation) as days:
        forgotten = days.world.signed.pop(2)
        assert days.world.missed_though_answered() == [days.world.slot_number(forgotten.row.slot)]
