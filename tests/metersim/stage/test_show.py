"""metersim.stage.show: bars on a terminal, lines elsewhere."""

from io import StringIO

from rich.console import Console

from metersim.stage import show as shows


def play(console: Console) -> None:
    with shows.on(console) as show:
        show.scene("First scene", 2)
        show.step("METER_001")
        show.step("METER_002")
        show.scene("Second scene", 1)
        show.step("METER_001")


def test_without_a_terminal_each_scene_is_one_line() -> None:
    out = StringIO()
    play(Console(file=out, force_terminal=False, width=80))
    assert out.getvalue() == "First scene\nSecond scene\n"


def test_on_a_terminal_each_scene_has_a_bar_that_fills() -> None:
    out = StringIO()
    play(Console(file=out, force_terminal=True, width=120))
    assert "First scene" in out.getvalue()
    assert "2/2" in out.getvalue()
    assert "1/1" in out.getvalue()
