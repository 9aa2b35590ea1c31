"""The machine: its name, room on the disk, supply voltage, versions, clocks."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from meteredge.clock import Clock
from meteredge.doctor.facts import ChainFacts, ClockFacts, Found, HostFacts, Unknown
from meteredge.timesource import HostTime, TimeSource

PACKAGES = ("meterbridge", "pyserial", "minimalmodbus", "solders", "solana")
_THROTTLED_NOW, _THROTTLED_ONCE = 1 << 0, 1 << 16
"""Bits of `vcgencmd get_throttled`: too little voltage now; since the start."""

UnderVoltage = Literal["now", "since boot", "never"] | None


def host_facts(
    directory: Path, *, root: Path = Path("/"), throttled: Callable[[], int | None] | None = None
) -> HostFacts:
    """Facts about the machine whose journal is in `directory`.  `throttled` asks the firmware of a Raspberry Pi."""
    folder = next(place for place in (directory, *directory.parents) if place.exists())
    disk = os.statvfs(folder)
    return HostFacts(
        model=_model(root),
        disk_path=str(directory),
        disk_free_bytes=disk.f_bavail * disk.f_frsize,
        disk_read_only=bool(disk.f_flag & os.ST_RDONLY),
        under_voltage=_under_voltage(root, throttled or ask_firmware),
        versions=versions(root),
    )


def clock_facts(
    clock: Clock,
    chain: Found[ChainFacts],
    chain_ahead_s: float | None,
    *,
    source: TimeSource | None = None,
    root: Path = Path("/"),
) -> ClockFacts:
    """How well the host knows the time."""
    utc = clock.utc()
    ahead: Found[float] = Unknown("the chain's clock is not known") if chain_ahead_s is None else chain_ahead_s
    if isinstance(chain, Unknown):
        ahead = Unknown("the chain did not answer")
    rtc = root / "sys/class/rtc"
    return ClockFacts(utc, str((source or HostTime(clock)).status(utc)), ahead, rtc=rtc.is_dir() and any(rtc.iterdir()))


def versions(root: Path = Path("/")) -> dict[str, str]:
    """What runs here: ours, the packages that reading and signing stand on, Python, the system."""
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    release = {}
    with suppress(OSError):
        for line in (root / "etc/os-release").read_text("utf-8").splitlines():
            key, _, value = line.partition("=")
            release[key] = value.strip('"')
    system = release.get("PRETTY_NAME", platform.system())
    return found | {"Python": platform.python_version(), "system": f"{system}, {platform.release()}"}


def ask_firmware() -> int | None:
    """What `vcgencmd get_throttled` says; None where there is no such command."""
    command = shutil.which("vcgencmd")
    if command is None:
        return None
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        answer = subprocess.run([command, "get_throttled"], capture_output=True, text=True, timeout=5, check=True)
        return int(answer.stdout.strip().rpartition("=")[2], 16)
    return None


def _under_voltage(root: Path, throttled: Callable[[], int | None]) -> UnderVoltage:
    bits = throttled()
    if bits is not None:
        return "now" if bits & _THROTTLED_NOW else "since boot" if bits & _THROTTLED_ONCE else "never"
    folder = root / "sys/class/hwmon"
    for sensor in sorted(folder.iterdir()) if folder.is_dir() else ():
        with suppress(OSError):
            if (sensor / "name").read_text("utf-8").strip() == "rpi_volt":
                return "now" if (sensor / "in0_lcrit_alarm").read_text("utf-8").strip() == "1" else "never"
    return None


def _model(root: Path) -> str:
    with suppress(OSError):
        return (root / "proc/device-tree/model").read_text("utf-8", "replace").strip("\0\n ")
    return f"{platform.machine()}, {sys.platform}"
