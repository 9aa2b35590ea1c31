"""`agent update`: another version in the other slot, tried before it is used, and the old one again if it fails.

1. the bundle is verified; what is not the release key's is refused before anything was touched
2. the slot that is not in use is made from its wheels, without a network; the agent runs on meanwhile
3. the new version must load all that the agent loads, and find the configuration good
4. never while a slot is unsent (`moment`): then it is busy, or waits
5. a trial begins (`trial`), `current` moves in one step, the units are renewed, the agent starts again
6. it has to be well (`health`); then the trial ends
7. if it is not, or the power is cut before, `current` moves back, the journals with it
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from nacl.signing import VerifyKey

from meteredge.clock import Clock
from meteredge.install import health, moment, release, slots, trial
from meteredge.install.changes import CONFIG, CURRENT, SLOTS
from meteredge.install.errors import InstallFailed, InstallRefused, UpdateBusy
from meteredge.install.host import COMMAND_S, Host
from meteredge.install.journals import journals_of, schema_of
from meteredge.install.trial import Ask, Trial
from meteredge.install.unit_files import SERVICES

WHEELS = f"{SLOTS}/.wheels"
"""What was unpacked, while the slot is made from it."""
Told = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """Where the new version comes from: its digest, its version if that is known, and its folder of wheels."""

    digest: str
    version: str | None
    wheels: Callable[[], AbstractContextManager[Path]]


@dataclass(frozen=True)
class Wishes:
    """How it is to be done."""

    wait: bool = False
    with_unsent: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class Updated:
    """What runs now, or would after a dry run."""

    slot: str
    version: str | None
    was: str


def ask_command(words: Sequence[str]) -> str:
    """As Ask."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_S, check=False, cwd="/")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallFailed(f"{words[0]} cannot be run: {error}") from error
    if done.returncode:
        raise InstallFailed(f"`{' '.join(words)}` said: {(done.stderr or done.stdout).strip()[-1_000:]}")
    return done.stdout.strip()


def folder_of_wheels(folder: Path) -> Source:
    """Wheels that somebody put into a folder.  Raises InstallFailed."""

    @contextmanager
    def wheels() -> Iterator[Path]:
        yield folder

    return Source(slots.digest_of(folder), None, wheels)


