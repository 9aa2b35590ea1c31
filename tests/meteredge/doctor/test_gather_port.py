"""What Linux says of a port, from folders that look like /dev, /sys, /proc and /run."""

import os
from pathlib import Path

import pytest

from meteredge.doctor.facts import Culprit
from meteredge.doctor.gather.port import port_facts

BY_ID = "dev/serial/by-id/usb-FTDI_FT232R_A1B2-if00-port0"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def plug(root: Path, name: str, vid: str, pid: str, serial: str | None, socket: str) -> None:
    """An adapter as sysfs shows it."""
    usb = root / f"sys/devices/usb1/{socket}"
    for file, text in (("idVendor", vid), ("idProduct", pid), ("product", "USB UART")):
        write(usb / file, f"{text}\n")
    if serial:
        write(usb / "serial", f"{serial}\n")
    tty = usb / f"{socket}:1.0" / name
    write(tty / "latency_timer", "16\n")
    (root / "sys/bus/usb-serial/drivers/ftdi_sio").mkdir(parents=True, exist_ok=True)
    link(tty / "driver", root / "sys/bus/usb-serial/drivers/ftdi_sio")
    link(root / f"sys/class/tty/{name}/device", tty)
    write(root / f"dev/{name}", "")
    link(root / f"dev/serial/by-path/pci-usb-{socket}-port0", root / f"dev/{name}")


def run(root: Path, pid: int, name: str, *opened: str) -> None:
    """A process as /proc shows it."""
    write(root / f"proc/{pid}/comm", f"{name}\n")
    (root / f"proc/{pid}/fd").mkdir()
    for number, path in enumerate(opened):
        link(root / f"proc/{pid}/fd/{number}", Path(path))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    plug(tmp_path, "ttyUSB0", "0403", "6001", "A1B2", "1-1")
    link(tmp_path / BY_ID, tmp_path / "dev/ttyUSB0")
    return tmp_path


def test_an_adapter_is_followed_from_its_name_to_its_socket(root: Path) -> None:
    facts = port_facts(f"/{BY_ID}", trouble=None, agent_has_it=False, root=root)
    adapter = facts.adapter
    assert facts.device == "/dev/ttyUSB0"
    assert (adapter.vid, adapter.pid, adapter.serial_number) == (0x0403, 0x6001, "A1B2")
    assert (adapter.driver, adapter.latency_timer_ms) == ("ftdi_sio", 16)
    assert adapter.by_path == "/dev/serial/by-path/pci-usb-1-1-port0"
    assert str(adapter) == "USB UART (0403:6001)"


def test_a_second_adapter_without_serial_number_is_a_twin(root: Path) -> None:
    plug(root, "ttyUSB1", "1a86", "7523", None, "1-2")
    plug(root, "ttyUSB2", "1a86", "7523", None, "1-3")
    facts = port_facts("/dev/ttyUSB1", trouble=None, agent_has_it=False, root=root)
    assert facts.adapter.twins == ("/dev/ttyUSB2",)


def test_who_has_the_port_open_is_named(root: Path) -> None:
    run(root, 77, "screen", "/dev/null", "/dev/ttyUSB0")
    run(root, 78, "bash", "/dev/null")
    facts = port_facts("/dev/ttyUSB0", trouble=None, agent_has_it=False, root=root)
    assert facts.holders == (Culprit(77, "screen"),)


def test_programs_that_probe_serial_ports_are_named(root: Path) -> None:
    run(root, 5, "ModemManager")
    run(root, 6, "brltty")
    run(root, 7, "sshd")
    facts = port_facts("/dev/ttyUSB0", trouble=None, agent_has_it=False, root=root)
    assert {culprit.name for culprit in facts.meddlers} == {"ModemManager", "brltty"}


def test_udev_knows_whether_modem_manager_keeps_away(root: Path) -> None:
    facts = (root / "dev/ttyUSB0").stat()
    known = root / f"run/udev/data/c{os.major(facts.st_rdev)}:{os.minor(facts.st_rdev)}"
    for told, ignores in (("E:ID_VENDOR_ID=0403\n", False), ("E:ID_MM_DEVICE_IGNORE=1\n", True)):
        write(known, told)
        found = port_facts("/dev/ttyUSB0", trouble=None, agent_has_it=False, root=root)
        assert found.adapter.modem_manager_ignores is ignores


def test_a_port_that_is_not_there_has_no_adapter(root: Path) -> None:
    facts = port_facts("/dev/ttyUSB9", trouble=None, agent_has_it=False, root=root)
    assert (facts.device, facts.adapter.vid) == (None, None)


def test_a_usb_id_that_nothing_has_is_a_missing_port() -> None:
    facts = port_facts("dead:beef:1", trouble=None, agent_has_it=False)
    assert facts.trouble is not None
    assert facts.trouble.kind == "port_missing"
