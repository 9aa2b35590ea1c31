"""The payload's install step in a real trixie root, Python 3.13: by chroot, and under a systemd that booted there."""

import json
import os
import shutil
import stat
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.meterprov.first_boot.conftest import OWNER, Card

from meterchain.claim import read_claim
from meteredge.install.unit_files import SERVICES
from metersim.bus import running
from metersim.bus.line import Line
from metersim.bus.loop import SegmentPlan
from metersim.bus.running import RunningBuses
from metersim.meters.installation import Installation
from metersim.meters.meter import MeterPlan

pytestmark = pytest.mark.ci

METERBRIDGE = "/opt/meterbridge/current/bin/meterbridge"
PYTHON = "/opt/meterbridge/current/bin/python"
STATE = "/var/lib/meterbridge"
GET = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())"


@pytest.fixture
def meter() -> Iterator[RunningBuses]:
    """A meter on a pty."""
    line = Line(9_600, "8N1")
    plan = MeterPlan("sdm120", Installation(seed=1), line, since_utc=0, import_mwh=7_000_000, export_mwh=5_000_000)
    with running.in_process([SegmentPlan(line, (plan,))]) as buses:
        yield buses


def give_to_dialout(card: Card, port: str) -> None:
    """As udev leaves a serial adapter: root's, and dialout may use it."""
    groups = dict(line.split(":")[::2] for line in card.path("/etc/group").read_text().splitlines())
    os.chown(port, 0, int(groups["dialout"]))
    Path(port).chmod(0o660)


def another_version(card: Card, version: str, change: Callable[[bytes], bytes] = bytes) -> str:
    """The payload's wheels, ours with another version number and changed; their folder, as the root sees it."""
    folder = card.path(f"/root/{version}")
    shutil.copytree(card.folder / "wheels", folder)
    ours = next(folder.glob("meterbridge-*.whl"))
    old = ours.name.split("-")[1]
    with zipfile.ZipFile(ours) as given, zipfile.ZipFile(folder / ours.name.replace(old, version), "w") as made:
        for name in given.namelist():
            content = change(given.read(name))
            content = content.replace(f"\nVersion: {old}\n".encode(), f"\nVersion: {version}\n".encode())
            made.writestr(name.replace(f"-{old}.dist-info", f"-{version}.dist-info"),
                          content.replace(f"-{old}.dist-info".encode(), f"-{version}.dist-info".encode()))  # fmt: skip
    ours.unlink()
    return f"/root/{version}"


def outcome(card: Card) -> dict[str, object]:
    return dict(json.loads((card.folder / "outcome.json").read_text()))


def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_a_fresh_card_becomes_a_node_whose_agent_is_enabled(card: Card, meter: RunningBuses) -> None:
    card.configure(meter.ports[0])
    give_to_dialout(card, meter.ports[0])
    ran = card.install()
    assert ran.returncode == 0, ran.stderr
    said = outcome(card)
    assert (said["ok"], said["step"], said["meter_id"]) == (True, "done", "METER_001")
    assert card.path("/etc/systemd/system/multi-user.target.wants/meterbridge-agent.service").is_symlink()
    enabled = card.trixie.run("systemctl", "is-enabled", SERVICES["agent"], SERVICES["claim"])
    assert enabled.stdout.split() == ["enabled", "enabled"]
    claim = read_claim(card.folder / "claim.json")
    assert (claim.owner, claim.meter_id, claim.public_key) == (OWNER, "METER_001", said["meter_key"])
    assert claim.baseline_import_mwh >= 7_000_000
    assert said["claim"] == {"state": "written", "file": "claim.json", "meter_serial": claim.serial}
    owner = next(line for line in card.path("/etc/passwd").read_text().splitlines() if line.startswith("meterbridge:"))
    for name in ("meter.key", "relayer.json"):
        facts = card.path(f"{STATE}/{name}").stat()
        assert stat.S_IMODE(facts.st_mode) == 0o600
        assert facts.st_uid == int(owner.split(":")[2]) != 0
    assert not card.path(f"{STATE}/claim.wanted").exists(), "the agent may start"
    seed = card.path(f"{STATE}/meter.key").read_bytes()
    for path in card.folder.rglob("*.json"):
        assert seed.hex() not in path.read_text()
        assert str(list(seed))[1:-1] not in path.read_text()

    again = card.install()
    assert again.returncode == 0, again.stderr
    assert outcome(card) == said, "the second run changed something"
    assert card.path(f"{STATE}/meter.key").read_bytes() == seed

    units = [f"/etc/systemd/system/{SERVICES[name]}" for name in ("agent", "claim", "page")]
    judged = card.trixie.run("systemd-analyze", "verify", "--recursive-errors=no", *units)
    assert (judged.returncode, judged.stderr) == (0, "")
    rules = card.trixie.run("udevadm", "verify", "/etc/udev/rules.d/99-meterbridge.rules")
    assert rules.returncode == 0, rules.stderr
    firmware = "/opt/meterbridge/a/lib/python3.13/site-packages/meterprov/firmware/main.py"
    assert card.path(firmware).is_file(), "the bridge's firmware travels in the wheel"
    page = card.trixie.run(METERBRIDGE, "docs", "agent")
    assert page.stdout.startswith("# The agent")
    demo = card.trixie.run(METERBRIDGE, "demo", "--meters", "2", "--slots", "1", "--json")
    assert json.loads(demo.stdout)["audit"]["ok"], demo.stderr
    gone = card.trixie.run(METERBRIDGE, "agent", "uninstall", "--purge", "--meter", "METER_001", "--json")
    assert gone.returncode == 0, gone.stderr
    assert not card.path(STATE).exists()
    assert "meterbridge" not in card.path("/etc/passwd").read_text()


