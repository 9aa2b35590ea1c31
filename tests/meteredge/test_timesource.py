"""What the host's clock may be believed."""

import os
from pathlib import Path

import pytest

from meterchain.record import TimeStatus
from meteredge.clock import VirtualClock
from meteredge.timesource import EARLIEST_S, MARK_FRESH_S, HostTime, KernelTime, ToldTime, ask_kernel

NOW = EARLIEST_S + 10_000_000
GOOD = KernelTime(synchronised=True, offset_s=0.001, max_error_s=0.05)
S, I, U = TimeStatus.SYNCHRONISED, TimeStatus.INFORMATIVE, TimeStatus.UNKNOWN  # noqa: E741


class Host:
    """A host whose kernel, timesyncd and RTC say what a test lets them say."""

    def __init__(self, folder: Path, kernel: KernelTime | None = None) -> None:
        self.clock = VirtualClock(NOW)
        self.mark, self.rtc = folder / "synchronized", folder / "since_epoch"
        self.kernel = kernel
        self.source = HostTime(self.clock, kernel=lambda: self.kernel, mark=self.mark, rtc=self.rtc)

    def status(self) -> TimeStatus:
        return self.source.status(self.clock.utc())

    def contact_a_server(self) -> None:
        self.mark.touch()
        os.utime(self.mark, (self.clock.utc(), self.clock.utc()))


@pytest.mark.parametrize(
    ("kernel", "status"),
    [
        (GOOD, S),
        (KernelTime(synchronised=False, offset_s=0.0, max_error_s=0.0), U),
        (KernelTime(synchronised=True, offset_s=1.99, max_error_s=1.99), S),
        (KernelTime(synchronised=True, offset_s=2.0, max_error_s=0.1), U),
        (KernelTime(synchronised=True, offset_s=-2.0, max_error_s=0.1), U),
        (KernelTime(synchronised=True, offset_s=0.0, max_error_s=2.0), U),
    ],
)
def test_an_offset_of_two_seconds_is_not_synchronised(tmp_path: Path, kernel: KernelTime, status: TimeStatus) -> None:
    assert Host(tmp_path, kernel).status() is status


def test_a_date_before_this_software_existed_is_unknown_whatever_the_host_says(tmp_path: Path) -> None:
    host = Host(tmp_path, GOOD)
    host.clock.set_utc(EARLIEST_S - 1)
    assert host.status() is U
    assert ToldTime().status(0.0) is U


def test_where_the_kernel_may_not_be_asked_timesyncds_mark_says_so(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert host.status() is U
    host.contact_a_server()
    assert host.status() is S


def test_the_kernels_word_stands_above_the_mark(tmp_path: Path) -> None:
    host = Host(tmp_path, KernelTime(synchronised=False, offset_s=0.0, max_error_s=16.0))
    host.contact_a_server()
    assert host.status() is U


def test_a_mark_that_is_not_renewed_is_believed_for_4000_seconds(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.contact_a_server()
    host.clock.advance(MARK_FRESH_S - 1)
    assert host.status() is S
    host.clock.advance(2)
    assert host.status() is U
    host.contact_a_server()
    assert host.status() is S


@pytest.mark.parametrize("jump_s", [3, -3, 3_000, -3_000, 86_400])
def test_a_clock_that_was_set_after_the_mark_waits_for_the_next_one(tmp_path: Path, jump_s: float) -> None:
    host = Host(tmp_path)
    host.contact_a_server()
    assert host.status() is S
    host.clock.set_utc(host.clock.utc() + jump_s)
    assert host.status() is U
    host.contact_a_server()
    assert host.status() is S


def test_a_mark_of_the_future_is_a_clock_that_was_set_back(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.contact_a_server()
    host.clock.set_utc(NOW - 100)
    assert host.status() is U


@pytest.mark.parametrize(("apart_s", "status"), [(0, I), (30, I), (-30, I), (31, U), (-3_600, U)])
def test_a_date_that_the_rtc_confirms_is_informative(tmp_path: Path, apart_s: int, status: TimeStatus) -> None:
    host = Host(tmp_path)
    host.rtc.write_text(f"{NOW + apart_s}\n")
    assert host.status() is status


def test_an_rtc_without_a_battery_confirms_nothing(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.rtc.write_text("0\n")
    assert host.status() is U
    host.rtc.write_text("")
    assert host.status() is U


def test_the_kernel_can_be_asked() -> None:
    said = ask_kernel()
    assert said is None or said.max_error_s >= 0
