"""What systemd itself says about our units: no unknown line, and a sandbox of at most 2.0."""

import re
import subprocess
from pathlib import Path

import pytest

from meteredge.install.unit_files import SERVICES, unit_text

pytestmark = pytest.mark.ci

ALLOWED = 20
"""In tenths, as --threshold takes it."""
ALLOWED_TO_ROOT = 40
"""The one that puts an older version back writes root's files."""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, starting a command that exists."""
    for name, file in SERVICES.items():
        (tmp_path / file).write_text(
            re.sub("/opt/meterbridge/(current|previous)/bin/meterbridge", "/bin/true", unit_text(name))
        )
    return tmp_path


def analyse(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("name", SERVICES)
def test_the_sandbox_is_tight(units: Path, name: str) -> None:
    allowed = ALLOWED_TO_ROOT if name == "recover" else ALLOWED
    judged = analyse("security", "--offline=true", f"--threshold={allowed}", units / SERVICES[name])
    assert judged.returncode == 0, judged.stdout[-400:]


def test_a_service_without_the_sandbox_is_found(units: Path) -> None:
    (units / "bare.service").write_text("[Service]\nExecStart=/bin/true\n")
    assert analyse("security", "--offline=true", f"--threshold={ALLOWED}", units / "bare.service").returncode != 0


def test_systemd_understands_every_line(units: Path) -> None:
    judged = analyse("verify", "--recursive-errors=no", *sorted(units.glob("*.service")))
    assert (judged.returncode, judged.stderr) == (0, "")


def test_a_line_that_systemd_does_not_know_is_found(units: Path) -> None:
    unit = units / SERVICES["agent"]
    unit.write_text(unit.read_text().replace("MemoryMax=", "MemoryMaximum="))
    judged = analyse("verify", "--recursive-errors=no", unit)
    assert "MemoryMaximum" in judged.stderr
    assert judged.returncode != 0
