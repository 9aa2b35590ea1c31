"""What a record may say about its time."""

from pathlib import Path

from meterchain.embedded import START
from meterchain.record import TimeStatus
from meteredge.timesource import HostTime, ToldTime, kernel_clock_is_disciplined


def test_timesyncd_says_synchronised_by_a_file(tmp_path: Path) -> None:
    mark = tmp_path / "synchronized"
    source = HostTime(mark, disciplined=lambda: False)
    assert source.status(START) is TimeStatus.INFORMATIVE
    mark.touch()
    assert source.status(START) is TimeStatus.SYNCHRONISED


def test_chrony_disciplines_the_kernel_clock_and_leaves_no_file(tmp_path: Path) -> None:
    assert HostTime(tmp_path / "none", disciplined=lambda: True).status(START) is TimeStatus.SYNCHRONISED


def test_a_date_before_this_software_existed_is_unknown_whatever_the_host_says() -> None:
    assert HostTime(Path("/"), disciplined=lambda: True).status(0.0) is TimeStatus.UNKNOWN
    assert ToldTime().status(0.0) is TimeStatus.UNKNOWN


def test_the_kernel_can_be_asked() -> None:
    assert kernel_clock_is_disciplined() in {True, False}
