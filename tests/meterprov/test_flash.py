"""Cards are written whole, zeros too, and are good only if they give back what was written."""

import errno
import hashlib
import json
import lzma
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from meterbridge.__main__ import main
from meterprov import manifest
from meterprov.disks import Kernel, Target, target_of
from meterprov.flash import Flashed, FlashRefused, flash
from meterprov.unpack import CHUNK, UnpackError

RAW = os.urandom(5 << 20) + bytes(3 * CHUNK) + os.urandom(12_345)
"""Some pieces of it are zero and nothing else."""
SHA256 = hashlib.sha256(RAW).hexdigest()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "node.img"
    path.write_bytes(RAW)
    return path


def _file(path: Path, size: int | None = None) -> Target:
    return Target(path, "file", path.name, "a file", size)


def _flash(image: Path, *targets: Target) -> list[Flashed]:
    return flash(image, targets, lambda *_told: None)


def test_several_cards_get_the_same_bytes_from_one_packed_image(image: Path, tmp_path: Path) -> None:
    packed = tmp_path / "node.img.xz"
    packed.write_bytes(lzma.compress(RAW, preset=0))
    targets = [_file(tmp_path / f"card{number}") for number in range(3)]
    results = _flash(packed, *targets)
    assert [(result.failure, result.image_sha256, result.image_bytes) for result in results] == [
        (None, SHA256, len(RAW))
    ] * 3
    assert all(target.path.read_bytes() == RAW for target in targets)


