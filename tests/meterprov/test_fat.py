"""The boot partition: what goes in comes out, what does not fit is told, and no failure of the disk is lost."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.meterprov.cards import card

from meterprov.disk_image import CardLayout, read_layout
from meterprov.fat import FatError, digests, fat_volume

NAMES = st.from_regex(r"[a-z0-9][A-Za-z0-9._-]{0,80}[a-z0-9]", fullmatch=True)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("card") / "card.img"
    path.write_bytes(card("trixie"))
    return path


@pytest.fixture(scope="module")
def layout(image: Path) -> CardLayout:
    return read_layout(image)


@given(files=st.dictionaries(NAMES, st.binary(max_size=3000), max_size=8))
@settings(max_examples=15, deadline=None)
def test_what_goes_in_comes_out_and_comes_out_no_more_once_removed(
    image: Path, layout: CardLayout, files: dict[str, bytes]
) -> None:
    by_case = {name.lower(): data for name, data in files.items()}
    wanted = {f"/t/{name}": data for name, data in by_case.items()}
    with fat_volume(image, layout.boot, write=True) as volume:
        free = volume.free_at_start
        for path, data in wanted.items():
            volume.write(path, data)
    assert set(digests(image, layout.boot, wanted)) == set(wanted)
    with fat_volume(image, layout.boot, write=True) as volume:
        taken = free - volume.free_at_start
        assert taken <= volume.room_for({path: len(data) for path, data in wanted.items()})
        volume.remove("/t")
        assert not volume.exists("/t")
    with fat_volume(image, layout.boot) as volume:
        assert volume.free_at_start == free


def test_a_shorter_file_leaves_nothing_of_the_longer_one(image: Path, layout: CardLayout) -> None:
    with fat_volume(image, layout.boot, write=True) as volume:
        volume.write("/a", b"x" * 5000)
        volume.write("/a", b"short")
    with fat_volume(image, layout.boot, write=True) as volume:
        assert volume.read("/a") == b"short"
        volume.remove("/a")


def test_a_full_partition_is_told_where_the_driver_says_nothing(image: Path, layout: CardLayout) -> None:
    with (
        pytest.raises(FatError, match=r"[\d,]+ of 5,000,000 bytes of /big went in: the partition is full"),
        fat_volume(image, layout.boot, write=True) as volume,
    ):
        volume.write("/big", bytes(5_000_000))
    with fat_volume(image, layout.boot, write=True) as volume:
        volume.remove("/big")


@pytest.mark.parametrize("path", ["relative", "/ä", "/a\nb", ""])
def test_a_name_that_other_systems_would_spell_otherwise_is_refused(image: Path, layout: CardLayout, path: str) -> None:
    with fat_volume(image, layout.boot) as volume, pytest.raises(FatError, match="printable ASCII"):
        volume.write(path, b"")


def test_what_is_not_there_is_told(image: Path, layout: CardLayout) -> None:
    with fat_volume(image, layout.boot) as volume:
        with pytest.raises(FatError, match="there is no file /none"):
            volume.read("/none")
        with pytest.raises(FatError, match="there is no folder /none"):
            volume.names("/none")
        volume.remove("/none")


def test_a_disk_that_cannot_be_written_is_not_taken_for_one_that_was(image: Path, layout: CardLayout) -> None:
    before = image.read_bytes()
    with (
        pytest.raises(FatError, match=r"the image is not whole, make it again"),
        fat_volume(image, layout.boot) as volume,  # opened for reading alone
    ):
        volume.write("/a", b"x" * 5000)
    assert image.read_bytes() == before


def test_a_file_that_reads_back_otherwise_is_named(image: Path, layout: CardLayout) -> None:
    with fat_volume(image, layout.boot, write=True) as volume:
        volume.write("/a", b"what was written")
    with pytest.raises(FatError, match=r"/a reads back otherwise than it was written; check disk and memory"):
        digests(image, layout.boot, {"/a": b"what was wanted!"})


def test_more_volumes_than_the_driver_has_places_for_can_be_opened_in_turn(image: Path, layout: CardLayout) -> None:
    for _ in range(30):
        with fat_volume(image, layout.boot) as volume:
            assert volume.exists("/config.txt")
        broken = io.BytesIO(image.read_bytes()[: layout.boot.offset] + bytes(1 << 20)).getvalue()
        other = image.with_name("broken.img")
        other.write_bytes(broken)
        with pytest.raises(FatError), fat_volume(other, layout.boot):
            pass
