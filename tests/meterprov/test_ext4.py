"""Single files out of an ext4 root: found through links, and a damaged root is told, never trusted."""

import os
import subprocess
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.meterprov.cards import root_of

from meterprov.disk_image import Partition
from meterprov.ext4 import Ext4, Ext4Error, NoSuchFile

ROOT = root_of("trixie")


def _open(image: bytes) -> Ext4:
    return Ext4(BytesIO(image), Partition(0, len(image), 0x83))


def test_a_file_is_found_through_links_to_files_and_to_folders() -> None:
    root = _open(ROOT)
    assert b"VERSION_CODENAME=trixie" in root.read("etc/os-release")
    assert root.read("/etc/../etc/./os-release") == root.read("usr/lib/os-release")
    assert root.exists("lib/ld-linux-aarch64.so.1")
    assert root.exists("../../usr/bin/filler-200")


def test_what_is_not_there_is_no_damage() -> None:
    root = _open(ROOT)
    assert not root.exists("usr/bin/python2")
    assert not root.exists("etc/os-release/below-a-file")
    with pytest.raises(NoSuchFile, match="/usr/bin is no file"):
        root.read("usr/bin")


@given(at=st.integers(0, len(ROOT) - 1), byte=st.integers(0, 255), more=st.integers(1024, 1024 + 0x100))
@settings(max_examples=150, deadline=None)
def test_a_damaged_root_is_told_or_does_not_matter(at: int, byte: int, more: int) -> None:
    damaged = bytearray(ROOT)
    damaged[at] = damaged[more] = byte
    with suppress(Ext4Error):
        _open(bytes(damaged)).read("etc/os-release")


def test_a_root_that_is_cut_is_told() -> None:
    for size in (0, 1500, 4096, 20_000):
        with pytest.raises(Ext4Error, match="image is damaged"):
            _open(ROOT[:size]).read("etc/os-release")


@pytest.mark.ci
@pytest.mark.parametrize("options", ["-b 4096", "-b 1024 -O ^64bit", "-b 1024 -O ^metadata_csum -I 128"])
def test_every_file_of_a_tree_that_mke2fs_took_is_read_the_same(tmp_path: Path, options: str) -> None:
    tree, image = tmp_path / "tree", tmp_path / "image"
    (tree / "a/b").mkdir(parents=True)
    sizes = (0, 1, 59, 60, 61, 1023, 1024, 1025, 4096, 4097, 300_000)
    for size in sizes:
        (tree / f"a/b/{size}").write_bytes(os.urandom(size))
    with (tree / "a/holes").open("wb") as file:
        for at in range(0, 4_000_000, 40_000):  # more stretches than an inode has room for
            file.seek(at)
            file.write(b"x")
    (tree / "long").symlink_to("a/" + "./" * 60 + "b/4097")
    (tree / "absolute").symlink_to("/a/b/61")
    (tree / "circle").symlink_to("circle")
    words = ["mke2fs", "-q", "-t", "ext4", *options.split(), "-d", str(tree), str(image), "16M"]
    subprocess.run(words, check=True, capture_output=True)
    root = _open(image.read_bytes())
    for path in ("a/holes", *(f"a/b/{size}" for size in sizes)):
        assert root.read(path) == (tree / path).read_bytes(), path
    assert root.read("long") == (tree / "a/b/4097").read_bytes()
    assert root.read("absolute") == (tree / "a/b/61").read_bytes()
    with pytest.raises(NoSuchFile, match="go in a circle"):
        root.read("circle")
