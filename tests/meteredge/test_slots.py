"""Closing slots: when, and what is never signed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.meteredge.node import BASELINE_EXPORT, BASELINE_IMPORT, MAX_W, MemoryMeter, install_at

from meterchain.embedded import START
from meterchain.record import TimeStatus
from meterchain.units import Mwh, Seq, Slot, UnixTime
from meteredge.bus_errors import NoReply
from meteredge.clock import VirtualClock
from meteredge.journal import LastSigned
from meteredge.nodetime import NodeTime
from meteredge.reader import Reading
from meteredge.slots import GuardBreached, SlotStaysOpen, due_slot, read_closing, seconds_to_close
from meteredge.timesource import ToldTime

LAST = LastSigned(Seq(1), Slot(START - 900), UnixTime(START), BASELINE_EXPORT, BASELINE_IMPORT, bytes(32))
END = START + 900


@pytest.mark.parametrize(
    ("now", "slot"),
    [
        (END - 0.1, None),
        (END, START),
        (END + 110, START),
        (END + 110.5, None),
        (END + 899.9, None),
        (END + 900, START + 900),
    ],
)
def test_a_slot_can_be_closed_from_its_end_until_110_seconds_later(now: float, slot: int | None) -> None:
    assert due_slot(now, LAST) == slot


def test_a_slot_that_is_signed_is_not_due_again() -> None:
    assert due_slot(END + 5, replace(LAST, slot=Slot(START), ts=UnixTime(END - 500))) is None


def test_two_records_are_a_minute_apart() -> None:
    just_enrolled = replace(LAST, ts=UnixTime(END - 20))
    assert due_slot(END, just_enrolled) is None
    assert seconds_to_close(END, just_enrolled) == 40
    assert due_slot(END + 40, just_enrolled) == START


def test_the_next_close_is_computed_anew_whatever_the_clock_does() -> None:
    assert seconds_to_close(START + 1, LAST) == 899
    assert seconds_to_close(END - 0.5, LAST) == 0.5
    assert seconds_to_close(END + 3, LAST) == 0
    assert seconds_to_close(END + 200, LAST) == 700
    assert seconds_to_close(START - 10_000, LAST) > 0


@given(now=st.floats(START - 1e6, START + 1e6), ts=st.integers(-2000, 2000), slot=st.integers(-3, 3))
def test_waiting_as_long_as_told_leads_to_a_slot_that_is_due(now: float, ts: int, slot: int) -> None:
    last = replace(LAST, ts=UnixTime(int(now) + ts), slot=Slot(int(now) // 900 * 900 + slot * 900))
    for _ in range(8):
        wait = seconds_to_close(now, last)
        assert wait >= 0
        if wait == 0:
            assert due_slot(now, last) is not None
            return
        now += wait


@given(now=st.floats(START, START + 1e7))
def test_what_is_due_lies_in_the_window_that_the_chain_takes(now: float) -> None:
    slot = due_slot(now, LAST)
    if slot is not None:
        assert slot + 895 <= int(now) <= slot + 1_020
        assert slot % 900 == 0


class At:
    """A meter and a clock at the end of a slot."""

    def __init__(self) -> None:
        self.meter = MemoryMeter(export_mwh=BASELINE_EXPORT + 100_000)
        self.clock = VirtualClock(END)
        self.time = ToldTime()

    def close(self) -> tuple[int, int, str]:
        closing, reading = read_closing(Slot(START), self.meter, NodeTime(self.clock, self.time), install_at(), LAST)
        assert reading.export_mwh == closing.export_mwh
        return closing.ts, closing.export_mwh, closing.time_status


def test_a_close_signs_the_second_of_two_readings_with_the_time_it_was_taken() -> None:
    at = At()
    at.meter.next_readings = [
        (BASELINE_EXPORT + 100_000, BASELINE_IMPORT),
        (BASELINE_EXPORT + 101_000, BASELINE_IMPORT),
    ]
    assert at.close() == (END, BASELINE_EXPORT + 101_000, "S")


def test_two_readings_that_do_not_agree_are_not_signed() -> None:
    at = At()
    at.meter.next_readings = [(BASELINE_EXPORT, BASELINE_IMPORT), (BASELINE_EXPORT + 230_200, BASELINE_IMPORT)]
    with pytest.raises(GuardBreached, match="two readings") as breached:
        at.close()
    assert breached.value.breach.guard == 4


@pytest.mark.parametrize("register", ["export_mwh", "import_mwh"])
def test_a_register_that_fell_since_the_last_signed_one_is_not_signed(register: str) -> None:
    at = At()
    setattr(at.meter, register, Mwh(1))
    with pytest.raises(GuardBreached, match="fell") as breached:
        at.close()
    assert breached.value.breach.guard == 5


def test_a_register_that_rose_faster_than_the_rated_power_is_not_signed() -> None:
    at = At()
    at.meter.export_mwh = BASELINE_EXPORT + MAX_W * 900 * 1_000 // 3_600 + 2_000
    with pytest.raises(GuardBreached, match="at most"):
        at.close()


def test_a_meter_that_does_not_answer_leaves_the_slot_open() -> None:
    at = At()
    at.meter.fails = NoReply("unit 1 is silent", "check the wiring")
    with pytest.raises(NoReply):
        at.close()


def test_an_unknown_date_signs_nothing() -> None:
    at = At()
    at.time.now = TimeStatus.UNKNOWN
    with pytest.raises(SlotStaysOpen, match="nobody vouches for the date"):
        at.close()


@pytest.mark.parametrize("status", [TimeStatus.INFORMATIVE, TimeStatus.SYNCHRONISED])
def test_the_record_says_how_well_the_time_was_known(status: TimeStatus) -> None:
    at = At()
    at.time.now = status
    assert at.close()[2] == status


class SlowMeter(MemoryMeter):
    """Lets time pass, or jump, while it is read."""

    def __init__(self, clock: VirtualClock, seconds: float, *, jump: bool = False) -> None:
        super().__init__()
        self._clock, self._seconds, self._jump = clock, seconds, jump

    def read(self) -> Reading:
        if self._jump:
            self._clock.set_utc(self._clock.utc() + self._seconds)
        else:
            self._clock.advance(self._seconds)
        return super().read()


def test_a_clock_that_is_set_during_the_reading_signs_nothing() -> None:
    at = At()
    at.meter = SlowMeter(at.clock, 30, jump=True)
    with pytest.raises(SlotStaysOpen, match="clock was set"):
        at.close()


def test_a_reading_that_takes_until_after_the_window_signs_nothing() -> None:
    at = At()
    at.clock.advance(105)
    at.meter = SlowMeter(at.clock, 10)
    with pytest.raises(SlotStaysOpen, match="outside the window"):
        at.close()
