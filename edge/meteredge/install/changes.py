"""`agent install`: what is not yet as it should be, as a list of steps; done when the list is empty.

Users by systemd-sysusers, units, udev rule, the annotated configuration, the state folder, `/opt/meterbridge/current`
(the slot that the units run) and the unit's place in multi-user.target.  What was written, with digests, stands in
/etc/meterbridge/.installed.json: a file that somebody changed since is theirs, and is never written over.
"""

import hashlib
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from meteredge.install.errors import InstallRefused
from meteredge.install.host import Host
from meteredge.install.template import annotated_config
from meteredge.install.unit_files import SERVICES, packaged, unit_text

CONFIG = "/etc/meterbridge/agent.toml"
RECORD = "/etc/meterbridge/.installed.json"
STATE = "/var/lib/meterbridge"
SLOTS = "/opt/meterbridge"
CURRENT = f"{SLOTS}/current"
PREVIOUS = f"{SLOTS}/previous"
TRIAL = f"{SLOTS}/.trial"
COMMAND = "/usr/local/bin/meterbridge"
UNITS = "/etc/systemd/system"
WANTS = f"{UNITS}/multi-user.target.wants"
SYSUSERS = "/etc/sysusers.d/meterbridge.conf"
UDEV_RULE = "/etc/udev/rules.d/99-meterbridge.rules"
UDEV_LISTENS = Path("/run/udev/control")
USER = "meterbridge"
PAGE_USER = "meterbridge-page"
OURS = ("agent", "claim", "page", "recover")
"""The services of a node, of unit_files.SERVICES."""
_HOMES = ("/home/", "/root/", "/run/user/")


@dataclass(frozen=True)
class Step:
    """One change of the machine: what it is, in words, and how it is made."""

    what: str
    do: Callable[[], None] = field(repr=False)


@dataclass(frozen=True)
class Plan:
    """What is to be done, and what is left as it is although a fresh installation would differ."""

    steps: tuple[Step, ...]
    kept: tuple[str, ...]


def ours() -> dict[str, str]:
    """The files that every installation has and nobody edits, by path."""
    texts = {f"{UNITS}/{SERVICES[name]}": unit_text(name) for name in OURS}
    return {**texts, UDEV_RULE: packaged("99-meterbridge.rules"), SYSUSERS: packaged("sysusers.conf")}


def plan(host: Host, *, config: str | None = None, page: bool = False, slot: Path | None = None) -> Plan:
    """What `agent install` would do now.

    `config` is the text of the configuration, the annotated one if None; `page` starts the status page at boot too;
    `slot` is the environment that the units shall run, ours if None.  Raises InstallRefused.
    """
    record = read_record(host)
    steps: list[Step] = []
    kept: list[str] = []
    for path, text in ours().items():
        if digest_of(host, path) != _digest(text):
            if path in record and digest_of(host, path) not in {None, record[path]}:
                kept.append(f"{path}: changed on this machine; a drop-in ({path}.d/) is the place for changes")
                continue
            steps.append(Step(f"write {path}", _writing(host, path, text, 0o644)))
    missing = [user for user in (USER, PAGE_USER) if host.user(user) is None]
    if missing:
        steps.append(Step(f"make the users {', '.join(missing)}", lambda: _make_users(host)))
    steps += _folders(host)
    steps += _config(host, config, record, kept)
    steps += _links(host, slot)
    if host.is_running and steps:
        steps.append(Step("have systemd and udev read their files anew", lambda: _reload(host)))
    wanted = ["agent", "claim", "recover"] + (["page"] if page else [])
    asleep = [SERVICES[name] for name in wanted if not os.path.lexists(host.at(f"{WANTS}/{SERVICES[name]}"))]
    if asleep:
        steps.append(Step(f"start at boot: {', '.join(asleep)}", lambda: host.systemctl("enable", *asleep)))
    return Plan(tuple(steps), tuple(kept))


def carry_out(steps: tuple[Step, ...], told: Callable[[str], None]) -> None:
    """Do the steps in order, saying each before it is done.  Raises InstallFailed."""
    for step in steps:
        told(step.what)
        step.do()