def test_a_card_that_cannot_be_installed_says_which_step_failed(card: Card) -> None:
    solders = next((card.folder / "wheels").glob("solders-*.whl"))
    aside = solders.rename(card.folder / solders.name)
    sums = card.folder / "SHA256SUMS"
    sums.write_text(f"{'0' * 64}  install.sh\n{'0' * 64}  agent.toml\n")
    assert card.install().returncode == 1
    said = outcome(card)
    assert (said["step"], "install.sh: FAILED" in str(said["message"])) == ("card", True)
    assert "agent.toml" not in str(said["message"]), "that one may be corrected by hand"
    sums.unlink()

    ran = card.install()
    assert ran.returncode == 1
    said = outcome(card)
    assert (said["ok"], said["step"]) == (False, "wheels")
    assert "solders" in str(said["message"])
    assert not card.path("/etc/systemd/system/meterbridge-agent.service").exists()

    aside.rename(solders)
    (card.folder / "agent.toml").write_text('schema = 1\n[meter]\nunit = "one"\n')
    assert card.install().returncode == 1
    said = outcome(card)
    assert (said["ok"], said["step"]) == (False, "configuration")
    assert "meter.unit" in str(said["message"])
    assert "site" in str(said["message"]), "all mistakes are told at once"

    card.configure("/dev/serial/by-id/none")
    assert card.install().returncode == 0
    said = outcome(card)
    assert said["ok"] is True
    assert dict(said["claim"])["state"] == "waiting"  # type: ignore[call-overload]
    assert "/dev/serial/by-id/none" in str(said["claim"])
    assert card.path(f"{STATE}/meter.key").exists(), "the key does not wait for the meter"
    assert card.path(f"{STATE}/claim.wanted").exists()
    assert not (card.folder / "claim.json").exists()


def test_a_meter_that_is_wired_after_the_first_boot_gets_its_claim_and_then_its_agent(
    card: Card, meter: RunningBuses
) -> None:
    port = meter.ports[0]
    Path(port).chmod(0o600)
    card.configure(port)
    with card.trixie.booted() as machine:
        ran = machine.run("sh", "/boot/firmware/meterbridge/install.sh")
        assert ran.returncode == 0, ran.stderr + machine.console[-2000:]
        assert dict(outcome(card)["claim"])["state"] == "waiting"  # type: ignore[call-overload]
        assert machine.state(SERVICES["agent"]) == "inactive", "it waits for the claim"
        give_to_dialout(card, port)
        assert eventually((card.folder / "claim.json").exists), machine.console[-2000:]
        claim = read_claim(card.folder / "claim.json")
        assert eventually(lambda: "written" in str(outcome(card)["claim"]))
        assert claim.public_key == outcome(card)["meter_key"]
        assert eventually(lambda: machine.state(SERVICES["agent"]) == "active"), machine.console[-2000:]
        asked = machine.run(METERBRIDGE, "agent", "status", "--json")
        status = json.loads(asked.stdout)
        assert status["running"], asked.stderr
        reader = ("runuser", "-u", "meterbridge-page", "--")
        groups = machine.run(*reader, "id", "-Gn").stdout.split()
        assert "meterbridge" in groups
        beside = machine.run(*reader, METERBRIDGE, "agent", "status", "--json")
        assert json.loads(beside.stdout)["running"], "the page's user reads journal and status"
        assert machine.run(*reader, "cat", f"{STATE}/meter.key").returncode != 0
        assert machine.run(*reader, "touch", f"{STATE}/METER_001.journal").returncode != 0

        wanted = machine.run(METERBRIDGE, "agent", "install", "--page", "--json")
        assert [step for step in json.loads(wanted.stdout)["steps"] if "start at boot" in step], wanted.stderr
        started = machine.run("systemctl", "start", SERVICES["page"])
        assert started.returncode == 0, machine.console[-2000:]
        served = machine.run(PYTHON, "-c", GET, "http://127.0.0.1:8080/status.json")
        (shown,) = json.loads(served.stdout)["meters"]
        assert shown["meter_id"] == "METER_001", served.stderr
        assert machine.state(SERVICES["page"]) == "active"
