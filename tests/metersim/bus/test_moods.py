"""metersim.bus.moods: meters at their worst."""

from metersim.bus import rtu
from metersim.bus.bank import RegisterBank
from metersim.bus.fault import Fault
from metersim.bus.line import Line
from metersim.bus.moods import ExceptionStorm, RebootOnFastPolling
from metersim.bus.wire import Wire

LINE = Line(9_600)
ASK = rtu.frame(1, bytes([4, 0, 10, 0, 2]))


def wire_with(fault: Fault) -> Wire:
    return Wire(LINE, [RegisterBank(tuple(range(200)))], faults=[fault])


def answer(wire: Wire, at_s: float) -> bytes:
    wire.transmit(at_s, ASK)
    return bytes(symbol.value for symbol in wire.advance(at_s + 0.05))


def test_in_a_storm_good_questions_get_the_exception_with_the_code() -> None:
    wire = wire_with(ExceptionStorm(code=6))
    assert answer(wire, 0.0) == rtu.frame(1, bytes([0x84, 6]))


def test_a_storm_of_chance_leaves_some_answers() -> None:
    wire = wire_with(ExceptionStorm(probability=0.5))
    lengths = {len(answer(wire, float(at))) for at in range(20)}
    assert lengths == {5, 9}


def test_a_meter_that_is_asked_too_soon_is_dark_for_a_while() -> None:
    mood = RebootOnFastPolling(gap_s=0.06, dark_s=5.0)
    wire = wire_with(mood)
    assert answer(wire, 0.0)
    assert answer(wire, 0.05) == b""
    assert answer(wire, 3.0) == b""
    assert answer(wire, 6.0)
    assert mood.reboots == 1


def test_a_meter_that_is_left_its_gap_never_restarts() -> None:
    mood = RebootOnFastPolling(gap_s=0.06)
    wire = wire_with(mood)
    assert all(answer(wire, 0.2 * at) for at in range(20))
    assert mood.reboots == 0
