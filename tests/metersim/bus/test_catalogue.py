"""metersim.bus.catalogue: every fault by name, and what is wrong with a name that is none."""

import inspect
from pathlib import Path

import pytest

from metersim.bus import faults, intruders, moods
from metersim.bus.catalogue import FAULTS, FaultUnknown, fault_from_words, fault_of, options_of
from metersim.bus.fault import Fault
from metersim.bus.faults import LateReply, WrongLine

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text("utf-8")


def test_every_fault_that_there_is_has_a_name() -> None:
    there = {
        found
        for module in (faults, intruders, moods)
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Fault) and found is not Fault
    }
    assert set(FAULTS.values()) == there


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_stands_on_the_page_with_its_options(kind: str) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{kind}`")]
    assert all(option in row for option in options_of(kind))


def test_a_line_of_words_is_a_fault() -> None:
    assert fault_from_words("late_reply delay_s=0.6 probability=0.1") == LateReply(0.6, 0.1)
    assert fault_from_words('wrong_line baud=19200 character="8E1"') == WrongLine(19_200, "8E1")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("late", "there are babbling"),
        ("late_reply delay=1", "it has delay_s, probability"),
        ("late_reply", "late_reply needs delay_s"),
        ("echo loud=true", "it has none"),
        ("silence probability=lots", "option=value"),
    ],
)
def test_what_is_no_fault_is_told_with_what_there_is(words: str, told: str) -> None:
    with pytest.raises(FaultUnknown, match=told):
        fault_from_words(words)


def test_options_of_a_table_are_passed_on() -> None:
    assert fault_of("bit_flip", {"per_character": 0.1, "requests": True}).requests is True  # type: ignore[attr-defined]
