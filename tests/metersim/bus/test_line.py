"""metersim.bus.line: characters and the silences that part frames."""

import pytest

from metersim.bus.line import Line, LineError


@pytest.mark.parametrize(("character", "bits"), [("8N1", 10), ("8E1", 11), ("8O1", 11), ("8N2", 11)])
def test_a_character_takes_its_bits(character: str, bits: int) -> None:
    assert Line(9_600, character).char_s == bits / 9_600


def test_silences_follow_the_speed_up_to_19200_baud_and_are_fixed_above() -> None:
    assert Line(9_600).t35_s == pytest.approx(3.5 * 10 / 9_600)
    assert Line(19_200, "8E1").t15_s == pytest.approx(1.5 * 11 / 19_200)
    assert (Line(38_400).t35_s, Line(115_200).t15_s) == (0.00175, 0.00075)


def test_a_transaction_waits_for_the_turnaround_or_for_t35_whichever_is_longer() -> None:
    line = Line(9_600)
    assert line.transaction_s(8, 9) == pytest.approx(17 * line.char_s + line.t35_s)
    assert line.transaction_s(8, 9, 0.05) == pytest.approx(17 * line.char_s + 0.05)


@pytest.mark.parametrize(("baud", "character"), [(9_600, "7E1"), (0, "8N1")])
def test_a_line_that_does_not_exist_is_refused(baud: int, character: str) -> None:
    with pytest.raises(LineError):
        Line(baud, character)
