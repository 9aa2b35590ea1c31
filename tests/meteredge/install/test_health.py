"""Whether the new version is well: by what the agent says of itself, while a virtual clock runs."""

import json
from collections.abc import Callable

import pytest

from meteredge.clock import VirtualClock
from meteredge.install.errors import InstallFailed
from meteredge.install.health import HEALTHY_WITHIN_S, SETTLED_S, Look, Status, status_now, wait_until_healthy

START = 1_790_000_000.0


def said(pid: int | None, **meter: object) -> Status:
    return {"running": pid is not None, "pid": pid, "meters": [{"meter_id": "METER_001", **meter}]}


def seconds_until_healthy(at: Callable[[float], Status], before: Status | None = None) -> float:
    clock = VirtualClock(START)
    look: Look = lambda: json.dumps(at(clock.utc() - START))  # noqa: E731
    wait_until_healthy(look, said(1, read_at=START) if before is None else before, START, clock)
    return clock.utc() - START


def test_an_agent_that_reads_and_goes_on_is_well() -> None:
    def at(seconds: float) -> Status:
        return said(7, read_at=START + 5) if seconds >= 6 else said(7, read_at=None)

    assert SETTLED_S <= seconds_until_healthy(at) < 2 * SETTLED_S


def test_an_agent_that_never_reads_is_not() -> None:
    with pytest.raises(InstallFailed, match=r"METER_001: not read since the start \(no answer\)"):
        seconds_until_healthy(lambda _: said(7, read_at=START - 60, read_problem="no answer"))


def test_a_meter_that_was_silent_before_is_no_fault_of_the_new_version() -> None:
    silent = said(7, read_at=None, read_problem="no answer")
    assert seconds_until_healthy(lambda _: silent, before=silent) >= SETTLED_S
    with pytest.raises(InstallFailed, match="no reason given"):
        seconds_until_healthy(lambda _: said(7, read_at=None), before=silent)


def test_an_agent_that_starts_again_and_again_is_not() -> None:
    with pytest.raises(InstallFailed, match="again and again"):
        seconds_until_healthy(lambda seconds: said(int(seconds // 6) + 2, read_at=START + seconds))


def test_an_agent_that_is_gone_is_not() -> None:
    with pytest.raises(InstallFailed, match=f"not running {HEALTHY_WITHIN_S:.0f} s after"):
        seconds_until_healthy(lambda _: said(None))


def test_an_agent_that_stopped_for_safety_is_not() -> None:
    stopped = said(7, read_at=START + 1, stopped="the chain has another history")
    with pytest.raises(InstallFailed, match="another history"):
        seconds_until_healthy(lambda _: stopped)
    assert seconds_until_healthy(lambda _: stopped, before=stopped) >= SETTLED_S, "it had stopped before, too"


def test_a_word_that_cannot_be_understood_is_none() -> None:
    def fails() -> str:
        raise InstallFailed("no such command")

    assert status_now(lambda: "no json") == status_now(lambda: "[]") == status_now(fails) == {}
