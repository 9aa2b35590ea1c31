"""`agent update` on a machine in a folder: two slots, tried before used, back again if it fails."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.meteredge.install.machine import CONFIG, Machine
from tests.meteredge.node import closing, install_at

from meterchain.embedded import START
from meteredge.clock import VirtualClock
from meteredge.config import parse
from meteredge.install import update as updating
from meteredge.install.changes import carry_out, plan
from meteredge.install.errors import InstallFailed, InstallRefused, UpdateBusy
from meteredge.install.host import Host
from meteredge.install.slots import MADE_FROM, digest_of, make_slot, slot_in_use
from meteredge.install.update import Updated, seconds_to_wait, update
from meteredge.journal import Identity, Journal
from meteredge.journal_schema import SCHEMA_VERSION
from meteredge.keys import create_key
from meteredge.signer import Signer

QUIET = START + 300


@dataclass
class Site:
    """The machine, two folders of wheels, and commands that answer as told."""

    machine: Machine
    wheels: Path
    fails: str = ""
    asked: list[str] = field(default_factory=list)

    def release(self, name: str) -> Path:
        folder = self.wheels / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"meterbridge-{name}-py3-none-any.whl").write_text(name)
        return folder

    def update(self, name: str, now: float = QUIET) -> Updated | None:
        return update(
            self.machine.host, self.release(name), VirtualClock(now), lambda _: None, make=self.make, ask=self.ask
        )

    def make(self, folder: Path, wheels: Path, digest: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "version").write_text(wheels.name)
        if self.fails == "make":
            raise InstallFailed("no room")
        (folder / MADE_FROM).write_text(digest)

    def ask(self, words: Sequence[str]) -> str:
        self.asked.append(" ".join(words[1:]))
        slot = Path(words[0]).parents[1]
        if self.fails and self.fails in self.asked[-1] and (slot / "version").read_text() != "0.1":
            raise InstallFailed(f"{self.fails} said no")
        return f"meterbridge {(slot / 'version').read_text()}"

    @property
    def runs(self) -> str:
        return (self.machine.host.at("/opt/meterbridge/current") / "version").read_text()


@pytest.fixture
def site(machine: Machine, tmp_path: Path) -> Site:
    slot = machine.root / "opt/meterbridge/a"
    carry_out(plan(machine.host, config=CONFIG, slot=slot).steps, lambda _: None)
    site = Site(machine, tmp_path / "releases")
    site.make(slot, site.release("0.1"), digest_of(site.release("0.1")))
    return site


def test_each_version_goes_to_the_slot_that_is_not_in_use(site: Site) -> None:
    assert site.update("0.2") == Updated("b", "0.2", "a")
    assert site.runs == "0.2"
    assert site.update("0.3") == Updated("a", "0.3", "b")
    assert site.runs == "0.3"
    assert site.update("0.3") is None
    assert site.update("0.2") == Updated("b", "0.2", "a"), "back to the version before, which is still there"


@pytest.mark.parametrize("step", ["make", "--version", "agent check", "agent install"])
def test_whatever_fails_the_old_version_runs_on(site: Site, step: str) -> None:
    site.fails = step
    with pytest.raises(InstallFailed):
        site.update("0.2")
    assert site.runs == "0.1"
    assert slot_in_use(site.machine.host) == "a"
    site.fails = ""
    assert site.update("0.2") == Updated("b", "0.2", "a")


def test_a_slot_that_was_half_made_is_made_anew(site: Site) -> None:
    site.fails = "make"
    with pytest.raises(InstallFailed):
        site.update("0.2")
    half = site.machine.root / "opt/meterbridge/b"
    assert half.exists()
    assert not (half / MADE_FROM).exists()
    site.fails = ""
    site.update("0.2")
    assert site.runs == "0.2"


def test_without_an_installation_there_is_nothing_to_update(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(InstallRefused, match="agent install"):
        Site(machine, tmp_path / "releases").update("0.2")


def test_a_folder_without_our_wheel_is_named(tmp_path: Path) -> None:
    with pytest.raises(InstallFailed, match=r"no meterbridge-\*\.whl"):
        digest_of(tmp_path)


@given(now=st.floats(min_value=1.7e9, max_value=1.8e9))
def test_after_waiting_as_told_it_is_quiet(now: float) -> None:
    wait = seconds_to_wait(now)
    assert 0 <= wait <= 140
    assert seconds_to_wait(now + wait + 0.001) == 0


@dataclass(frozen=True)
class RunningHost(Host):
    """A machine that systemd manages."""

    @property
    def is_running(self) -> bool:
        return True


def test_no_restart_while_a_slot_is_being_closed_and_one_as_soon_as_it_is(site: Site) -> None:
    host = RunningHost(site.machine.root, site.machine.host.run, site.machine.host.own)
    config = parse(CONFIG, "test")
    signer = Signer(create_key(host.at("/var/lib/meterbridge/meter.key")))
    journal = Journal.open(host.at(config.journal_path), Identity("METER_001", config.domain, bytes(signer.public_key)))
    journal.begin_install(install_at())
    wheels = site.release("0.2")

    def go(now: float) -> Updated | None:
        return update(host, wheels, VirtualClock(now), lambda _: None, make=site.make, ask=site.ask)

    for second in (-20, -1, 0, 60, 109):
        with pytest.raises(UpdateBusy, match="try again in"):
            go(START + 900 + 900 + second)
    assert site.runs == "0.1"
    journal.append(closing(2), signer.sign_record)
    assert go(START + 900 + 900 + 900 + 60 - 900) is not None, "this slot is closed"
    journal.close()


def test_two_updates_at_once_are_one_too_many(site: Site) -> None:
    def second(folder: Path, wheels: Path, digest: str) -> None:
        site.make(folder, wheels, digest)
        with pytest.raises(UpdateBusy, match="another update"):
            site.update("0.3")

    update(site.machine.host, site.release("0.2"), VirtualClock(QUIET), lambda _: None, make=second, ask=site.ask)
    assert site.runs == "0.2"


def journals(folder: Path, *, records: int) -> Path:
    """A journal with `records`, and beside it a copy from before a migration with one."""
    signer = Signer(create_key(folder / "meter.key"))
    path = folder / "METER_001.journal"
    journal = Journal.open(path, Identity("METER_001", bytes(8), bytes(signer.public_key)))
    journal.begin_install(install_at())
    journal.append(closing(1), signer.sign_record)
    journal._connection.execute("VACUUM INTO ?", (str(folder / f"METER_001.journal.schema{SCHEMA_VERSION}"),))
    for n in range(2, records + 1):
        journal.append(closing(n), signer.sign_record)
    journal._connection.execute("PRAGMA user_version = 99")
    journal.close()
    return path


def test_the_journal_goes_back_with_the_version_if_nothing_was_signed_since(tmp_path: Path) -> None:
    path = journals(tmp_path, records=1)
    updating._journal_back(path, SCHEMA_VERSION)
    assert updating._schema(path) == SCHEMA_VERSION
    assert not list(tmp_path.glob("*-wal"))


def test_a_record_of_the_new_version_is_never_signed_a_second_time(tmp_path: Path) -> None:
    path = journals(tmp_path, records=2)
    with pytest.raises(InstallFailed, match="signed records"):
        updating._journal_back(path, SCHEMA_VERSION)
    assert updating._schema(path) == 99


def test_a_slot_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "meterbridge-0.1-py3-none-any.whl").write_text("no wheel")
    (wheels / "pip-1-py3-none-any.whl").write_text("no pip")
    with pytest.raises(InstallFailed, match="failed:"):
        make_slot(tmp_path / "slot", wheels, "digest")
    assert not (tmp_path / "slot" / MADE_FROM).exists()
