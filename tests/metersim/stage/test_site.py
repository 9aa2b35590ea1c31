"""metersim.stage.site: a raised site lets slots pass, and asks again when a bus fails."""

from pathlib import Path

import pytest

from meterchain.units import SLOT_S
from meteredge.bus_errors import NoReply
from meteredge.journal import State
from metersim.bus.faults import Silence
from metersim.stage.cast import cast
from metersim.stage.demo import NOON
from metersim.stage.show import Silent
from metersim.stage.site import AFTER_EDGE_S, again_if_unheard, at_once, raised


def test_a_slot_ends_on_chain_and_a_silent_meter_costs_that_slot_only(tmp_path: Path) -> None:
    parts = cast(1, 1, NOON)
    with raised(parts, seed=1, begin_utc=NOON, folder=tmp_path) as stage:
        assert stage.buses is not None
        node, agent = stage.nodes[0], stage.agents[0]
        for number in (1, 2):
            stage.go_to(edge(number))
            assert all(stage.close_slots())
            stage.deliver()
        stage.buses.set_faults(0, Silence())
        stage.go_to(edge(3))
        with pytest.raises(NoReply):
            agent.close_due_slot()
        stage.buses.set_faults(0)
        stage.go_to(edge(4))
        stage.close_slots()
        stage.deliver()
        stage.settle()
        state = stage.state(node)
        held = parts[0].plan.build().moment(edge(4)).energy_mwh
        counts = agent.counts()
    assert (counts[State.FINAL], sum(counts.values())) == (3, 3)
    assert (state.seq, state.multi_epoch) == (3, 1)
    assert (state.export_reg_mwh, state.import_reg_mwh) == (held.export, held.import_)
    assert state.minted_mwh == state.cum_export_mwh == held.export - parts[0].plan.export_mwh


def edge(number: int) -> int:
    """Just after the end of the slot of that number, from 1."""
    return NOON + number * SLOT_S + AFTER_EDGE_S


def test_a_bus_that_fails_is_asked_again_and_the_last_failure_is_told() -> None:
    tries = []

    def ask() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise NoReply("nothing came", "look at the wires")
        return "answer"

    assert again_if_unheard(ask)() == "answer"
    tries.clear()
    with pytest.raises(NoReply):
        again_if_unheard(ask, tries=2)()


def test_jobs_run_at_once_give_their_results_in_order_and_their_errors() -> None:
    jobs = [(str(number), lambda number=number: number * number) for number in range(5)]
    assert at_once(jobs, Silent()) == [0, 1, 4, 9, 16]

    def fail() -> int:
        raise NoReply("nothing came", "look at the wires")

    with pytest.raises(NoReply):
        at_once([*jobs, ("bad", fail)], Silent())
