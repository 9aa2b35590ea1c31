"""A trixie root for the first boot: made with mmdebstrap, copied for each test, entered by chroot or booted.

    python -m tests.meterprov.first_boot.trixie FILE    make the archive (.ci/run does it beside other work)

A booted root has its own processes, mounts, network and control groups: systemd is its process 1, the serial ports are
ours.  Needs root.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ARCHIVE = Path(__file__).parents[3] / "build" / "trixie-root.tar"
PACKAGES = "python3,systemd,udev,cloud-init,netplan.io"
"""No pip and no python3-venv, as on a card whose maker left them out.  cloud-init and netplan judge our files and are
kept from acting: the root has no data source for them."""
MIRROR = "http://deb.debian.org/debian"
BOOT_S = 60.0
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "--kill-child")

_PATH = {"PATH": "/usr/sbin:/usr/bin"}

ENTER = """
mount --make-rprivate / && mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && root=$1 && shift &&
exec chroot "$root" "$@"
"""
START = """set -e
root=$1 console=$2
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
touch dev/console
mount --bind "$console" dev/console
mkdir dev/pts dev/shm
mount --bind /dev/pts dev/pts
ln -s pts/ptmx dev/ptmx
pivot_root . mnt
umount -l /mnt
group=/sys/fs/cgroup/meterbridge-test-$3
mkdir -p "$group"
echo $$ >"$group/cgroup.procs"
exec env -i container=meterbridge-test PATH=/usr/sbin:/usr/bin unshare --cgroup /lib/systemd/systemd --log-level=info
"""


def make(archive: Path) -> None:
    """Make the archive of a fresh root; half a minute and 80 MB of downloads."""
    archive.parent.mkdir(exist_ok=True)
    draft = archive.with_name(f"{archive.name}.{os.getpid()}")
    words = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "--format=tar",
             "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
             "--dpkgopt=path-exclude=/usr/share/man/*", "trixie", str(draft), MIRROR]  # fmt: skip
    subprocess.run(words, check=True, stdout=sys.stderr)
    draft.replace(archive)


@dataclass(frozen=True)
class Trixie:
    """One root, ours to change."""

    root: Path

    @classmethod
    def unpack(cls, folder: Path) -> "Trixie":
        """A fresh copy of the archive in `folder`; the archive is made if there is none."""
        if not ARCHIVE.exists():
            make(ARCHIVE)
        folder.mkdir()
        subprocess.run(["tar", "-x", "-f", str(ARCHIVE), "-C", str(folder)], check=True)
        return cls(folder)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command in it by chroot, with its own /proc and our /dev."""
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "sh", "-c", ENTER, "sh", str(self.root), *words],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp"}, capture_output=True, text=True,  # noqa: S108
            timeout=300, check=False,
        )  # fmt: skip

    @contextmanager
    def booted(self) -> Iterator["Booted"]:
        """Its systemd as process 1 of a machine of its own, until the end of the block."""
        (self.root / "etc/cloud/cloud-init.disabled").touch()
        (self.root / "etc/systemd/system").mkdir(parents=True, exist_ok=True)
        for unit in ("systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket",
                     "systemd-journal-flush.service", "console-getty.service"):  # fmt: skip
            if not (self.root / "etc/systemd/system" / unit).is_symlink():  # a second boot
                (self.root / "etc/systemd/system" / unit).symlink_to("/dev/null")
        ours, console = os.openpty()
        said: list[bytes] = []
        words = ["unshare", *NAMESPACES, "sh", "-c", START, "sh", str(self.root), os.ttyname(console), str(os.getpid())]
        machine = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        listener = threading.Thread(target=_listen, args=(ours, said), daemon=True)
        listener.start()
        try:
            booted = Booted(_first_child(machine.pid), said)
            booted.wait_until_up()
            yield booted
        finally:
            machine.kill()
            machine.wait()
            os.close(console)
            listener.join(5)
            os.close(ours)


@dataclass(frozen=True)
class Booted:
    """A running root."""

    pid: int
    said: list[bytes]

    @property
    def console(self) -> str:
        """What systemd said so far."""
        return b"".join(self.said).decode(errors="replace")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command inside."""
        return subprocess.run(self._inside(*words), env=_PATH, capture_output=True, text=True, timeout=180, check=False)

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        """A command inside that goes on by itself."""
        return subprocess.Popen(self._inside(*words), env=_PATH, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _inside(self, *words: str) -> list[str]:
        return ["nsenter", "-t", str(self.pid), "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--root",
                "--wd=/", *words]  # fmt: skip

    def state(self, unit: str, what: str = "ActiveState") -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", what, unit).stdout.strip()

    def wait_until_up(self) -> None:
        """Return when systemd has started what it wants to start, whatever came of it."""
        deadline = time.monotonic() + BOOT_S
        while time.monotonic() < deadline:
            answer = self.run("systemctl", "is-system-running").stdout.strip()
            if answer in {"running", "degraded"}:
                return
            time.sleep(0.2)
        raise AssertionError(f"systemd did not come up:\n{self.console[-3000:]}")


def _first_child(pid: int) -> int:
    deadline = time.monotonic() + BOOT_S
    while time.monotonic() < deadline:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.05)
    raise AssertionError("no process 1")


def _listen(descriptor: int, said: list[bytes]) -> None:
    while True:
        try:
            heard = os.read(descriptor, 65_536)
        except OSError:
            return
        if not heard:
            return
        said.append(heard)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
