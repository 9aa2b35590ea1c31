"""The operator's page names only commands and options that exist."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

from meterbridge.__main__ import COMMANDS

PAGE = Path(__file__).parents[3] / "docs" / "operator.md"
CALLS = sorted(set(re.findall(r"^\$ meterbridge (.+)$|`meterbridge ([^`]+)`", PAGE.read_text(), re.MULTILINE)))


@pytest.mark.parametrize("call", [shell or inline for shell, inline in CALLS])
def test_a_command_of_the_page_exists_with_its_options(call: str) -> None:
    words = re.split(r"[>#]", call)[0].split()
    place = COMMANDS[words[0]]
    command = get_command(getattr(import_module(place.module), place.attribute))
    for word in words[1:]:
        verbs = getattr(command, "commands", {})
        if not verbs:
            break
        command = verbs[word]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_the_page_shows_every_verb_of_site_user_and_meter() -> None:
    text = PAGE.read_text()
    for group in ("site", "user", "meter"):
        place = COMMANDS[group]
        for verb in get_command(getattr(import_module(place.module), place.attribute)).commands:  # type: ignore[attr-defined]
            assert f"{group} {verb}" in text
