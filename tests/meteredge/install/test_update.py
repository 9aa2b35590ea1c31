"""`agent update` on a machine in a folder: two slots, tried before used, back again if it fails."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey
from tests.meteredge.install.bundles import RELEASE_KEY, STRANGER, bundle
from tests.meteredge.install.machine import CONFIG, Machine
from tests.meteredge.node import closing, install_at

from meterchain.embedded import START
from meteredge.clock import VirtualClock
from meteredge.config import parse
from meteredge.install.changes import TRIAL, carry_out, plan
from meteredge.install.errors import InstallFailed, InstallRefused, UpdateBusy
from meteredge.install.host import Host
from meteredge.install.journals import can_go_back, go_back, schema_of
from meteredge.install.moment import WAIT_AT_MOST_S, seconds_to_wait
from meteredge.install.release import ReleaseRefused, runs_here
from meteredge.install.slots import MADE_FROM, digest_of, make_slot, slot_in_use
from meteredge.install.update import WHEELS, Updated, Wishes, folder_of_wheels, signed_bundle, update
from meteredge.journal import Identity, Journal
from meteredge.journal_rows import State
from meteredge.journal_schema import SCHEMA_VERSION
from meteredge.keys import create_key
from meteredge.signer import Signer

QUIET = START + 300


@dataclass
class Site:
    """The machine, folders of wheels, and commands that answer as told."""

    machine: Machine
    wheels: Path
    fails: str = ""
    """A command that the new version does not manage."""
    reads: bool = True
    """Does the new version's agent read its meter?"""
    agent: str = "active"
    """What systemd says of its unit."""
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(QUIET))
    asked: list[str] = field(default_factory=list)

    def release(self, name: str) -> Path:
        folder = self.wheels / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"meterbridge-{name}-py3-none-any.whl").write_text(name)
        return folder

    def update(self, name: str, host: Host | None = None, **wishes: bool) -> Updated | None:
        source = folder_of_wheels(self.release(name))
        return update(
            host or self.machine.host, source, self.clock, print, Wishes(**wishes), make=self.make, ask=self.ask
        )

    def make(self, folder: Path, wheels: Path, digest: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "version").write_text(wheels.name)
        if self.fails == "make":
            raise InstallFailed("no room")
        (folder / MADE_FROM).write_text(digest)

    def ask(self, words: Sequence[str]) -> str:
        if words[0] == "systemctl":
            return self.agent
        self.asked.append(" ".join(words[1:]))
        slot = Path(words[0]).parents[1]
        if self.fails and self.fails in self.asked[-1] and (slot / "version").read_text() != "0.1":
            raise InstallFailed(f"{self.fails} said no")
        if "status" in self.asked[-1]:
            read_at = self.clock.utc() if self.reads or (slot / "version").read_text() == "0.1" else None
            return json.dumps({"running": True, "pid": 7, "meters": [{"meter_id": "METER_001", "read_at": read_at}]})
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
    assert 0 <= wait <= 300
    assert seconds_to_wait(now + wait + 0.001) == 0


@dataclass(frozen=True)
class RunningHost(Host):
    """A machine that systemd manages."""

    @property
    def is_running(self) -> bool:
        return True


@pytest.fixture
def running(site: Site) -> RunningHost:
    return RunningHost(site.machine.root, site.machine.host.run, site.machine.host.own)


def units_told(site: Site) -> list[str]:
    """What systemd was asked to do with the agent, in order."""
    words = ("stop", "restart")
    return [
        each for ran in site.machine.ran for each in ran if each in words and ran[-1] == "meterbridge-agent.service"
    ]


def test_a_new_version_whose_agent_reads_is_kept(site: Site, running: RunningHost) -> None:
    assert site.update("0.2", running) == Updated("b", "0.2", "a")
    assert site.runs == "0.2"
    assert units_told(site) == ["restart"]
    assert not running.at(TRIAL).exists()


def test_a_new_version_whose_agent_does_not_read_is_left_again_and_says_why(site: Site, running: RunningHost) -> None:
    site.reads = False
    with pytest.raises(InstallFailed, match=r"a runs again: METER_001: not read since the start"):
        site.update("0.2", running)
    assert site.runs == "0.1"
    assert units_told(site) == ["restart", "stop", "restart"]
    assert not running.at(TRIAL).exists()


