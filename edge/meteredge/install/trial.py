"""An update on trial: what a power cut has to find so that the node runs one whole version or the other.

    /opt/meterbridge/.trial     JSON: slot, was, runs, schemas (of the journals, by path); there while the new version
                                has not proved itself
    /opt/meterbridge/previous   link to the slot that the node goes back to, set before `current` moves

`begin` writes both before `current` moves, `end` takes the first away: that is the moment the update is done.  Whoever
finds a trial that nobody carries on (meterbridge-recover.service at boot, the next `agent update`) calls `give_back`,
as the update itself does when the new version fails.  Each step may be done twice.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from meterchain.durable import sync_folder
from meteredge.install.changes import CURRENT, PREVIOUS, TRIAL
from meteredge.install.errors import InstallFailed
from meteredge.install.host import Host
from meteredge.install.journals import can_go_back, go_back
from meteredge.install.unit_files import SERVICES

Ask = Callable[[Sequence[str]], str]
"""Runs a command and returns what it printed.  Raises InstallFailed."""


@dataclass(frozen=True)
class Trial:
    """The version in `slot` instead of the one in `was`."""

    slot: str
    was: str
    runs: bool
    """Did the agent run before?  Then it is to run afterwards."""
    schemas: Mapping[str, int | None]
    """Of the journals, by path, before the new version saw them."""


def begin(host: Host, trial: Trial) -> None:
    """From now on a power cut leads back to `trial.was`.  Raises InstallFailed."""
    host.link(PREVIOUS, trial.was)
    host.write(TRIAL, json.dumps({"schema": 1, **asdict(trial)}), 0o644)


def under_way(host: Host) -> Trial | None:
    """The trial that was begun and not ended.  Raises InstallFailed if its file says nothing."""
    path = host.at(TRIAL)
    try:
        said = json.loads(path.read_text("utf-8"))
        return Trial(said["slot"], said["was"], said["runs"], said["schemas"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InstallFailed(f"{path}: cannot be read ({error}); look where {host.at(CURRENT)} points") from error


def end(host: Host) -> None:
    """`current` is what the node runs from now on."""
    path = host.at(TRIAL)
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def install_current(host: Host, ask: Ask) -> None:
    """Units and links as the version that `current` points to has them.  Raises InstallFailed."""
    ask([str(host.at(CURRENT) / "bin" / "meterbridge"), "agent", "install", f"--root={host.root}"])


def give_back(host: Host, trial: Trial, ask: Ask, told: Callable[[str], None], *, at_boot: bool = False) -> None:
    """The version before runs again, its journals with it.

    Where a journal cannot go back (the new version signed records that the old one cannot read) the new version stays.
    At boot nothing is stopped or started: systemd is about to.  Raises InstallFailed.
    """
    runs = trial.runs and not at_boot
    if runs:
        host.systemctl("stop", SERVICES["agent"])
    stays = [path for path, before in trial.schemas.items() if not can_go_back(Path(path), before)]
    if stays:
        host.link(CURRENT, trial.slot)
        _finish(host, ask, runs=runs)
        raise InstallFailed(
            f"{', '.join(stays)}: the new version has signed records in its own format and the old one cannot go on "
            f"with them; {trial.slot} stays in use. Look at `meterbridge agent status`, then repair the new version"
        )
    told(f"back to {trial.was}")
    host.link(CURRENT, trial.was)
    for path, before in trial.schemas.items():
        go_back(Path(path), before)
    _finish(host, ask, runs=runs)


def _finish(host: Host, ask: Ask, *, runs: bool) -> None:
    try:
        install_current(host, ask)
    finally:
        end(host)
        if runs:
            host.systemctl("restart", SERVICES["agent"])
