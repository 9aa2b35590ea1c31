"""`agent install` and `agent uninstall` on a machine in a folder."""

import json
import stat
import sys
from pathlib import Path

import pytest
from tests.meteredge.install.machine import CONFIG, Machine
from tests.meteredge.node import closing, install_at

from meterbridge.__main__ import main
from meteredge.config import parse
from meteredge.install.changes import carry_out, plan
from meteredge.install.errors import InstallFailed, InstallRefused
from meteredge.install.host import run_command
from meteredge.install.removal import removal
from meteredge.install.slots import slot_to_make
from meteredge.journal import Identity, Journal
from meteredge.keys import create_key
from meteredge.signer import Signer

AGENT_TOML = "/etc/meterbridge/agent.toml"
SLOT = Path("opt/meterbridge/a")


def install(machine: Machine, config: str | None = CONFIG) -> list[str]:
    told: list[str] = []
    carry_out(plan(machine.host, config=config, slot=machine.root / SLOT).steps, told.append)
    return told


def test_a_second_installation_has_nothing_to_do(machine: Machine) -> None:
    assert install(machine)
    settled = plan(machine.host, config=CONFIG, slot=machine.root / SLOT)
    # ownership cannot be had without root: the folder's is the one step that stays
    assert [step.what for step in settled.steps] == ["give /var/lib/meterbridge to the user meterbridge, mode 0750"]
    assert settled.kept == ()


def test_a_plan_changes_nothing(machine: Machine) -> None:
    assert plan(machine.host, slot=machine.root / SLOT).steps
    assert machine.tree() == {}
    assert machine.ran == []


def test_files_are_where_systemd_and_udev_look_for_them(machine: Machine) -> None:
    install(machine)
    assert machine.text(AGENT_TOML) == CONFIG
    assert stat.S_IMODE(machine.host.at(AGENT_TOML).stat().st_mode) == 0o640, "an RPC address may hold a password"
    assert machine.owned[machine.host.at("/var/lib/meterbridge")] == (990, 991)
    tree = machine.tree()
    assert tree["opt/meterbridge/current"] == "a"
    assert tree["usr/local/bin/meterbridge"] == "/opt/meterbridge/current/bin/meterbridge"
    assert "etc/systemd/system/multi-user.target.wants/meterbridge-agent.service" in tree
    assert "etc/systemd/system/multi-user.target.wants/meterbridge-page.service" not in tree
    assert 'ATTR{latency_timer}="1"' in tree["etc/udev/rules.d/99-meterbridge.rules"]
    assert not any("/." in path for path in tree if "installed" not in path), "no draft is left"


def test_the_udev_rule_has_the_last_word_on_modem_manager_and_brltty_for_every_make_of_adapter(
    machine: Machine,
) -> None:
    install(machine)
    (path,) = (path for path in machine.tree() if path.startswith("etc/udev/rules.d/"))
    assert Path(path).name > "85-brltty.rules", "behind the distribution's own"
    lines = machine.tree()[path].splitlines()
    makes, acts = lines.index('LABEL="meterbridge_adapter"'), lines.index('LABEL="meterbridge_end"')
    for make in ("0403", "1a86", "10c4", "067b", "2e8a"):
        assert f'ATTR{{idVendor}}=="{make}", GOTO="meterbridge_adapter"' in lines[:makes]
    assert 'ENV{ID_MM_DEVICE_IGNORE}="1"' in lines[makes:acts]
    assert 'ENV{BRLTTY_BRAILLE_DRIVER}="", ENV{SYSTEMD_WANTS}=""' in lines[makes:acts]


def test_a_page_that_could_not_run_is_not_started_at_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert main(["agent", "install", "--page", "--root", str(tmp_path), "--dry-run"]) == 4
    assert "pip install 'meterbridge[web]'" in capsys.readouterr().err


def test_a_configuration_that_somebody_changed_is_never_written_over(machine: Machine) -> None:
    install(machine)
    changed = CONFIG.replace("unit = 1", "unit = 2")
    machine.host.at(AGENT_TOML).write_text(changed)
    with pytest.raises(InstallRefused, match="stays as it is"):
        install(machine)
    install(machine, config=None)
    assert machine.text(AGENT_TOML) == changed


def test_a_configuration_that_nobody_changed_gives_way_to_a_newer_one(machine: Machine) -> None:
    install(machine)
    newer = CONFIG.replace("unit = 1", "unit = 7")
    install(machine, config=newer)
    assert machine.text(AGENT_TOML) == newer


