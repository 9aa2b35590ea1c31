"""The machine: what a Raspberry Pi's files and firmware say."""

from pathlib import Path

import pytest

from meterchain.record import TimeStatus
from meteredge.clock import VirtualClock
from meteredge.doctor.facts import Unknown
from meteredge.doctor.gather.host import clock_facts, host_facts
from meteredge.timesource import ToldTime


@pytest.mark.parametrize(
    ("bits", "said"), [(0x0, "never"), (0x50005, "now"), (0x50000, "since boot"), (0x20002, "never")]
)
def test_the_firmware_tells_of_too_little_voltage(tmp_path: Path, bits: int, said: str) -> None:
    assert host_facts(tmp_path, root=tmp_path, throttled=lambda: bits).under_voltage == said


@pytest.mark.parametrize(("alarm", "said"), [("0", "never"), ("1", "now")])
def test_without_its_command_the_kernel_tells(tmp_path: Path, alarm: str, said: str) -> None:
    sensor = tmp_path / "sys/class/hwmon/hwmon1"
    sensor.mkdir(parents=True)
    (sensor / "name").write_text("rpi_volt\n")
    (sensor / "in0_lcrit_alarm").write_text(f"{alarm}\n")
    assert host_facts(tmp_path, root=tmp_path, throttled=lambda: None).under_voltage == said


def test_another_board_does_not_tell(tmp_path: Path) -> None:
    assert host_facts(tmp_path, root=tmp_path, throttled=lambda: None).under_voltage is None


def test_the_board_is_named_as_its_device_tree_does(tmp_path: Path) -> None:
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_bytes(b"Raspberry Pi Zero 2 W Rev 1.0\0")
    facts = host_facts(tmp_path / "not/yet", root=tmp_path, throttled=lambda: None)
    assert facts.model == "Raspberry Pi Zero 2 W Rev 1.0"
    assert facts.disk_free_bytes > 0
    assert {"meterbridge", "pyserial", "solders", "Python"} <= set(facts.versions)


def test_the_clock_is_as_its_source_says_and_compared_with_the_chain(tmp_path: Path) -> None:
    (tmp_path / "sys/class/rtc/rtc0").mkdir(parents=True)
    clock = VirtualClock(1_782_043_200.0)
    told = ToldTime(TimeStatus.INFORMATIVE)
    facts = clock_facts(clock, Unknown("no answer"), None, source=told, root=tmp_path)
    assert (facts.status, facts.rtc, facts.chain_ahead_s) == ("I", True, Unknown("the chain did not answer"))
