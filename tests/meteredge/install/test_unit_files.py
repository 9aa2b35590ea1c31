"""The systemd units that come with the package, as text; tests/meteredge/install/test_units_judged.py asks systemd."""

import pytest

from meterbridge.__main__ import main
from meteredge.install.changes import TRIAL
from meteredge.install.unit_files import SERVICES, packaged, unit_text


def test_the_version_before_puts_itself_back_ahead_of_all_others() -> None:
    text = unit_text("recover")
    assert "ExecStart=/opt/meterbridge/previous/bin/meterbridge agent update --recover --at-boot\n" in text
    before = next(line for line in text.splitlines() if line.startswith("Before="))
    assert all(SERVICES[name] in before for name in ("agent", "claim", "page"))
    assert f"ConditionPathExists={TRIAL}\n" in text


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "recover"])
def test_a_unit_is_whole_and_runs_the_current_slot(name: str) -> None:
    text = unit_text(name)
    assert "ExecStart=/opt/meterbridge/current/bin/meterbridge " in text
    assert "ProtectSystem=strict" in text
    assert f"User=meterbridge{'' if name in {'agent', 'claim'} else f'-{name}'}\n" in text


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in {"claim", "recover"}])
def test_a_service_that_hangs_is_found_and_started_again(name: str) -> None:
    assert "Type=notify\n" in unit_text(name)
    assert "WatchdogSec=" in unit_text(name)
    assert "Restart=" in unit_text(name)


def test_only_agent_and_claim_may_open_a_port_and_nobody_else_sees_the_key() -> None:
    for name in SERVICES:
        assert ("DeviceAllow=char-ttyUSB rw" in unit_text(name)) == (name in {"agent", "claim"})
    assert "/var/lib/meterbridge/meter.key" in packaged("meterbridge-page.service")
    assert "LoadCredential" not in unit_text("page")


def test_the_command_prints_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", "unit", "keeper"]) == 0
    assert capsys.readouterr().out == unit_text("keeper")
    assert main(["agent", "unit", "kepper"]) == 2
