"""The scan against simulated meters, at right and wrong settings, through faults; the bus in memory models parity."""

from dataclasses import replace

import pytest
from tests.meteredge.scan.bench import Bench, bench, plan

from meteredge.scan.plan import Setting, Wanted
from metersim.bus.fault import Fault, Request
from metersim.bus.faults import BitFlip, Echo, LateReply, LeadZero, SwappedPair
from metersim.bus.intruders import SameAddress, SecondMaster
from metersim.bus.line import Line

AT_9600 = Wanted(bauds=(9_600,), framings=("8N1",))


def test_meters_at_their_factory_settings_are_found_in_the_quick_round() -> None:
    found = bench(("sdm120", 1), ("sdm630", 2)).search(depth="quick")
    assert [(a.unit, str(a.setting), a.nature) for a in found.answering] == [
        (1, "9600 8N1", "device"),
        (2, "9600 8N1", "device"),
    ]


@pytest.mark.parametrize(("baud", "framing"), [(19_200, "8E1"), (2_400, "8N1"), (38_400, "8O1"), (4_800, "8N2")])
def test_speed_and_parity_are_found_wherever_the_meter_is_set_to(baud: int, framing: str) -> None:
    found = bench(("sdm120", 1), baud=baud, framing=framing).search(Wanted(units=(1,)))
    assert {(a.setting, a.nature) for a in found.answering} == {(Setting(baud, framing), "device")}


def test_where_one_answers_all_units_are_tried_at_that_setting() -> None:
    found = bench(("sdm120", 1), ("sdm120", 93), ("sdm120", 247)).search()
    assert [a.unit for a in found.answering] == [1, 247, 93]


def test_a_unit_that_no_factory_gives_is_found_by_the_whole_grid() -> None:
    wanted = Wanted(bauds=(9_600, 19_200), framings=("8N1", "8E1"), units=(77, 78))
    found = bench(("sdm120", 78), baud=19_200, framing="8E1").search(wanted)
    assert [(a.unit, str(a.setting)) for a in found.answering] == [(78, "19200 8E1")]


def test_a_bus_without_anybody_is_searched_to_the_end_and_nothing_is_found() -> None:
    lonely = bench()
    found = lonely.search(Wanted(bauds=(9_600, 2_400), framings=("8N1",), units=(1, 2)))
    assert (found.answering, found.complete, found.swapped) == ((), True, False)
    assert set(lonely.opened) == {Setting(9_600, "8N1"), Setting(2_400, "8N1")}


class OnlyHolding:
    """A device that knows function code 3 alone."""

    unit = 1
    turnaround_s = 0.02

    def answer(self, request: Request) -> bytes | None:
        if request.pdu[0] != 3:
            return bytes((request.pdu[0] | 0x80, 1))
        words = int.from_bytes(request.pdu[3:5], "big")
        return bytes((3, 2 * words)) + bytes(range(2 * words))


def test_on_exception_1_the_other_function_code_is_asked() -> None:
    found = Bench(Line(9_600), [OnlyHolding()]).search(AT_9600)
    (device,) = found.answering
    assert (device.fc, device.nature, device.exception) == (3, "device", None)


def test_a_valid_exception_means_that_a_device_is_there() -> None:
    found = bench(("abb-b21", 1)).search(AT_9600)  # its map has no register 0
    (device,) = found.answering
    assert (device.unit, device.nature) == (1, "device")
    assert device.exception in (1, 2)


@pytest.mark.parametrize("fault", [Echo(), LeadZero()], ids=["echo", "stray zeros"])
def test_what_the_adapter_adds_does_not_hide_a_meter(fault: Fault) -> None:
    found = bench(("sdm120", 1), faults=(fault,)).search(AT_9600)
    assert [(a.unit, a.nature) for a in found.answering] == [(1, "device")]


def test_some_turned_bits_do_not_make_two_devices_of_one() -> None:
    found = bench(("sdm120", 1), faults=(BitFlip(0.01),)).search(AT_9600)
    assert [(a.unit, a.nature) for a in found.answering] == [(1, "device")]


def test_a_meter_that_answers_late_is_not_taken_for_the_next_unit() -> None:
    found = bench(("sdm120", 3), faults=(LateReply(0.7),)).search(AT_9600)
    assert [(a.unit, a.nature) for a in found.answering] == [(3, "device")]


@pytest.mark.parametrize("turnaround_s", [0.02, 0.021, 0.045, 0.3])
def test_two_devices_on_one_address_are_recognised(turnaround_s: float) -> None:
    line = Line(9_600)
    second = replace(plan("sdm120", 1, line, "20000002", seed=9), turnaround_s=turnaround_s)
    on_bus = Bench(line, [plan("sdm120", 1, line, "10000001", seed=1).build()], (SameAddress(second),))
    (device,) = on_bus.identified(on_bus.search(AT_9600))
    assert device.two_devices, device


def test_swapped_wires_show_at_every_speed() -> None:
    found = bench(("sdm120", 1), faults=(SwappedPair(),)).search(depth="quick")
    assert found.swapped
    assert all(heard.framing_errors for heard in found.heard)


def test_another_master_is_named_with_its_questions() -> None:
    found = bench(("sdm120", 1), faults=(SecondMaster(0.4),)).search(AT_9600, depth="quick")
    assert any(heard.strangers for heard in found.heard)


def test_the_general_address_is_asked_only_where_nobody_else_answered() -> None:
    found = bench(("peacefair-pzem-004t-v3", 248)).search(AT_9600, depth="quick")
    assert [a.unit for a in found.answering] == [248]
    found = bench(("peacefair-pzem-004t-v3", 1)).search(AT_9600)
    assert [a.unit for a in found.answering] == [1]


def test_progress_counts_up_to_its_end() -> None:
    seen: list[tuple[int, int]] = []
    bench().search(AT_9600, progress=lambda _what, done, most: seen.append((done, most)))
    assert seen == sorted(seen, key=lambda pair: pair[0])
    assert all(done < most for done, most in seen)
    assert seen[-1][0] == seen[-1][1] - 1