def read_record(host: Host) -> Mapping[str, str]:
    """Digests of what earlier installations wrote, by path; empty if there was none."""
    try:
        found = json.loads(host.at(RECORD).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except PermissionError:
        raise InstallRefused(f"{host.at(RECORD)}: cannot be read; run as root") from None
    return dict(found["files"])


def digest_of(host: Host, path: str) -> str | None:
    """The digest of a file of that machine, None if there is none."""
    try:
        return hashlib.sha256(host.at(path).read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
    except PermissionError:
        raise InstallRefused(f"{host.at(path)}: cannot be read; run as root") from None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _writing(host: Host, path: str, text: str, mode: int, group: str | None = None) -> Callable[[], None]:
    def write() -> None:
        host.write(path, text, mode, group=group)
        files = {**read_record(host), path: _digest(text)}
        document = {"schema": 1, "version": version("meterbridge"), "files": files}
        host.write(RECORD, json.dumps(document, indent=1), 0o644)

    return write


def _make_users(host: Host) -> None:
    host.run(["systemd-sysusers", f"--root={host.root}", str(host.at(SYSUSERS))])


def _folders(host: Host) -> Iterator[Step]:
    folder, owner = host.at(STATE), host.user(USER)

    def make() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o750)
        host.give(STATE, USER, USER)

    if owner is None or not folder.is_dir():
        yield Step(f"make {STATE} for the user {USER}", make)
        return
    facts = folder.stat()
    if (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) != (*owner, 0o750):
        yield Step(f"give {STATE} to the user {USER}, mode 0750", make)


def _config(host: Host, config: str | None, record: Mapping[str, str], kept: list[str]) -> Iterator[Step]:
    present = digest_of(host, CONFIG)
    text = annotated_config() if config is None else config
    if present == _digest(text):
        return
    if present is None or (config is not None and present == record.get(CONFIG)):
        yield Step(f"write {CONFIG}", _writing(host, CONFIG, text, 0o640, group=USER))
    elif config is not None:
        raise InstallRefused(
            f"{host.at(CONFIG)}: was changed on this machine and stays as it is; move it away first if the other "
            "configuration is meant"
        )
    else:
        kept.append(f"{CONFIG}: there already, and yours")


def _links(host: Host, slot: Path | None) -> Iterator[Step]:
    target = _slot_name(host, Path(sys.prefix) if slot is None else slot)
    if _link_at(host, CURRENT) != target:
        yield Step(f"point {CURRENT} to {target}", lambda: host.link(CURRENT, target))
    command = f"{CURRENT}/bin/meterbridge"
    there = host.at(COMMAND)
    if _link_at(host, COMMAND) != command and not (there.exists() and not there.is_symlink()):
        yield Step(f"link {COMMAND}", lambda: host.link(COMMAND, command))


def _slot_name(host: Host, slot: Path) -> str:
    """How `current` names the environment: relative inside /opt/meterbridge, else in full.  Raises InstallRefused."""
    if slot == Path(sys.base_prefix):
        raise InstallRefused(
            f"meterbridge runs from the system's own Python ({slot}); install it into an environment of its own: "
            f"python3 -m venv {SLOTS}/a"
        )
    inside = Path("/") / slot.relative_to(host.root) if slot.is_relative_to(host.root) else slot
    if inside.is_relative_to(SLOTS):
        return str(inside.relative_to(SLOTS))
    if host.root != Path("/"):
        return "a"  # an image whose environment is made later, or by somebody else
    if str(inside).startswith(_HOMES):
        raise InstallRefused(
            f"{inside}: the services cannot see what lies in a home folder; install meterbridge into {SLOTS}/a: "
            f"python3 -m venv {SLOTS}/a"
        )
    return str(inside)


def _link_at(host: Host, path: str) -> str | None:
    place = host.at(path)
    return str(place.readlink()) if place.is_symlink() else None


def _reload(host: Host) -> None:
    host.systemctl("daemon-reload")
    if not UDEV_LISTENS.exists():  # a container: devices are its host's
        return
    host.run(["udevadm", "control", "--reload"])
    host.run(["udevadm", "trigger", "--subsystem-match=usb", "--subsystem-match=usb-serial", "--action=change"])
