"""The machine that is installed on: its root folder, and the few things done to it that need root.

Whatever is written is whole or not there: under another name, synced, renamed, the folder synced.
"""

import os
import secrets
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from meterchain.durable import replace, write_new
from meteredge.install.errors import InstallFailed

COMMAND_S = 120.0


def run_command(words: Sequence[str]) -> None:
    """Run a command of the system, its stdout thrown away.  Raises InstallFailed with what it said."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallFailed(f"{words[0]} cannot be run ({error}); is systemd installed?") from error
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip() or "it gave no reason"
        raise InstallFailed(f"`{' '.join(words)}` failed with exit code {done.returncode}: {said}")


@dataclass(frozen=True)
class Host:
    """A machine by its root folder; `run` and `own` are what needs its administrator."""

    root: Path = Path("/")
    run: Callable[[Sequence[str]], None] = run_command
    own: Callable[[Path, int, int], None] = os.chown

    @property
    def is_running(self) -> bool:
        """True if this is the machine that we run on, and systemd manages it; False in an image or a chroot."""
        return self.root == Path("/") and Path("/run/systemd/system").is_dir()

    def at(self, path: str | Path) -> Path:
        """Where a path of that machine is to be found on ours."""
        return self.root / Path(path).relative_to("/")

    def systemctl(self, *words: str) -> None:
        """Systemctl on that machine.  Raises InstallFailed."""
        self.run(["systemctl", *([] if self.root == Path("/") else [f"--root={self.root}"]), *words])

    def user(self, name: str) -> tuple[int, int] | None:
        """(uid, gid) of a user of that machine, None if there is none."""
        fields = self._entry("/etc/passwd", name)
        return None if fields is None else (int(fields[2]), int(fields[3]))

    def group(self, name: str) -> int | None:
        """Gid of a group of that machine, None if there is none."""
        fields = self._entry("/etc/group", name)
        return None if fields is None else int(fields[2])

    def give(self, path: str | Path, user: str | None, group: str | None) -> None:
        """Make `user` the owner and the group of `group` the group; None is root.  Raises InstallFailed."""
        uid = self._known(user)[0] if user else 0
        gid = self._known(group)[1] if group else 0
        self.own(self.at(path), uid, gid)

    def write(self, path: str | Path, content: str, mode: int, *, group: str | None = None) -> None:
        """Write a file of root's, whole or not at all.  Raises InstallFailed."""
        target = self.at(path)
        draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        gid = self._known(group)[1] if group else 0
        try:
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            try:
                write_new(draft, content.encode())
                self.own(draft, 0, gid)
                draft.chmod(mode)
                replace(draft, target)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise InstallFailed(
                f"{target}: {error.strerror}; nothing of it was written. Run as root, with room on the disk"
            ) from error

    def link(self, path: str | Path, target: str) -> None:
        """Make `path` a symbolic link to `target`, in one step.  Raises InstallFailed."""
        place = self.at(path)
        draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        try:
            place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            draft.symlink_to(target)
            replace(draft, place)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise InstallFailed(f"{place}: {error.strerror}; run as root") from error

    def _known(self, user: str) -> tuple[int, int]:
        found = self.user(user)
        if found is None:
            raise InstallFailed(
                f"{self.at('/etc/passwd')}: there is no user {user!r}; systemd-sysusers should have made it"
            )
        return found

    def _entry(self, table: str, name: str) -> list[str] | None:
        try:
            lines = self.at(table).read_text("utf-8").splitlines()
        except FileNotFoundError:
            return None
        return next((fields for line in lines if (fields := line.split(":"))[0] == name), None)