@pytest.mark.parametrize(("agent", "told"), [("inactive", []), ("failed", ["restart"]), ("activating", ["restart"])])
def test_an_agent_that_somebody_stopped_stays_so_and_one_that_fails_is_started(
    site: Site, running: RunningHost, agent: str, told: list[str]
) -> None:
    site.agent = agent
    assert site.update("0.2", running) is not None
    assert units_told(site) == told


def test_a_dry_run_changes_nothing(site: Site, running: RunningHost) -> None:
    before = site.machine.tree()
    assert site.update("0.2", running, dry_run=True) == Updated("b", None, "a")
    assert site.machine.tree() == before
    assert site.machine.ran[-1][1] != "restart"


def own_journal(site: Site) -> tuple[Journal, Signer]:
    """The journal of the machine's meter, open, without a record."""
    config = parse(CONFIG, "test")
    signer = Signer(create_key(site.machine.host.at("/var/lib/meterbridge/meter.key")))
    path = site.machine.host.at(config.journal_path)
    journal = Journal.open(path, Identity("METER_001", config.domain, bytes(signer.public_key)))
    journal.begin_install(install_at())
    return journal, signer


def test_no_restart_while_a_slot_is_being_closed_and_one_as_soon_as_it_is(site: Site, running: RunningHost) -> None:
    journal, signer = own_journal(site)
    for second in (-150, -20, -1, 0, 60, 109):
        site.clock = VirtualClock(START + 900 + 900 + second)
        with pytest.raises(UpdateBusy, match="a slot is being closed; try again in"):
            site.update("0.2", running)
    assert site.runs == "0.1"
    row = journal.append(closing(2), signer.sign_record)
    journal.mark_final(row.install_id, row.seq)
    site.clock = VirtualClock(START + 900 + 900 + 60)
    assert site.update("0.2", running) is not None, "this slot is closed"
    journal.close()


def test_a_node_that_closes_no_slots_yet_may_be_restarted_at_any_time(site: Site, running: RunningHost) -> None:
    site.clock = VirtualClock(START + 900)
    assert site.update("0.2", running) is not None


def test_no_restart_while_a_record_waits_to_be_delivered(site: Site, running: RunningHost) -> None:
    journal, signer = own_journal(site)
    row = journal.append(closing(1), signer.sign_record)
    with pytest.raises(UpdateBusy, match="1 records wait to be delivered"):
        site.update("0.2", running)
    assert site.runs == "0.1"
    assert units_told(site) == []
    assert site.update("0.2", running, with_unsent=True) is not None
    journal.mark_final(row.install_id, row.seq)
    assert journal.counts()[State.FINAL] == 1
    assert site.update("0.3", running) is not None
    journal.close()


def test_waiting_ends_when_the_moment_is_quiet_and_after_an_hour(site: Site, running: RunningHost) -> None:
    journal, signer = own_journal(site)
    site.clock = VirtualClock(START + 900 + 100)
    assert site.update("0.2", running, wait=True) == Updated("b", "0.2", "a")
    assert 10 <= site.clock.monotonic() <= 120
    journal.append(closing(1), signer.sign_record)
    began = site.clock.monotonic()
    with pytest.raises(UpdateBusy):
        site.update("0.3", running, wait=True)
    assert site.clock.monotonic() - began >= WAIT_AT_MOST_S
    journal.close()


def test_two_updates_at_once_are_one_too_many(site: Site) -> None:
    def second(folder: Path, wheels: Path, digest: str) -> None:
        site.make(folder, wheels, digest)
        with pytest.raises(UpdateBusy, match="another update"):
            site.update("0.3")

    source = folder_of_wheels(site.release("0.2"))
    update(site.machine.host, source, VirtualClock(QUIET), lambda _: None, make=second, ask=site.ask)
    assert site.runs == "0.2"


def fitting(path: Path, version: str = "0.2", **changed: object) -> Path:
    """A bundle for the machine that the tests run on."""
    here = runs_here()
    wheels = {f"meterbridge-{version}-py3-none-any.whl": version.encode()}
    return bundle(path, wheels=wheels, version=version, **{**vars(here), **changed})


