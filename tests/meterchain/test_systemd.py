"""What systemd hears of a service of ours."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterchain.systemd import Systemd


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(10)
        manager.bind(str(tmp_path / "notify"))
        yield manager


def heard(manager: socket.socket) -> str:
    return manager.recv(4_096).decode()


def test_ready_alive_and_stopping_are_said(manager: socket.socket) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000000"})
    assert systemd.watchdog_s == 30
    for say, said in ((systemd.ready, "READY=1"), (systemd.alive, "WATCHDOG=1"), (systemd.stopping, "STOPPING=1")):
        say()
        assert heard(manager) == said


def test_the_status_line_is_said_when_it_is_news_and_is_one_line(manager: socket.socket) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": manager.getsockname()})
    for text in ("METER_001: reads", "METER_001: reads", "two\nlines"):
        systemd.status(text)
    assert heard(manager) == "STATUS=METER_001: reads"
    assert heard(manager) == "STATUS=two lines"


def test_an_abstract_address_is_understood() -> None:
    name = f"meterbridge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(10)
        manager.bind(f"\0{name}")
        Systemd({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert heard(manager) == "READY=1"


def test_without_a_watchdog_nobody_is_fed(manager: socket.socket) -> None:
    for environment in ({}, {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}):
        systemd = Systemd({"NOTIFY_SOCKET": manager.getsockname(), **environment})
        assert systemd.watchdog_s is None
        systemd.alive()
        systemd.ready()
        assert heard(manager) == "READY=1"


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "@nobody-listens-here"])
def test_no_service_manager_is_no_failure(address: str) -> None:
    systemd = Systemd({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})
    systemd.ready()
    systemd.alive()
    systemd.stopping()