@contextmanager
def signed_bundle(
    host: Host, path: Path, told: Told, *, allow_older: bool, key: VerifyKey | None = None, ask: Ask = ask_command
) -> Iterator[Source]:
    """A bundle that the release key signed, for this machine.  Raises ReleaseRefused, InstallFailed."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise InstallFailed(f"{path}: {error.strerror}; copy the bundle to this node") from error
    with file:
        told(f"verify {path.name}")
        verified = release.verify(file, key or release.read_key(host), path.name)
        running = version_in(host, CURRENT, ask)
        release.refuse_unfit(verified, release.runs_here(), running, path.name, allow_older=allow_older)

        @contextmanager
        def wheels() -> Iterator[Path]:
            folder = host.at(WHEELS)
            folder.mkdir(mode=0o700)
            try:
                release.unpack(file, verified, folder, path.name)
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

        yield Source(verified.digest, verified.manifest.version, wheels)


def version_in(host: Host, slot: str, ask: Ask = ask_command) -> str:
    """What the command in a slot calls itself.  Raises InstallFailed."""
    return ask([str(host.at(slot) / "bin" / "meterbridge"), "--version"]).removeprefix("meterbridge ")


def update(
    host: Host,
    source: Source,
    clock: Clock,
    told: Told,
    wishes: Wishes = Wishes(),
    *,
    make: Callable[[Path, Path, str], None] = slots.make_slot,
    ask: Ask = ask_command,
) -> Updated | None:
    """Run the version in `source` from now on; None if it is the one that runs.

    Raises UpdateBusy (nothing changed, try again), InstallRefused, InstallFailed (the old version runs).
    """
    with _alone(host):
        was = slots.slot_in_use(host)
        if was is None:
            raise InstallRefused(
                f"{host.at(CURRENT)}: nothing is installed here yet; `meterbridge agent install` first"
            )
        if not wishes.dry_run:
            was = _settled(host, was, told, ask)
        if slots.made_from(host, was) == source.digest:
            return None
        slot = slots.slot_to_make(host)
        if wishes.dry_run:
            moment.refuse_unless_quiet(host, clock, with_unsent=wishes.with_unsent)
            return Updated(slot, source.version, was)
        version = _made(host, slot, source, told, make, ask)
        if wishes.wait:
            moment.wait_until_quiet(host, clock, told, with_unsent=wishes.with_unsent)
        moment.refuse_unless_quiet(host, clock, with_unsent=wishes.with_unsent)
        told(f"switch to {version}")
        _switch(host, slot, was, clock, ask, told)
        return Updated(slot, version, was)


def recover(host: Host, told: Told, ask: Ask = ask_command, *, at_boot: bool = False) -> Trial | None:
    """Go back from a trial that nobody carries on; None if there is none.  Raises UpdateBusy, InstallFailed."""
    with _alone(host):
        return _recovered(host, told, ask, at_boot=at_boot)


def _recovered(host: Host, told: Told, ask: Ask, *, at_boot: bool) -> Trial | None:
    cut = trial.under_way(host)
    if cut is not None:
        told(f"an update to {cut.slot} was cut short before it had proved itself")
        trial.give_back(host, cut, ask, told, at_boot=at_boot)
    return cut


def _settled(host: Host, was: str, told: Told, ask: Ask) -> str:
    """The slot in use once nothing of an earlier update is left over."""
    cut = _recovered(host, told, ask, at_boot=False)
    shutil.rmtree(host.at(WHEELS), ignore_errors=True)
    return was if cut is None else cut.was


def _made(host: Host, slot: str, source: Source, told: Told, make: Callable[[Path, Path, str], None], ask: Ask) -> str:
    """The version in the slot, which is there whole and was tried."""
    folder = host.at(SLOTS) / slot
    if slots.made_from(host, slot) != source.digest:
        with source.wheels() as wheels:
            told(f"make {SLOTS}/{slot}")
            make(folder, wheels, source.digest)
    told("try it")
    version = version_in(host, f"{SLOTS}/{slot}", ask)
    if source.version not in {None, version}:
        raise InstallFailed(f"the bundle says {source.version}, the command in it {version}; make the bundle anew")
    ask([str(folder / "bin" / "meterbridge"), "agent", "check", "--config", str(host.at(CONFIG))])
    return version


def _switch(host: Host, slot: str, was: str, clock: Clock, ask: Ask, told: Told) -> None:
    runs = host.is_running and _is_wanted(ask)

    def look() -> str:
        command = str(host.at(CURRENT) / "bin" / "meterbridge")
        return ask([command, "agent", "status", "--json", "--config", str(host.at(CONFIG))])

    before = health.status_now(look) if runs else {}
    begun = Trial(slot, was, runs, {str(path): schema_of(path) for path in journals_of(host)})
    trial.begin(host, begun)
    try:
        host.link(CURRENT, slot)
        trial.install_current(host, ask)
        if runs:
            since = clock.utc()
            host.systemctl("restart", SERVICES["agent"])
            told("wait until it is well")
            health.wait_until_healthy(look, before, since, clock)
    except (InstallFailed, KeyboardInterrupt) as error:
        trial.give_back(host, begun, ask, told)
        why = str(error) or "interrupted"
        raise InstallFailed(f"the new version is not well, {was} runs again: {why}") from error
    trial.end(host)
    if runs:
        _restart_page(host, told)


def _is_wanted(ask: Ask) -> bool:
    """Is the agent up, or would it be, if it did not fail?  One that somebody stopped stays so."""
    return ask(["systemctl", "show", "--value", "--property=ActiveState", SERVICES["agent"]]) != "inactive"


def _restart_page(host: Host, told: Told) -> None:
    """The status page, if it runs, from the new slot too: the other one is thrown away at the next update."""
    try:
        host.systemctl("try-restart", SERVICES["page"])
    except InstallFailed as error:
        told(str(error))


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
