"""`agent update` on a node that runs under its own systemd: a version that works, one cut short, one that is broken."""

import fcntl
import json
import platform
import termios
from dataclasses import replace
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from solders.pubkey import Pubkey
from tests.meterprov.first_boot.conftest import Card
from tests.meterprov.first_boot.test_first_boot import METERBRIDGE, another_version, eventually, give_to_dialout, meter
from tests.meterprov.first_boot.trixie import Booted

from meteredge.clock import SystemClock
from meteredge.install.changes import TRIAL
from meteredge.install.slots import MADE_FROM
from meteredge.install.unit_files import SERVICES
from meterprov.system import SYSTEMS
from meterprov.update_bundle import make_bundle
from meterprov.wheels import Wheel
from metersim.bus.running import RunningBuses

__all__ = ["meter"]

pytestmark = pytest.mark.ci

KEY, STRANGER = SigningKey.generate(), SigningKey.generate()
HERE = replace(SYSTEMS["trixie"], machine=platform.machine())


def bundle(card: Card, wheels: Path, name: str, key: SigningKey = KEY) -> str:
    """A bundle of a folder of wheels, copied to the node; its path there."""
    there = [Wheel(path) for path in wheels.glob("*.whl")]
    make_bundle(card.path(f"/root/{name}"), there, HERE, key, SystemClock())
    return f"/root/{name}"


def does_not_start(content: bytes) -> bytes:
    """It passes its check and ends as soon as it runs, before it has opened the port."""
    return content.replace(
        b"    interrupted = threading.Event()\n", b'    raise SystemExit("this version is broken")\n'
    )


def release_port(path: str) -> None:
    """As a port does when its last owner dies; this one's other end stays open, and what was asked of it."""
    with Path(path).open("rb", buffering=0) as port:
        fcntl.ioctl(port, termios.TIOCNXCL)


def current(card: Card) -> str:
    return str(card.path("/opt/meterbridge/current").readlink())


def reads(machine: Booted) -> bool:
    """Is the agent up, and has it read its meter?"""
    said = machine.run(METERBRIDGE, "agent", "status", "--json").stdout
    status = json.loads(said) if said else {"running": False}
    return bool(status["running"] and status["meters"][0].get("read_at"))


def test_a_node_takes_what_works_and_comes_back_from_what_does_not(card: Card, meter: RunningBuses) -> None:
    card.configure(meter.ports[0])
    give_to_dialout(card, meter.ports[0])
    (card.folder / "update.pub").write_text(f"{Pubkey(bytes(KEY.verify_key))}\n")
    first = bundle(card, card.folder / "wheels", "first.tar")
    with card.trixie.booted() as machine:
        installed = machine.run("sh", "/boot/firmware/meterbridge/install.sh")
        assert installed.returncode == 0, installed.stderr + machine.console[-2000:]
        assert eventually(lambda: reads(machine)), machine.console[-2000:]

        newer = card.path(another_version(card, "9.1"))
        strange = machine.run(METERBRIDGE, "agent", "update", bundle(card, newer, "strange.tar", STRANGER))
        assert (strange.returncode, current(card)) == (4, "a"), strange.stderr
        assert "not of this node's release key" in strange.stderr

        good = bundle(card, newer, "9.1.tar")
        rehearsed = machine.run(METERBRIDGE, "agent", "update", good, "--dry-run", "--json")
        assert json.loads(rehearsed.stdout)["changed"] is False, rehearsed.stderr
        updated = machine.run(METERBRIDGE, "agent", "update", good, "--json")
        assert updated.returncode == 0, updated.stderr
        said = json.loads(updated.stdout)
        assert (said["changed"], said["slot"], said["version"], said["was"]) == (True, "b", "9.1", "a")
        assert machine.run(METERBRIDGE, "--version").stdout == "meterbridge 9.1\n"
        assert reads(machine)
        assert not card.path(TRIAL).exists()

        older = machine.run(METERBRIDGE, "agent", "update", first)
        assert (older.returncode, current(card)) == (4, "b")
        assert "--allow-older goes back" in older.stderr
        going_back = machine.begin(METERBRIDGE, "agent", "update", first, "--allow-older")
        assert eventually(lambda: card.path(TRIAL).exists() and current(card) == "a")
    going_back.wait(10)
    release_port(meter.ports[0])
    assert current(card) == "a", "the power was cut while that version was on trial"

    with card.trixie.booted() as machine:
        assert not card.path(TRIAL).exists(), machine.console[-2000:]
        assert current(card) == "b"
        assert machine.state("meterbridge-recover.service", "Result") == "success"
        assert eventually(lambda: reads(machine)), machine.run(METERBRIDGE, "agent", "status", "--json").stdout
        assert machine.run(METERBRIDGE, "--version").stdout == "meterbridge 9.1\n"

        broken = bundle(card, card.path(another_version(card, "9.2", does_not_start)), "9.2.tar")
        failed = machine.run(METERBRIDGE, "agent", "update", broken)
        assert (failed.returncode, current(card)) == (3, "b"), failed.stderr
        assert "the new version is not well, b runs again" in failed.stderr
        assert (card.path("/opt/meterbridge/a") / MADE_FROM).exists(), "it was whole, and tried"
        assert machine.state(SERVICES["agent"]) == "active"
        assert eventually(lambda: reads(machine)), machine.run(METERBRIDGE, "agent", "status", "--json").stdout
        assert not card.path(TRIAL).exists()
