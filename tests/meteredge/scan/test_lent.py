# ruff: noqa: ANN401
"""A scan on a borrowed port: what the agent lends is used between two slots' closes and always comes back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.meteredge.scan.bench import Bench, bench
from tests.meteredge.test_socket_answers import NOON, Desk

from meteredge.close_window import seconds_left_of_window
from meteredge.scan.lent import lent_ports
from meteredge.scan.plan import Setting, Wanted
from meteredge.scan.run import run_scan
from meteredge.socket_client import AgentAbsent, AgentBusy
from meteredge.socket_protocol import Question
from meteredge.socket_server import Refused


class Line:
    """A connection to a desk without a socket between."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.gone = False

    def ask(self, question: Question[Any]) -> Any:
        if self.gone:
            raise AgentAbsent("the agent went away; see its log")
        try:
            return question.reply(self.desk.answers.answer(question, 1))  # type: ignore[arg-type]
        except Refused as refused:
            raise AgentBusy(str(refused), refused.refusal.wait_s or 0.0) from refused


class Watched:
    """Meters whose port notes when it is used."""

    def __init__(self, into_slot_s: float) -> None:
        self.desk = Desk(into_slot_s)
        self.meters = bench(("sdm120", 200))
        self.meters.clock = self.desk.clock
        self.wrote_at: list[float] = []
        self.lent_while_writing: list[bool] = []
        self.line = Line(self.desk)

    def open(self, setting: Setting) -> Any:
        port = self.meters.open(setting)
        write = port.write

        def noted(data: bytes) -> int:
            self.wrote_at.append(self.desk.clock.utc())
            self.lent_while_writing.append(self.desk.bus.lent_s() > 0)
            return write(data)

        port.write = noted  # type: ignore[method-assign]
        return port

    def scan(self, **options: Any) -> Any:
        told: list[str] = []
        ports = lent_ports(self.line, self.open, self.desk.clock, told.append)  # type: ignore[arg-type]
        wanted = Wanted(bauds=(9_600,), framings=("8N1",))
        return run_scan("memory", ports, self.desk.clock, wanted, **options), told


@contextmanager
def connected(watched: Watched) -> Iterator[None]:
    """As the `with` of a real connection: whatever happens, the agent learns that it ended."""
    try:
        yield
    finally:
        watched.desk.answers.hung_up(1)


@pytest.mark.parametrize("into_slot_s", [120.0, 700.0, 850.0, 10.0])
def test_a_scan_of_minutes_goes_on_from_loan_to_loan_and_never_asks_within_a_close(into_slot_s: float) -> None:
    watched = Watched(into_slot_s)
    with connected(watched):
        report, told = watched.scan()
    assert not [why for why in told if "lent to another program" in why], "each loan is given back before the next one"
    assert [device.answering.unit for device in report.devices] == [200]
    assert all(watched.lent_while_writing)
    assert not [at for at in watched.wrote_at if seconds_left_of_window(at)]
    assert watched.wrote_at[-1] - watched.wrote_at[0] > 120, "longer than one loan"
    assert watched.desk.bus.lent_s() == 0


def test_who_waits_for_a_close_is_told_so() -> None:
    watched = Watched(10.0)
    with connected(watched):
        _, told = watched.scan(depth="quick")
    assert "not lent while slots are closed" in told[0]
    assert watched.wrote_at[0] >= NOON + 110


def test_ctrl_c_gives_the_port_back_and_keeps_what_was_found() -> None:
    watched = Watched(120.0)

    def stop(_what: str, done: int, _most: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with connected(watched):
        report, _ = watched.scan(progress=stop)
    assert (report.stopped, report.exit_code) == (True, 130)
    assert report.hints() == ("interrupted: run it again, narrower by --units, --baud or --framing",)
    assert watched.desk.bus.lent_s() == 0


def test_a_crash_gives_the_port_back() -> None:
    watched = Watched(120.0)

    def crash(_what: str, done: int, _most: int) -> None:
        if done == 5:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), connected(watched):
        watched.scan(progress=crash)
    assert watched.desk.bus.lent_s() == 0


def test_an_agent_that_went_away_ends_the_scan_with_its_error() -> None:
    watched = Watched(120.0)

    def unplug(_what: str, done: int, _most: int) -> None:
        watched.line.gone = done > 3

    with pytest.raises(AgentAbsent), connected(watched):
        watched.scan(progress=unplug)


def test_a_free_port_needs_no_agent() -> None:
    free: Bench = bench(("sdm120", 1))
    report = run_scan("memory", free.open, free.clock, Wanted(bauds=(9_600,), framings=("8N1",)), depth="quick")
    assert report.exit_code == 0
