"""The node's time: who is believed."""

from pathlib import Path

import pytest

from meterchain.record import TimeStatus
from meteredge.clock import VirtualClock
from meteredge.nodetime import Instant, NodeTime, boot_id
from meteredge.timesource import EARLIEST_S, ToldTime

START = EARLIEST_S + 10_000_000
S, I, U = TimeStatus.SYNCHRONISED, TimeStatus.INFORMATIVE, TimeStatus.UNKNOWN  # noqa: E741


class Host:
    """A node whose clock and time source a test sets."""

    def __init__(self, status: TimeStatus) -> None:
        self.clock = VirtualClock(START)
        self.source = ToldTime(status)
        self.time = NodeTime(self.clock, self.source)

    def now(self) -> tuple[float, TimeStatus] | None:
        instant = self.time.now()
        return None if instant is None else (instant.utc - START, instant.status)


def test_a_synchronised_clock_is_believed() -> None:
    assert Host(S).now() == (0, S)


def test_a_clock_that_nobody_vouches_for_is_not() -> None:
    assert Host(U).now() is None


def test_a_clock_that_was_synchronised_since_this_boot_is_informative() -> None:
    host = Host(S)
    host.time.now()
    host.source.now = U
    host.clock.advance(100)
    assert host.now() == (100, I)


@pytest.mark.parametrize("jump_s", [31, -31, 3_600, -86_400])
def test_a_clock_that_was_set_by_hand_is_not_followed(jump_s: float) -> None:
    host = Host(S)
    host.time.now()
    host.source.now = U
    host.clock.advance(100)
    host.clock.set_utc(host.clock.utc() + jump_s)
    host.clock.advance(10)
    assert host.now() == (110, I)


def test_a_clock_that_was_put_right_by_a_little_is_followed() -> None:
    host = Host(S)
    host.time.now()
    host.source.now = U
    host.clock.set_utc(host.clock.utc() + 20)
    assert host.now() == (20, I)


def test_the_chain_is_the_last_witness() -> None:
    host = Host(U)
    host.clock.set_utc(START - 7_200)  # the date of the last shutdown
    host.time.hear_chain(START + 5)
    assert host.now() == (5, I)
    host.clock.advance(600)
    assert host.now() == (605, I)


def test_a_date_that_the_chain_confirms_is_the_hosts() -> None:
    host = Host(U)
    host.time.hear_chain(START + 25)
    assert host.now() == (0, I)


def test_a_synchronised_clock_does_not_bow_to_the_chain() -> None:
    host = Host(S)
    host.time.now()
    assert not host.time.wants_witness
    host.time.hear_chain(START + 7_200)
    assert host.now() == (0, S)


def test_the_chain_corrects_a_clock_that_is_not_synchronised_any_more() -> None:
    host = Host(S)
    host.time.now()
    host.source.now = U
    host.time.now()
    host.time.hear_chain(START + 40)
    assert host.now() == (40, I)


def test_a_date_before_this_software_existed_is_corrected_by_the_chain_too() -> None:
    host = Host(I)
    host.clock.set_utc(100)
    assert host.now() is None
    host.time.hear_chain(START)
    assert host.now() == (0, I)


def test_the_offset_tells_a_clock_that_was_set() -> None:
    assert Instant(START, 10.0, S).offset_s == Instant(START + 5, 15.0, I).offset_s


def test_the_unit_tells_the_boot_id_where_its_sandbox_hides_it(tmp_path: Path) -> None:
    file = tmp_path / "boot_id"
    file.write_text("0d5c1b5e-5a4f-4c0f-8d6a-2f6b4a1e9c77\n")
    assert boot_id({}, file) == "0d5c1b5e5a4f4c0f8d6a2f6b4a1e9c77"
    assert boot_id({"METERBRIDGE_BOOT_ID": "00112233445566778899aabbccddeeff"}, file).startswith("0011")


def test_without_a_boot_id_nothing_that_an_earlier_process_kept_is_dated(tmp_path: Path) -> None:
    none = tmp_path / "none"
    assert boot_id({}, none) != boot_id({}, none)
