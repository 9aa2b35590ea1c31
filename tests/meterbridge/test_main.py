"""The command: quick, lazy, and never a traceback for what is known."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from meterbridge.__main__ import COMMANDS, main
from meterbridge.exits import EXIT_CODES, exit_code_of
from meterchain.chain import BadTransaction, ChainUnreachable, TransactionFailed
from meteredge.bus_errors import NoReply, PortBusy
from meteredge.journal_schema import JournalBusy, JournalCorrupt


def _python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)


def test_help_lists_every_command_and_loads_none() -> None:
    done = _python("import sys; from meterbridge.__main__ import main; main(['--help']); print(sorted(sys.modules))")
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    for heavy in ("typer", "click", "rich", "pydantic", "solders", "solana", "meteredge", "meterchain"):
        assert f"'{heavy}'" not in done.stdout


def test_help_answers_within_a_third_of_a_second() -> None:
    """By processor time, the best of five: it waits for nothing, and what a busy machine adds is not ours."""
    taken = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "meterbridge", "--help"], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert min(taken) <= 0.3


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert "Usage: meterbridge " + name in capsys.readouterr().out


def test_no_command_shows_the_help_and_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: meterbridge COMMAND" in capsys.readouterr().out


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agnet", "run"]) == 2
    assert capsys.readouterr().err == "meterbridge: no command 'agnet'; did you mean 'agent'?\n"


def test_a_wrong_option_is_told_in_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", "once", "--configg", "x"]) == 2
    told = capsys.readouterr().err
    assert "--configg" in told
    assert "see `meterbridge agent once --help`" in told
    assert len(told.splitlines()) == 2


def test_a_wrong_option_of_the_running_agent_is_wrong_use_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", "run", "--configg", "x"]) == 2
    assert "--configg" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("meterbridge 0.")


def test_a_known_error_is_a_line_and_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("run", "once", "status"):
        assert main(["agent", command, "--config", str(tmp_path / "none.toml")]) == 2
        told = capsys.readouterr().err
        assert told.startswith("meterbridge: ")
        assert "none.toml: no such file" in told
        assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ChainUnreachable("x"), 3),
        (TransactionFailed("Paused", "x"), 4),
        (BadTransaction("x"), 4),
        (NoReply("x", "y"), 3),
        (PortBusy("x", "y"), 75),
        (JournalBusy("x"), 75),
        (JournalCorrupt("x"), 4),
        (ValueError("x"), None),
    ],
)
def test_an_error_has_the_exit_code_of_its_nearest_kind(error: Exception, code: int | None) -> None:
    assert exit_code_of(error) == code


def test_every_error_of_the_table_exists() -> None:
    for name in EXIT_CODES:
        module, _, kind = name.rpartition(".")
        found = getattr(__import__(module, fromlist=[kind]), kind)
        assert issubclass(found, Exception)
        assert f"{found.__module__}.{found.__qualname__}" == name


def test_an_unknown_error_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("meterbridge.__main__._dispatch", broken)
    with pytest.raises(ZeroDivisionError):
        main(["docs"])


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("meterbridge.__main__._dispatch", interrupted)
    assert main(["docs"]) == 130
