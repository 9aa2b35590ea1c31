"""Advice is for errors that exist, and names commands that exist."""

import re

from meterbridge.__main__ import COMMANDS
from meterchain.commands.advice import ADVICE
from meterchain.programs import Programs


def test_there_is_advice_only_for_errors_that_there_are(built: Programs) -> None:
    for program, steps in ADVICE.items():
        assert set(steps) <= {name for name, _ in built[program].errors.values()}, program


def test_advice_names_commands_that_there_are() -> None:
    named = {
        found
        for steps in ADVICE.values()
        for step in steps.values()
        for found in re.findall("`meterbridge (\\w+)", step)
    }
    assert named
    assert named <= set(COMMANDS)
