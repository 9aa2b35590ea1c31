"""`agent update`: another version in the other slot, tried before it is used, and the old one again if it fails.

1. the slot that is not in use is made from the wheels; the agent runs on meanwhile
2. the new version must run and find the configuration good
3. never while a slot of the meter is being closed: then it is busy, and tried again later
4. `current` moves in one step, the units are renewed, the agent starts again and has to say that it is ready
5. if it does not, `current` moves back, the journal as it was before its migration with it, unless it has grown since
"""

import fcntl
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from meterchain.units import SLOT_S
from meteredge.clock import Clock
from meteredge.close_window import AWAKE_BEFORE_S, WINDOW_S, seconds_left_of_window, seconds_to_window
from meteredge.config import load
from meteredge.durable import sync_folder
from meteredge.install import slots
from meteredge.install.changes import CONFIG, CURRENT, SLOTS
from meteredge.install.errors import InstallFailed, InstallRefused, UpdateBusy
from meteredge.install.host import COMMAND_S, Host
from meteredge.install.unit_files import SERVICES
from meteredge.journal import Journal
from meteredge.journal_schema import JournalError

STARTUP_S = 25.0
"""No restart so shortly before a close window: the new process has to be up and reading by then."""


@dataclass(frozen=True)
class Updated:
    """What runs now."""

    slot: str
    version: str
    was: str | None


Ask = Callable[[Sequence[str]], str]
"""Runs a command and returns what it printed.  Raises InstallFailed."""


def ask_command(words: Sequence[str]) -> str:
    """As Ask."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_S, check=False, cwd="/")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallFailed(f"{words[0]} cannot be run: {error}") from error
    if done.returncode:
        raise InstallFailed(f"`{' '.join(words)}` said: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


def update(
    host: Host,
    wheels: Path,
    clock: Clock,
    told: Callable[[str], None],
    *,
    make: Callable[[Path, Path, str], None] = slots.make_slot,
    ask: Ask = ask_command,
) -> Updated | None:
    """Run the version in `wheels` from now on; None if it is the one that runs.

    Raises UpdateBusy (nothing changed, try again), InstallRefused, InstallFailed (the old version runs).
    """
    with _alone(host):
        was, digest = slots.slot_in_use(host), slots.digest_of(wheels)
        if was is None:
            raise InstallRefused(
                f"{host.at(CURRENT)}: nothing is installed here yet; `meterbridge agent install` first"
            )
        if slots.made_from(host, was) == digest:
            return None
        slot = slots.slot_to_make(host)
        folder = host.at(SLOTS) / slot
        if slots.made_from(host, slot) != digest:
            told(f"make {SLOTS}/{slot}")
            make(folder, wheels, digest)
        command = str(folder / "bin" / "meterbridge")
        version = ask([command, "--version"]).removeprefix("meterbridge ")
        ask([command, "agent", "check", "--config", str(host.at(CONFIG))])
        _refuse_while_closing(host, clock)
        told(f"switch to {version}")
        _switch(host, slot, was, ask, told)
        return Updated(slot, version, was)


def seconds_to_wait(now: float) -> float:
    """How long to wait for a restart that costs no slot: 0 in the quiet part of each 900 s."""
    soon = seconds_to_window(now)
    return soon + AWAKE_BEFORE_S + WINDOW_S if 0 < soon < STARTUP_S else seconds_left_of_window(now)


def _refuse_while_closing(host: Host, clock: Clock) -> None:
    """Raises UpdateBusy between 30 s before a slot's end and its close, if there is an agent that could miss it."""
    now = clock.utc()
    wait = seconds_to_wait(now)
    if not wait or not host.is_running or (now % SLOT_S <= WINDOW_S and _is_closed(host, now)):
        return
    raise UpdateBusy(f"a slot is being closed; try again in {wait:.0f} s (what was made is kept, it will be quick)")


def _is_closed(host: Host, now: float) -> bool:
    """True if every meter has its record of the slot that ended last."""
    return all(_last_slot(path) >= now - now % SLOT_S - SLOT_S for path in _journals(host))


def _last_slot(path: Path) -> int:
    """The slot of the newest record, 0 if there is none."""
    try:
        journal = Journal.open_read_only(path)
    except JournalError:
        return 0
    try:
        return max((row.slot for row in journal.last_rows(1)), default=0)
    finally:
        journal.close()


def _journals(host: Host) -> list[Path]:
    return [host.at(each.journal_path) for each in load(host.at(CONFIG)).each()]


def _switch(host: Host, slot: str, was: str, ask: Ask, told: Callable[[str], None]) -> None:
    runs = host.is_running and _is_active(host)
    before = {journal: _schema(journal) for journal in _journals(host)}
    host.link(CURRENT, slot)
    try:
        ask([str(host.at(CURRENT) / "bin" / "meterbridge"), "agent", "install", f"--root={host.root}"])
        if runs:
            host.systemctl("restart", SERVICES["agent"])
    except InstallFailed as error:
        told(f"back to {was}")
        if runs:
            host.systemctl("stop", SERVICES["agent"])
        host.link(CURRENT, was)
        for journal, schema in before.items():
            _journal_back(journal, schema)
        ask([str(host.at(CURRENT) / "bin" / "meterbridge"), "agent", "install", f"--root={host.root}"])
        if runs:
            host.systemctl("restart", SERVICES["agent"])
        raise InstallFailed(f"the new version did not start, the old one runs again: {error}") from error


def _is_active(host: Host) -> bool:
    try:
        host.systemctl("is-active", "--quiet", SERVICES["agent"])
    except InstallFailed:
        return False
    return True


def _schema(journal: Path) -> int | None:
    """The schema of a journal, None if there is none."""
    return None if not journal.exists() else int(_value(journal, "PRAGMA user_version"))


def _journal_back(journal: Path, before: int | None) -> None:
    """Put the copy from before a migration in the journal's place, if not one record came since.

    A record that the newer version signed must not be signed again with another value: then the journal stays, and an
    older agent refuses it.
    """
    if before is None or _schema(journal) == before:
        return
    copy = journal.with_name(f"{journal.name}.schema{before}")
    newest = "SELECT coalesce(max(id), 0) FROM record"
    if not copy.exists() or _value(copy, newest) != _value(journal, newest):
        raise InstallFailed(
            f"{journal}: the new version has signed records in its own format; the old one cannot go on with it. "
            "Repair the new version, or let the operator re-enrol the node"
        )
    for extra in ("-wal", "-shm"):
        journal.with_name(journal.name + extra).unlink(missing_ok=True)
    copy.replace(journal)
    sync_folder(journal.parent)


def _value(database: Path, query: str) -> int:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()


@contextmanager
def _alone(host: Host) -> Iterator[None]:
    folder = host.at(SLOTS)
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise InstallRefused(f"{folder}: {error.strerror}; `meterbridge agent install` first") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise UpdateBusy(f"{folder}: another update runs") from None
    try:
        yield
    finally:
        os.close(descriptor)
