"""The log has one line an event, however often the event is looked at."""

import logging

import pytest

from meteredge.clock import VirtualClock
from meteredge.start import OneLine
from meteredge.told import AGAIN_S, Told


class Log:
    """A teller, and what it has logged."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.clock = VirtualClock(0.0)
        self.told = Told(self.clock)
        self._caplog = caplog

    def lines(self) -> list[str]:
        return [record.getMessage() for record in self._caplog.records]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    return Log(caplog)


def test_what_is_still_true_is_not_said_again(log: Log) -> None:
    for n in range(100):
        log.told.warn(f"unit 2 did not answer, try {n}", "no reply")
        log.clock.advance(5)
    assert log.lines() == ["unit 2 did not answer, try 0"]


def test_once_a_slot_it_is_said_with_how_often_it_was_kept_back(log: Log) -> None:
    log.told.warn("dead", "kind")
    log.told.warn("dead", "kind")
    log.clock.advance(AGAIN_S)
    log.told.warn("dead", "kind")
    assert log.lines() == ["dead", "dead (and 1 times before)"]


def test_another_kind_is_news_and_so_is_the_first_one_after_it(log: Log) -> None:
    for kind in ("a", "b", "a"):
        log.told.warn(kind, kind)
    assert log.lines() == ["a", "b", "a"]


def test_after_all_was_well_the_same_is_news(log: Log) -> None:
    log.told.warn("dead", "kind")
    log.told.forget()
    log.told.warn("dead", "kind")
    assert log.lines() == ["dead", "dead"]


@pytest.mark.parametrize(("to_journald", "line"), [(True, "<4>one two"), (False, "WARNING one two")])
def test_an_event_is_one_line_with_its_level(to_journald: bool, line: str) -> None:
    record = logging.LogRecord("meterbridge", logging.WARNING, "", 0, "one\n%s", ("two",), None)
    assert OneLine(to_journald=to_journald).format(record) == line
