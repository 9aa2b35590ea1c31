"""The manifest: facts are appended whole or not at all, and what is read was written by us."""

import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterprov import manifest
from meterprov.manifest import Flashed, Labelled, ManifestError

FACT = Labelled(at=1_900_000_000, meter_id="METER_007", fingerprint="ab12")
CARD = Flashed(at=1_900_000_060, image="node.img", image_bytes=9, image_sha256="0" * 64, disk="card")


def test_facts_are_read_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    assert list(manifest.read(path)) == []
    assert [manifest.append(path, fact) for fact in (FACT, CARD, FACT)] == [1, 2, 3]
    assert list(manifest.read(path)) == [FACT, CARD, FACT]
    assert path.read_text().splitlines()[0] == (
        '{"schema":1,"at":1900000000,"meter_id":"METER_007","fact":"labelled","fingerprint":"ab12"}'
    )


@settings(deadline=None, max_examples=40)
@given(cut=st.integers(min_value=0, max_value=89))
def test_a_line_that_a_power_cut_tore_is_left_out_and_cut_off(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "manifest.jsonl"
    manifest.append(path, FACT)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:cut])
    assert list(manifest.read(path)) == [FACT]
    assert manifest.append(path, CARD) == 2
    assert list(manifest.read(path)) == [FACT, CARD]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"schema":1,"at":1,"fact":"sold"}', "line 2: no fact of ours"),
        ('{"schema":2,"at":1,"fact":"labelled","meter_id":"M"}', "line 2: no fact of ours"),
        ('{"schema":1,"at":1,"fact":"labelled","meter_id":"M","secret":"x"}', "Extra inputs are not permitted"),
        ("not json", "line 2: no fact of ours"),
        ("", "line 2: no fact of ours"),
    ],
)
def test_a_line_that_is_not_ours_is_named(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "manifest.jsonl"
    manifest.append(path, FACT)
    path.write_text(path.read_text() + line + "\n" + path.read_text())
    with pytest.raises(ManifestError, match=told):
        list(manifest.read(path))


def _append_many(path: Path, count: int) -> None:
    for _ in range(count):
        manifest.append(path, FACT)


def test_two_operators_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_append_many, args=(path, 20)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert list(manifest.read(path)) == [FACT] * 40


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="name another with --manifest"):
        manifest.append(tmp_path / "none" / "manifest.jsonl", FACT)
