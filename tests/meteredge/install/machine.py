"""A machine in a folder: what needs its administrator is written down instead of done."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from meteredge.install.host import Host

CONFIG = """schema = 1
[site]
name = "engineering"
domain = "0011223344556677"
[meter]
id = "METER_001"
profile = "sdm120"
unit = 1
[bus]
port = "/dev/ttyUSB0"
[chain]
rpc = "http://127.0.0.1:1"
"""


@dataclass
class Machine:
    """The folder, and what was asked of its administrator."""

    root: Path
    ran: list[list[str]] = field(default_factory=list)
    owned: dict[Path, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def empty(cls, root: Path) -> "Machine":
        root.mkdir()
        return cls(root)

    @property
    def host(self) -> Host:
        return Host(self.root, self._run, self._own)

    def text(self, path: str) -> str:
        return self.host.at(path).read_text("utf-8")

    def tree(self) -> dict[str, str]:
        """Every file and link below the root, with its content or target."""
        return {
            str(path.relative_to(self.root)): str(path.readlink()) if path.is_symlink() else path.read_text("utf-8")
            for path in sorted(self.root.rglob("*"))
            if path.is_symlink() or path.is_file()
        }

    def _run(self, words: Sequence[str]) -> None:
        self.ran.append(list(words))
        if words[0] == "systemd-sysusers":
            users = self.root / "etc/passwd"
            users.parent.mkdir(exist_ok=True)
            users.write_text("meterbridge:x:990:991::/:/sbin/nologin\nmeterbridge-page:x:989:988::/:/sbin/nologin\n")
        if "enable" in words:
            wants = self.root / "etc/systemd/system/multi-user.target.wants"
            wants.mkdir(parents=True, exist_ok=True)
            for unit in words[words.index("enable") + 1 :]:
                (wants / unit).symlink_to(f"../{unit}")

    def _own(self, path: Path, uid: int, gid: int) -> None:
        self.owned[path] = (uid, gid)
