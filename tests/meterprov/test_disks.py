"""Which disks may be overwritten: told by a kernel that we make up."""

import os
from pathlib import Path

import pytest

from meterprov.disks import DiskRefused, Kernel, target_of


class MadeUp:
    """A /sys and a /proc with a built-in disk that the system runs from, and what a test adds."""

    def __init__(self, folder: Path) -> None:
        self.sys, self.proc = folder / "sys", folder / "proc"
        (self.sys / "class/block").mkdir(parents=True)
        (self.proc / "self").mkdir(parents=True)
        self.mounts: list[str] = []
        self.swaps: list[str] = []
        self.add("nvme0n1", "devices/pci0/nvme0", parts=("nvme0n1p1",))
        self.mount("nvme0n1p1", "/")

    def add(self, name: str, bus: str, *, parts: tuple[str, ...] = (), sectors: int = 62_333_952, **said: str) -> None:
        """A disk; `said`: files of its folder, by name with __ for /."""
        disk = self.sys / bus / "block" / name
        for number, part in enumerate(("", *parts)):
            folder = disk / part
            folder.mkdir(parents=True)
            (folder / "dev").write_text(f"{len(list((self.sys / 'class/block').iterdir()))}:{number}\n")
            (folder / "size").write_text(f"{sectors}\n")
            (folder / "ro").write_text("0\n")
            (folder / "holders").mkdir()
            if part:
                (folder / "partition").write_text("1\n")
            (self.sys / "class/block" / folder.name).symlink_to(folder)
        for key, text in {"removable": "0", **said}.items():
            path = disk / key.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{text}\n")

    def mount(self, name: str, where: str, source: str = "") -> None:
        number = (self.sys / "class/block" / name / "dev").read_text().strip()
        self.mounts.append(f"25 1 {number} / {where} rw shared:1 - ext4 {source or f'/dev/{name}'} rw")

    def kernel(self) -> Kernel:
        (self.proc / "self/mountinfo").write_text("\n".join(self.mounts) + "\n")
        (self.proc / "swaps").write_text("\n".join(["Filename Type Size Used Priority", *self.swaps]) + "\n")
        return Kernel(self.sys, self.proc)


@pytest.fixture
def made_up(tmp_path: Path) -> MadeUp:
    return MadeUp(tmp_path)


USB = "devices/pci0/usb1/1-2"


@pytest.mark.parametrize(
    ("name", "bus", "said"),
    [
        ("sdb", USB, {"removable": "1", "device__vendor": "Generic ", "device__model": "SD/MMC"}),
        ("sdc", USB, {"removable": "0", "device__vendor": "Generic", "device__model": "SD/MMC"}),
        ("mmcblk0", "devices/platform/mmc0", {"device__name": "Generic SD/MMC"}),
        ("sdd", "devices/pci0/ata1", {"removable": "1", "device__model": "Generic SD/MMC"}),
    ],
)
def test_cards_and_sticks_that_nothing_uses_are_taken(
    made_up: MadeUp, name: str, bus: str, said: dict[str, str]
) -> None:
    made_up.add(name, bus, parts=(f"{name}1",), **said)
    target = made_up.kernel().disk(Path("/dev") / name)
    assert (target.kind, target.name, target.size) == ("card", name, 62_333_952 * 512)
    assert target.description == "Generic SD/MMC, 31.9 GB"


def test_the_disk_that_the_system_runs_from_is_never_taken(made_up: MadeUp) -> None:
    with pytest.raises(DiskRefused, match=r"built in .* it is never overwritten"):
        made_up.kernel().disk(Path("/dev/nvme0n1"))
    made_up.add("sda", USB, parts=("sda1",))
    made_up.mount("sda1", "/")
    with pytest.raises(DiskRefused, match="/dev/sda is in use: mounted at /; unmount it"):
        made_up.kernel().disk(Path("/dev/sda"))


def test_a_mounted_card_is_refused_however_it_is_mounted(made_up: MadeUp) -> None:
    made_up.add("sdb", USB, parts=("sdb1",))
    made_up.mount("sdb1", "/media/bootfs", source="/dev/disk/by-label/bootfs")
    with pytest.raises(DiskRefused, match="mounted at /media/bootfs"):
        made_up.kernel().disk(Path("/dev/sdb"))
    made_up.mounts[-1] = "25 1 0:44 / /media/data rw - btrfs /dev/sdb1 rw"
    with pytest.raises(DiskRefused, match="mounted at /media/data"):
        made_up.kernel().disk(Path("/dev/sdb"))
    made_up.mounts.pop()
    assert made_up.kernel().disk(Path("/dev/sdb"))


def test_swap_and_devices_on_top_are_uses_too(made_up: MadeUp) -> None:
    made_up.add("sdb", USB, parts=("sdb1", "sdb2"))
    made_up.swaps.append("/dev/sdb2 partition 1 0 -2")
    with pytest.raises(DiskRefused, match="/dev/sdb2 is swapped to"):
        made_up.kernel().disk(Path("/dev/sdb"))
    made_up.swaps.clear()
    (made_up.sys / "class/block/sdb1/holders/dm-0").mkdir()
    with pytest.raises(DiskRefused, match="sdb1 is part of dm-0"):
        made_up.kernel().disk(Path("/dev/sdb"))


def test_a_partition_is_no_disk(made_up: MadeUp) -> None:
    made_up.add("mmcblk0", "devices/platform/mmc0", parts=("mmcblk0p1",))
    with pytest.raises(DiskRefused, match="mmcblk0p1 is a partition; name the whole disk, /dev/mmcblk0"):
        made_up.kernel().disk(Path("/dev/mmcblk0p1"))


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        ("sdb", {"ro": "1"}, "read-only; look at the switch"),
        ("sdb", {"size": "0"}, "no medium in it; put the card in"),
        ("mmcblk0boot0", {"removable": "0"}, "built in"),
    ],
)
def test_a_disk_that_cannot_be_written_is_refused(made_up: MadeUp, name: str, said: dict[str, str], told: str) -> None:
    made_up.add(name, USB if name == "sdb" else "devices/platform/mmc0", **said)
    with pytest.raises(DiskRefused, match=told):
        made_up.kernel().disk(Path("/dev") / name)


def test_a_loop_device_is_taken_only_where_it_is_asked_for(made_up: MadeUp) -> None:
    made_up.add("loop3", "devices/virtual", loop__backing_file="/srv/card.img")
    with pytest.raises(DiskRefused, match="--allow-loop takes it all the same"):
        made_up.kernel().disk(Path("/dev/loop3"))
    assert made_up.kernel().disk(Path("/dev/loop3"), allow_loop=True).description == "/srv/card.img, 31.9 GB"


def test_a_disk_that_is_not_there_never_becomes_a_file_in_dev(made_up: MadeUp, tmp_path: Path) -> None:
    with pytest.raises(DiskRefused, match="there is no such disk; `lsblk` shows"):
        target_of(Path("/dev/sdzz"), made_up.kernel())
    with pytest.raises(DiskRefused, match="the kernel knows no such disk"):
        made_up.kernel().disk(Path("/dev/sdzz"))
    with pytest.raises(DiskRefused, match="there is no such folder"):
        target_of(tmp_path / "none" / "card.img", made_up.kernel())
    with pytest.raises(DiskRefused, match="neither a disk nor a file"):
        target_of(Path("/dev/null"), made_up.kernel())
    assert target_of(tmp_path / "card.img", made_up.kernel()).kind == "file"
    assert not os.path.lexists("/dev/sdzz")