def take(site: Site, path: Path, *, key: SigningKey = RELEASE_KEY) -> Updated | None:
    def make(folder: Path, wheels: Path, digest: str) -> None:
        (one,) = wheels.iterdir()
        site.make(folder, site.release(one.read_text()), digest)

    with signed_bundle(site.machine.host, path, print, allow_older=False, key=key.verify_key, ask=site.ask) as source:
        return update(site.machine.host, source, site.clock, print, make=make, ask=site.ask)


def test_a_signed_bundle_is_unpacked_made_and_run_and_nothing_of_it_is_left(site: Site, tmp_path: Path) -> None:
    path = fitting(tmp_path / "b.tar")
    assert take(site, path) == Updated("b", "0.2", "a")
    assert site.runs == "0.2"
    assert not site.machine.host.at(WHEELS).exists()
    assert take(site, path) is None, "that version runs"


@pytest.mark.parametrize("wrong", ["key", "machine", "older", "cut", "absent"])
def test_a_bundle_that_is_refused_leaves_the_machine_as_it_was(site: Site, tmp_path: Path, wrong: str) -> None:
    path = fitting(tmp_path / "b.tar", version="0.0.9" if wrong == "older" else "0.2",
                   **({"machine": "sparc"} if wrong == "machine" else {}))  # fmt: skip
    if wrong == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    if wrong == "absent":
        path.unlink()
    before = site.machine.tree()
    with pytest.raises(InstallFailed if wrong == "absent" else ReleaseRefused):
        take(site, path, key=STRANGER if wrong == "key" else RELEASE_KEY)
    assert site.machine.tree() == before


def test_a_bundle_whose_command_says_another_version_is_not_switched_to(site: Site, tmp_path: Path) -> None:
    path = bundle(
        tmp_path / "b.tar", wheels={"meterbridge-0.2-py3-none-any.whl": b"0.3"}, version="0.2", **vars(runs_here())
    )
    with pytest.raises(InstallFailed, match=r"the bundle says 0\.2, the command in it 0\.3"):
        take(site, path)
    assert slot_in_use(site.machine.host) == "a"


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
    assert can_go_back(path, SCHEMA_VERSION)
    go_back(path, SCHEMA_VERSION)
    assert schema_of(path) == SCHEMA_VERSION
    assert not list(tmp_path.glob("*-wal"))
    go_back(path, SCHEMA_VERSION)


def test_a_record_of_the_new_version_is_never_signed_a_second_time(tmp_path: Path) -> None:
    path = journals(tmp_path, records=2)
    assert not can_go_back(path, SCHEMA_VERSION)
    assert can_go_back(path, 99)
    assert schema_of(path) == 99


def test_a_journal_that_somebody_has_open_does_not_go_back_under_his_hands(tmp_path: Path) -> None:
    path = journals(tmp_path, records=1)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM record").fetchone()
    writer = sqlite3.connect(path)
    writer.execute("UPDATE install SET max_export_w = 1")
    writer.commit()
    with pytest.raises(InstallFailed, match="somebody has it open"):
        go_back(path, SCHEMA_VERSION)
    assert schema_of(path) == 99
    writer.close()
    reader.close()
    go_back(path, SCHEMA_VERSION)
    assert schema_of(path) == SCHEMA_VERSION


def test_where_the_journal_cannot_go_back_the_new_version_stays(site: Site, running: RunningHost) -> None:
    journal, signer = own_journal(site)
    row = journal.append(closing(1), signer.sign_record)
    journal.mark_final(row.install_id, row.seq)
    site.reads = False

    def ask(words: Sequence[str]) -> str:
        if "install" in words and slot_in_use(running) == "b":  # the new agent starts, migrates, signs
            journal._connection.execute("PRAGMA user_version = 99")
        return site.ask(words)

    source = folder_of_wheels(site.release("0.2"))
    with pytest.raises(InstallFailed, match="b stays in use"):
        update(running, source, site.clock, print, make=site.make, ask=ask)
    assert site.runs == "0.2"
    assert not running.at(TRIAL).exists()
    assert units_told(site)[-1] == "restart"
    journal.close()


def test_a_slot_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "meterbridge-0.1-py3-none-any.whl").write_text("no wheel")
    (wheels / "pip-1-py3-none-any.whl").write_text("no pip")
    with pytest.raises(InstallFailed, match="failed:"):
        make_slot(tmp_path / "slot", wheels, "digest")
    assert not (tmp_path / "slot" / MADE_FROM).exists()
