"""Calls a typer app as a sub-command: errors of use in two lines, Ctrl-C as 130."""

from collections.abc import Sequence

import typer
from typer.main import get_command

USAGE = 2
INTERRUPTED = 130

_COMMAND_LINE_ERROR = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""What every error of use is; some versions of typer bring click along under a name of their own."""


def call(app: typer.Typer, name: str, words: Sequence[str]) -> int:
    """Run `app` under `name` with these words; returns the exit code."""
    try:
        outcome = get_command(app).main(list(words), prog_name=name, standalone_mode=False)
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:
        if not isinstance(error, _COMMAND_LINE_ERROR):
            raise
        context = getattr(error, "ctx", None)
        message = error.format_message().replace("Value error, ", "")  # type: ignore[attr-defined]
        typer.echo(f"{name}: {message}", err=True)
        typer.echo(f"see `{context.command_path if context else name} --help`", err=True)
        return USAGE
    return outcome if isinstance(outcome, int) else 0