def test_what_a_card_held_before_does_not_stay_where_the_image_is_zero(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ = os.open
    monkeypatch.setattr(os, "open", lambda path, flags, *mode: open_(path, flags & ~os.O_TRUNC, *mode))  # as a card is
    old = tmp_path / "card"
    old.write_bytes(b"\xff" * len(RAW))
    (result,) = _flash(image, _file(old))
    assert result.failure is None
    assert old.read_bytes() == RAW


def test_a_card_that_fails_fails_alone(image: Path, tmp_path: Path) -> None:
    good, broken = tmp_path / "good", Path("/dev/full")
    first, second = _flash(image, Target(broken, "file", "full", "a full card", None), _file(good))
    assert first.failure == "/dev/full: No space left on device; try again, then take another card or reader"
    assert second.failure is None
    assert good.read_bytes() == RAW


def test_whoever_may_not_write_a_card_is_told_to_use_sudo(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_words: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    target = _file(tmp_path / "card")
    monkeypatch.setattr("meterprov.flash.os.open", denied)
    (result,) = _flash(image, target)
    assert result.failure == f"{target.path}: Permission denied; run it with sudo"


def test_a_card_that_keeps_something_else_is_named(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As counterfeit cards do, which forget what lies beyond their true size."""
    fake = tmp_path / "fake"
    honest = os.write

    def forgetful(descriptor: int, data: bytes) -> int:
        is_fake = Path(f"/proc/self/fd/{descriptor}").readlink() == fake
        beyond = os.lseek(descriptor, 0, os.SEEK_CUR) >= 4 << 20 if is_fake else False
        return honest(descriptor, bytes(len(data)) if beyond else data)

    monkeypatch.setattr("meterprov.flash.os.write", forgetful)
    result, other = _flash(image, _file(fake), _file(tmp_path / "true"))
    assert result.differs
    assert result.failure == f"{fake} gave back something else than was written; throw the card away"
    assert other.failure is None


def test_an_image_that_is_cut_leaves_no_card_that_counts(image: Path, tmp_path: Path) -> None:
    packed = tmp_path / "cut.img.xz"
    whole = lzma.compress(RAW, preset=0)
    packed.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnpackError, match="ends too early"):
        _flash(packed, _file(tmp_path / "card"))


def test_what_cannot_be_right_is_refused_before_a_byte_is_written(image: Path, tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.write_bytes(b"mine")
    with pytest.raises(FlashRefused, match=r"card has 1\.0 MB, the image needs 17\.8 MB; take a larger card"):
        _flash(image, _file(card, size=1_000_000))
    with pytest.raises(FlashRefused, match="one disk is named twice"):
        _flash(image, _file(card), _file(tmp_path / "." / "card"))
    with pytest.raises(FlashRefused, match="no disk is named"):
        _flash(image)
    with pytest.raises(UnpackError, match="there is no such image; nothing was written"):
        _flash(tmp_path / "none.img", _file(card))
    assert card.read_bytes() == b"mine"


def test_the_command_asks_writes_and_keeps_the_fact(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "manifest.jsonl"
    facts = {"site": "s", "domain": "0" * 16, "generation": 1, "instance": "i", "hostname": "h", "board": "pi4"}
    rest = {"system": "trixie", "version": "0.1.0", "base": "b", "base_sha256": "0" * 64, "image": image.name}
    made = {"meter_id": "METER_007", "image_bytes": len(RAW), "image_sha256": SHA256, "files": {}}
    manifest.append(kept, manifest.ImageMade.model_validate({"at": 1, **facts, **rest, **made}))
    old = tmp_path / "old.img"
    old.write_bytes(b"mine")
    monkeypatch.setattr("typer.prompt", lambda *_words, **_more: "no")
    assert main(["provision", "flash", str(image), str(old)]) == 4
    assert "nothing was written; old.img was not typed" in capsys.readouterr().err
    assert main(["provision", "flash", str(image), str(old), "--dry-run"]) == 0
    assert f"would overwrite {old}: a file of 0.0 MB" in capsys.readouterr().err
    assert old.read_bytes() == b"mine"
    assert main(["provision", "flash", str(image), str(old), str(tmp_path / "new"), "--yes", "old.img", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [(disk["ok"], disk["meter_id"]) for disk in said["disks"]] == [(True, "METER_007")] * 2
    assert old.read_bytes() == RAW
    flashed = [fact for fact in manifest.read(kept) if isinstance(fact, manifest.Flashed)]
    assert [(fact.meter_id, fact.image_sha256) for fact in flashed] == [("METER_007", SHA256)] * 2


def test_the_command_ends_with_3_if_a_card_cannot_be_written(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "card").symlink_to(tmp_path / "none" / "card")
    assert main(["provision", "flash", str(image), str(folder / "card"), "--yes", "card"]) == 3
    assert "No such file or directory; try again" in capsys.readouterr().err


@contextmanager
def _loop(backing: Path) -> Iterator[Path]:
    made = subprocess.run(["losetup", "--find", "--show", str(backing)], capture_output=True, text=True, check=True)
    try:
        yield Path(made.stdout.strip())
    finally:
        subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)


@pytest.mark.ci
def test_two_loop_devices_are_flashed_at_once_and_a_used_one_is_refused(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backing = [tmp_path / "a", tmp_path / "b"]
    for path in backing:
        path.write_bytes(b"\xff" * (len(RAW) // 512 * 512 + 4096))
    with ExitStack() as stack:
        loops = [stack.enter_context(_loop(path)) for path in backing]
        names = [word for loop in loops for word in ("--yes", loop.name)]
        words = ["provision", "flash", str(image), *map(str, loops), *names]
        assert main(words) == 4
        assert "--allow-loop" in capsys.readouterr().err
        assert main([*words, "--allow-loop", "--json"]) == 0
        assert [disk["sha256"] for disk in json.loads(capsys.readouterr().out)["disks"]] == [SHA256] * 2
        held = os.open(loops[0], os.O_RDONLY | os.O_EXCL)
        try:
            assert main([*words, "--allow-loop"]) == 3
        finally:
            os.close(held)
        assert "Device or resource busy" in capsys.readouterr().err
        target = target_of(loops[1], Kernel(), allow_loop=True)
        assert (target.kind, target.size) == ("loop", backing[1].stat().st_size)
    assert all(path.read_bytes()[: len(RAW)] == RAW for path in backing)
