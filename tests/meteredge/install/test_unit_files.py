"""The systemd units that come with the package, as text; tests/meteredge/install/test_units_judged.py asks systemd."""

from pathlib import Path

import pytest

from meterbridge.__main__ import main
from meterbridge.exits import REFUSED, USAGE
from meteredge.config import AgentConfig, ChainTable
from meteredge.install.changes import TRIAL
from meteredge.install.unit_files import SERVICES, packaged, unit_text
from meteredge.nodetime import BOOT_ID_VARIABLE

METER_KEY = AgentConfig.model_fields["only_key"].default.file
WALLET = ChainTable.model_fields["relayer"].default


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


SANDBOX = """
NoNewPrivileges=yes CapabilityBoundingSet= UMask=0077 ProtectSystem=strict ProtectHome=yes PrivateTmp=yes
ProtectKernelTunables=yes ProtectKernelModules=yes ProtectKernelLogs=yes ProtectControlGroups=yes ProtectClock=yes
ProtectHostname=yes ProtectProc=invisible ProcSubset=pid RestrictNamespaces=yes RestrictRealtime=yes
RestrictSUIDSGID=yes LockPersonality=yes MemoryDenyWriteExecute=yes RemoveIPC=yes KeyringMode=private
SystemCallArchitectures=native SystemCallFilter=@system-service DevicePolicy=closed
"""
"""systemd's judgement by points would let any one of these be missing."""


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "recover"])
def test_a_service_has_every_part_of_the_sandbox(name: str) -> None:
    lines = unit_text(name).splitlines()
    assert [part for part in SANDBOX.split() if part not in lines] == []
    assert "SystemCallFilter=~@privileged @resources" in lines
    assert any(line.startswith("RestrictAddressFamilies=AF_UNIX") for line in lines)
    assert not [line for line in lines if line.startswith("AmbientCapabilities=C")]


def test_the_agent_gets_its_port_its_folder_and_its_key_and_is_left_alone_once_it_stopped_for_safety() -> None:
    lines = unit_text("agent").splitlines()
    assert "PrivateDevices=yes" not in lines, "it would hide the port"
    for line in ("SupplementaryGroups=dialout", "StateDirectory=meterbridge", "LoadCredential=meter.key"):
        assert line in lines
    assert f"RestartPreventExitStatus={USAGE} {REFUSED}" in lines
    assert f"Environment={BOOT_ID_VARIABLE}=%b" in lines


def test_only_agent_and_claim_may_open_a_port_and_nobody_else_sees_the_key() -> None:
    for name in SERVICES:
        assert ("DeviceAllow=char-ttyUSB rw" in unit_text(name)) == (name in {"agent", "claim"})
    assert "LoadCredential" not in unit_text("page")


def test_the_page_is_another_user_who_reads_the_journal_and_can_reach_neither_key_nor_port() -> None:
    page = dict(line.split("=", 1) for line in packaged("meterbridge-page.service").splitlines() if "=" in line)
    assert page["User"] != "meterbridge"
    assert page["SupplementaryGroups"] == "meterbridge", "what the journal's mode lets read"
    assert {"-/var/lib/meterbridge", "-/run/meterbridge"} <= set(page["ReadOnlyPaths"].split())
    assert {f"-{Path(key)}" for key in (METER_KEY, WALLET, "/etc/credstore", "/etc/credstore.encrypted")} <= set(
        page["InaccessiblePaths"].split()
    )
    assert page["PrivateDevices"] == "yes"


def test_the_command_prints_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", "unit", "keeper"]) == 0
    assert capsys.readouterr().out == unit_text("keeper")
    assert main(["agent", "unit", "kepper"]) == 2
