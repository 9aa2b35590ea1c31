"""`agent uninstall`: services, units, udev rule and links go; configuration, key and journal stay unless purged.

Purging is for a meter that is gone: it needs the meter's id, and is refused while the journal holds records that the
chain has not shown yet.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from meteredge.config import ConfigError, load
from meteredge.install.changes import (
    COMMAND,
    CONFIG,
    CURRENT,
    OURS,
    PAGE_USER,
    PREVIOUS,
    RECORD,
    STATE,
    SYSUSERS,
    USER,
    Plan,
    Step,
    digest_of,
    ours,
    read_record,
)
from meteredge.install.errors import InstallRefused
from meteredge.install.host import Host
from meteredge.install.release import UPDATE_KEY
from meteredge.install.unit_files import SERVICES
from meteredge.journal import Journal


def removal(host: Host, *, purge_meter: str | None = None) -> Plan:
    """What `agent uninstall` would do; with `purge_meter`, the id of the configured meter, nothing of it is left.

    Raises InstallRefused, JournalError.
    """
    if purge_meter is not None:
        _refuse_purge(host, purge_meter)
    record = read_record(host)
    steps: list[Step] = []
    kept: list[str] = []
    units = [SERVICES[name] for name in OURS]
    there = [unit for unit in units if host.at(f"/etc/systemd/system/{unit}").exists()]
    if there:
        if host.is_running:
            steps.append(Step(f"stop {', '.join(there)}", lambda: host.systemctl("stop", *there)))
        steps.append(Step(f"no longer start at boot: {', '.join(there)}", lambda: host.systemctl("disable", *there)))
    for path in [path for path in ours() if path != SYSUSERS or purge_meter is not None]:
        digest = digest_of(host, path)
        if digest is not None and path in record and digest != record[path] and purge_meter is None:
            kept.append(f"{path}: changed on this machine")
        elif digest is not None:
            steps.append(Step(f"remove {path}", host.at(path).unlink))
    for path, target in ((COMMAND, f"{CURRENT}/bin/meterbridge"), (CURRENT, None), (PREVIOUS, None)):
        place = host.at(path)
        if place.is_symlink() and target in {None, str(place.readlink())}:
            steps.append(Step(f"remove {path}", place.unlink))
    if purge_meter is None:
        kept += [f"{path}: stays" for path in (CONFIG, STATE) if host.at(path).exists()]
    else:
        steps += _purging(host)
    if host.is_running and steps:
        steps.append(Step("have systemd read its files anew", lambda: host.systemctl("daemon-reload")))
    return Plan(tuple(steps), tuple(kept))


def _refuse_purge(host: Host, meter_id: str) -> None:
    try:
        config = load(host.at(CONFIG))
    except ConfigError as error:
        raise InstallRefused(
            f"{error}\nwhose key and journal would be destroyed cannot be told from that; remove {STATE} by hand"
        ) from None
    if meter_id != ",".join(meter.id for meter in config.meters):
        raise InstallRefused(f"{meter_id!r} is not the meter of this node; nothing was removed")
    for one in config.each():
        _refuse_undelivered(host.at(one.journal_path))


def _refuse_undelivered(journal_path: Path) -> None:
    if not journal_path.exists():
        return
    journal = Journal.open_read_only(journal_path)
    try:
        waiting = journal.undelivered()
    finally:
        journal.close()
    if waiting:
        raise InstallRefused(
            f"{journal_path}: {waiting} records were not delivered yet; let the agent deliver them, or keep a copy of "
            f"{STATE} and remove it by hand"
        )


def _purging(host: Host) -> Iterator[Step]:
    for path in (CONFIG, RECORD, UPDATE_KEY):
        if host.at(path).exists():
            yield Step(f"remove {path}", host.at(path).unlink)
    if host.at(STATE).exists():
        yield Step(f"remove {STATE} with key and journal", lambda: _remove_tree(host.at(STATE)))
    for user in (PAGE_USER, USER):
        if host.user(user) is not None:
            yield Step(f"remove the user {user}", _removing_user(host, user))


def _removing_user(host: Host, user: str) -> Callable[[], None]:
    return lambda: host.run(["userdel", *([] if host.root == Path("/") else ["--root", str(host.root)]), user])


def _remove_tree(folder: Path) -> None:
    shutil.rmtree(folder)