def test_a_unit_that_somebody_changed_is_kept_and_said(machine: Machine) -> None:
    install(machine)
    unit = machine.host.at("/etc/systemd/system/meterbridge-agent.service")
    unit.write_text(unit.read_text() + "# mine\n")
    settled = plan(machine.host, config=CONFIG, slot=machine.root / SLOT)
    assert [line for line in settled.kept if "meterbridge-agent.service" in line and "drop-in" in line]
    assert unit.read_text().endswith("# mine\n")


def test_an_installation_that_was_cut_off_anywhere_goes_on_from_there(machine: Machine, tmp_path: Path) -> None:
    install(machine)
    whole = machine.tree()
    for cut in range(13):
        other = Machine(tmp_path / f"cut{cut}")
        other.root.mkdir()
        carry_out(plan(other.host, config=CONFIG, slot=other.root / SLOT).steps[:cut], lambda _: None)
        assert (other.tree() == whole) == (cut >= 12), "there are twelve steps"
        install(other)
        assert other.tree() == whole


def test_the_system_s_own_python_and_home_folders_are_refused(machine: Machine) -> None:
    with pytest.raises(InstallRefused, match="environment of its own"):
        plan(machine.host, slot=Path(sys.base_prefix))
    real = type(machine.host)(Path("/"), machine.host.run, machine.host.own)
    with pytest.raises(InstallRefused, match="home folder"):
        plan(real, slot=Path("/home/pi/venv"))


def test_an_environment_that_is_the_folder_itself_is_a_slot_too(machine: Machine) -> None:
    carry_out(plan(machine.host, config=CONFIG, slot=machine.root / "opt/meterbridge").steps, lambda _: None)
    assert machine.tree()["opt/meterbridge/current"] == "."
    assert slot_to_make(machine.host) == "a"


def test_a_command_of_the_system_that_fails_is_told_with_its_own_words() -> None:
    with pytest.raises(InstallFailed, match=r"exit code 3: no way"):
        run_command(["sh", "-c", "echo no way >&2; exit 3"])
    with pytest.raises(InstallFailed, match="is systemd installed"):
        run_command(["/nonexistent/systemctl"])


def test_uninstalling_leaves_key_journal_and_configuration(machine: Machine) -> None:
    install(machine)
    key = machine.host.at("/var/lib/meterbridge/meter.key")
    create_key(key)
    before = key.read_bytes()
    going = removal(machine.host)
    carry_out(going.steps, lambda _: None)
    assert key.read_bytes() == before
    assert machine.text(AGENT_TOML) == CONFIG
    assert [line for line in going.kept if "/var/lib/meterbridge" in line]
    key.rename(machine.root.parent / "key")
    left = {path for path in machine.tree() if "wants" not in path}
    assert left == {"etc/passwd", "etc/meterbridge/agent.toml", "etc/meterbridge/.installed.json",
                    "etc/sysusers.d/meterbridge.conf"}  # fmt: skip


def journal_of(machine: Machine, *, final: bool) -> None:
    signer = Signer(create_key(machine.host.at("/var/lib/meterbridge/meter.key")))
    config = parse(CONFIG, "test")
    journal = Journal.open(
        machine.host.at(config.journal_path), Identity("METER_001", config.domain, bytes(signer.public_key))
    )
    journal.begin_install(install_at())
    row = journal.append(closing(1), signer.sign_record)
    if final:
        journal.mark_final(row.install_id, row.seq)
    journal.close()


def test_purging_needs_the_meter_s_own_id(machine: Machine) -> None:
    install(machine)
    journal_of(machine, final=True)
    with pytest.raises(InstallRefused, match="nothing was removed"):
        removal(machine.host, purge_meter="METER_002")
    carry_out(removal(machine.host, purge_meter="METER_001").steps, lambda _: None)
    assert not machine.host.at("/var/lib/meterbridge").exists()
    assert not machine.host.at(AGENT_TOML).exists()


def test_purging_is_refused_while_a_record_waits_for_delivery(machine: Machine) -> None:
    install(machine)
    journal_of(machine, final=False)
    with pytest.raises(InstallRefused, match="1 records were not delivered"):
        removal(machine.host, purge_meter="METER_001")


def test_the_record_of_what_was_installed_has_a_digest_for_every_file(machine: Machine) -> None:
    install(machine)
    record = json.loads(machine.text("/etc/meterbridge/.installed.json"))
    assert AGENT_TOML in record["files"]
    assert len(record["files"]) == 7
