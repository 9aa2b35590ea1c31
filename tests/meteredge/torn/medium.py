"""A medium that keeps only what it was told to keep: a model of a disk and of the power cut that it does not survive.

Programs see every write at once.  On the plates is what was synced; at the cut any subset of the unsynced 512-byte
sectors, cuts of length, new names and removed names may have reached them as well, in any order.
"""

import random
from dataclasses import dataclass, field

SECTOR = 512
POWER = "user.power"
"""Where a medium is served as a file system (`fuse_disk`): the attribute of its folder that turns the power on."""


@dataclass(eq=False)
class File:
    """One file, whatever it is called: as programs see it, as it is on the plates, and what lies between."""

    seen: bytearray = field(default_factory=bytearray)
    kept: bytes = b""
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)
    """(offset, bytes) of a write, (length, None) of a cut or growth."""

    def write(self, at: int, content: bytes) -> None:
        if len(self.seen) < at + len(content):
            self.seen.extend(bytes(at + len(content) - len(self.seen)))
        self.seen[at : at + len(content)] = content
        self.unsynced.append((at, content))

    def truncate(self, length: int) -> None:
        _resize(self.seen, length)
        self.unsynced.append((length, None))

    def sync(self) -> None:
        self.kept = bytes(self.seen)
        self.unsynced.clear()

    def torn(self, chance: random.Random) -> bytes:
        """What is left of it after a cut."""
        left = bytearray(self.kept)
        for at, content in self.unsynced:
            if content is None:
                if chance.random() < 0.5:
                    _resize(left, at)
                continue
            end = at + len(content)
            for begin in sorted({at, *range(at - at % SECTOR + SECTOR, end, SECTOR)}):
                sector = content[begin - at : min(begin - begin % SECTOR + SECTOR, end) - at]
                if chance.random() < 0.5:
                    if len(left) < begin + len(sector):
                        _resize(left, begin + len(sector))
                    left[begin : begin + len(sector)] = sector
        return bytes(left)


class Medium:
    """The files of one folder, until the cut."""

    def __init__(self, files: dict[str, bytes], chance: random.Random, cut_after: int) -> None:
        """Begins with `files` safe on the plates; the power fails at the change number `cut_after`."""
        self.names = {name: File(bytearray(content), content) for name, content in files.items()}
        self.left: dict[str, bytes] | None = None
        """After the cut: what the plates hold."""
        self.syncs = 0
        self._kept_names = dict(self.names)
        self._chance = chance
        self._changes_left = cut_after

    def change(self) -> bool:
        """Count a change that is about to be made.  False if there is no power for it any more."""
        if self.left is None:
            self._changes_left -= 1
            if self._changes_left < 0:
                self.left = self._cut()
        return self.left is None

    def create(self, name: str) -> None:
        """Make the file unless it is there."""
        self.names.setdefault(name, File())

    def remove(self, name: str) -> None:
        """Take the name away; until the folder is synced it may come back."""
        del self.names[name]

    def rename(self, old: str, new: str) -> None:
        """Give the file another name."""
        self.names[new] = self.names.pop(old)

    def sync(self, name: str) -> None:
        """The file's content is on the plates; its name is a matter of the folder."""
        self.syncs += 1
        self.names[name].sync()

    def sync_folder(self) -> None:
        """The names are on the plates."""
        self._kept_names = dict(self.names)

    def _cut(self) -> dict[str, bytes]:
        left = {}
        for name in sorted({*self.names, *self._kept_names}):
            file = self._chance.choice((self.names.get(name), self._kept_names.get(name)))
            if file is not None:
                left[name] = file.torn(self._chance)
        return left


def _resize(content: bytearray, length: int) -> None:
    if length < len(content):
        del content[length:]
    else:
        content.extend(bytes(length - len(content)))
