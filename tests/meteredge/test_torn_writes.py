"""Power cuts on a medium that drops, tears and reorders what was not synced: the journal loses nothing."""

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.meteredge.torn.lives import Life, harm_over
from tests.meteredge.torn.medium import Medium
from tests.meteredge.torn.sqlite_disk import Disk

from meteredge.journal import Identity
from meteredge.signer import Signer

CUTS = 150
LONGEST_LIVES = (30, 300)
"""Changes of files (writes, syncs, names) from one cut to the next, at most: a short life dies young."""

FIRST_MINUTE = 60
"""Changes that making a journal, its install and the first records take."""


def cut_in_memory(life: Life, folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    cut_after(chance.randrange(chance.choice(LONGEST_LIVES)), life, folder, chance)


def cut_after(changes: int, life: Life, folder: Path, chance: random.Random) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}
    medium = Medium(files, chance, changes)
    with Disk(folder, medium).mounted():
        life.live(folder, chance)
    assert medium.left is not None
    for path in folder.iterdir():
        path.unlink()
    for name, content in medium.left.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def harm_with(tmp_path: Path, identity: Identity, signer: Signer) -> Callable[..., Iterator[str]]:
    """`harm_with(pragma, …)`: the harm done to a journal that is kept so, sentence by sentence."""

    def begin(*pragmas: str) -> Iterator[str]:
        return harm_over(CUTS, lambda: Life(identity, signer, pragmas), tmp_path, cut_in_memory)

    return begin


def test_a_journal_loses_no_acknowledged_record_over_150_power_cuts(harm_with: Callable[..., Iterator[str]]) -> None:
    assert list(harm_with()) == []


def test_a_cut_at_any_moment_of_its_first_minute_leaves_a_journal_that_can_go_on(
    tmp_path: Path, identity: Identity, signer: Signer
) -> None:
    for changes, seed in itertools.product(range(FIRST_MINUTE), range(3)):
        folder, life = tmp_path / f"{changes}-{seed}", Life(identity, signer)
        folder.mkdir()
        cut_after(changes, life, folder, random.Random(seed))
        assert life.harm_of(folder) == [], f"cut at change {changes}, seed {seed}"


@pytest.mark.parametrize(
    "pragmas",
    [
        ("synchronous = NORMAL",),
        ("synchronous = OFF",),
        ("journal_mode = DELETE",),
        ("journal_mode = TRUNCATE", "synchronous = NORMAL"),
    ],
    ids=lambda pragmas: ", ".join(pragmas),
)
def test_the_same_cuts_find_a_journal_that_is_kept_less_safely(
    harm_with: Callable[..., Iterator[str]], pragmas: tuple[str, ...]
) -> None:
    assert any("acknowledged and is lost" in sentence for sentence in harm_with(*pragmas))
