"""What Linux says of a serial port: where its name leads, which adapter it is, who has it open, who meddles."""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from meteredge.bus_errors import BusError
from meteredge.doctor.facts import Adapter, Culprit, PortFacts, Trouble
from meteredge.port import resolve

MEDDLERS = frozenset({"ModemManager", "brltty"})
_MM_IGNORE = "E:ID_MM_DEVICE_IGNORE=1"


def port_facts(spec: str, *, trouble: Trouble | None, agent_has_it: bool, root: Path = Path("/")) -> PortFacts:
    """`trouble` is why it could not be opened.  `root` holds /dev, /sys, /proc and /run."""
    try:
        device = _under(root, resolve(spec)).resolve()
    except BusError as error:
        return PortFacts(spec, None, trouble_of(error), agent_has_it=agent_has_it, meddlers=meddlers(root))
    if not device.exists():
        return PortFacts(spec, None, trouble, agent_has_it=agent_has_it, meddlers=meddlers(root))
    return PortFacts(
        spec=spec,
        device=_shown(root, device),
        trouble=trouble,
        mode=_mode(device),
        adapter=_adapter(root, device),
        holders=() if _is_pty(device) else tuple(c for c in _holders(root, device) if c.pid != os.getpid()),
        agent_has_it=agent_has_it,
        meddlers=meddlers(root),
    )


def trouble_of(error: BusError) -> Trouble:
    """An error of the bus as a fact."""
    return Trouble(error.kind, error.fact, error.next_step)


def meddlers(root: Path) -> tuple[Culprit, ...]:
    """Running programs that probe serial adapters."""
    return tuple(culprit for culprit in _processes(root) if culprit.name in MEDDLERS)


def _adapter(root: Path, device: Path) -> Adapter:
    usb = _usb_of(root, device.name)
    interface = root / "sys/class/tty" / device.name / "device"
    serial_number = _text(usb / "serial") if usb else None
    vid, pid = (_hex(usb / "idVendor"), _hex(usb / "idProduct")) if usb else (None, None)
    return Adapter(
        vid=vid,
        pid=pid,
        serial_number=serial_number,
        product=_text(usb / "product") if usb else None,
        driver=(interface / "driver").resolve().name if (interface / "driver").exists() else None,
        latency_timer_ms=_number(interface / "latency_timer"),
        by_path=_by_path(root, device),
        twins=tuple(_twins(root, device.name, vid, pid)) if usb and not serial_number else (),
        modem_manager_ignores=_mm_ignores(root, device),
    )


def _usb_of(root: Path, name: str) -> Path | None:
    """The USB device (not its interface) behind a tty."""
    place = (root / "sys/class/tty" / name / "device").resolve()
    return next((folder for folder in (place, *place.parents) if (folder / "idVendor").exists()), None)


def _twins(root: Path, name: str, vid: int | None, pid: int | None) -> Iterator[str]:
    folder = root / "sys/class/tty"
    for other in sorted(folder.iterdir()) if folder.is_dir() else ():
        usb = _usb_of(root, other.name) if other.name != name else None
        if usb and (_hex(usb / "idVendor"), _hex(usb / "idProduct")) == (vid, pid) and not _text(usb / "serial"):
            yield f"/dev/{other.name}"


def _by_path(root: Path, device: Path) -> str | None:
    folder = root / "dev/serial/by-path"
    links = sorted(folder.iterdir()) if folder.is_dir() else []
    return next((_shown(root, link) for link in links if link.resolve() == device), None)


def _is_pty(device: Path) -> bool:
    """A pseudo-terminal is open on its other side, too: whoever that is, it is no rival."""
    return device.parent.name == "pts"


def _mm_ignores(root: Path, device: Path) -> bool:
    with suppress(OSError):
        facts = device.stat()
        known = root / "run/udev/data" / f"c{os.major(facts.st_rdev)}:{os.minor(facts.st_rdev)}"
        return _MM_IGNORE in known.read_text("utf-8", "replace")
    return False


def _mode(device: Path) -> str:
    facts = device.stat()
    try:
        owner = pwd.getpwuid(facts.st_uid).pw_name
    except KeyError:
        owner = str(facts.st_uid)
    try:
        group = grp.getgrgid(facts.st_gid).gr_name
    except KeyError:
        group = str(facts.st_gid)
    return f"{owner}:{group} {stat.S_IMODE(facts.st_mode):04o}"


def _holders(root: Path, device: Path) -> Iterator[Culprit]:
    for culprit in _processes(root):
        with suppress(OSError):
            for handle in (root / "proc" / str(culprit.pid) / "fd").iterdir():
                with suppress(OSError):
                    if _under(root, str(handle.readlink())) == device:
                        yield culprit
                        break


def _processes(root: Path) -> Iterator[Culprit]:
    folder = root / "proc"
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.name.isdecimal() and (name := _text(entry / "comm")):
            yield Culprit(int(entry.name), name)


def _under(root: Path, path: str) -> Path:
    return Path(path) if root == Path("/") or path.startswith(str(root)) else root / path.lstrip("/")


def _shown(root: Path, path: Path) -> str:
    return str(path) if root == Path("/") else f"/{path.relative_to(root.resolve())}"


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace").strip("\0\n ") or None
    except OSError:
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and text.isdecimal() else None


def _hex(path: Path) -> int | None:
    try:
        return int(_text(path) or "", 16)
    except ValueError:
        return None
