"""metersim.bus.recorded: answers as another station gave them."""

from metersim.bus import rtu
from metersim.bus.fault import Raw
from metersim.bus.line import Line
from metersim.bus.recorded import RecordedStation
from metersim.bus.wire import Wire

LINE = Line(9_600)
PDU = bytes([4, 0, 0, 0, 1])
ASK = rtu.frame(1, PDU)


def answers(station: RecordedStation, times: int) -> list[tuple[bytes, float]]:
    """Each answer with the seconds from the question's end to its first bit."""
    wire = Wire(LINE, [station.build()])
    found = []
    for at in range(times):
        wire.transmit(10.0 * at, ASK)
        arrived = wire.advance(10.0 * at + 9.0)
        asked_s = 10.0 * at + len(ASK) * LINE.char_s
        found.append(
            (bytes(symbol.value for symbol in arrived), round(arrived[0].start_s - asked_s, 6) if arrived else 0.0)
        )
    return found


def test_answers_come_in_their_order_with_their_delays_and_flaws() -> None:
    good, damaged = rtu.frame(1, bytes([4, 2, 0, 7])), b"\x01\x04\x02\x00\x07\xff"
    station = RecordedStation(1, {PDU: (Raw(good, 0.03), None, Raw(damaged, 0.4))})
    assert answers(station, 5) == [(good, 0.03), (b"", 0.0), (damaged, 0.4), (damaged, 0.4), (damaged, 0.4)]


def test_what_was_never_asked_gets_silence() -> None:
    assert answers(RecordedStation(1, {}), 1) == [(b"", 0.0)]
