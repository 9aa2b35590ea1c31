"""Flashing the bridge, against the prompt of real MicroPython on a pty."""

import os
import subprocess
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from bridge.stored import State, Store
from tests.firmware.board import HEAP, micropython

from meterbridge.__main__ import main
from meterprov import bridge
from meterprov.raw_repl import NoPrompt, ProgramFailed, RawRepl


@pytest.fixture
def port() -> Iterator[serial.Serial]:
    """The prompt of a board, as a port."""
    far, near = os.openpty()
    tty.setraw(near)
    board = subprocess.Popen([micropython(), "-X", HEAP], stdin=far, stdout=far, stderr=far)
    with serial.Serial(os.ttyname(near), 115_200) as port:
        port.timeout = 10
        port.read_until(b">>> ")
        yield port
    board.kill()
    board.wait()
    os.close(far)
    os.close(near)


def flashed(port: serial.Serial, folder: Path, unit: int = 247) -> bridge.Flashed:
    with RawRepl(port) as repl:
        return bridge.flash(repl, unit, root=str(folder), platform="linux")


def test_all_files_arrive_and_the_version_and_unit_are_told(port: serial.Serial, tmp_path: Path) -> None:
    told = flashed(port, tmp_path, 12)
    for path, data in bridge.firmware().items():
        assert (tmp_path / path).read_bytes() == data
    assert (told.version, told.unit) == ("1.0.0", 12)
    assert told.sha256.keys() == bridge.firmware().keys()
    assert not list(tmp_path.rglob("*.new"))


def test_flashing_again_keeps_the_pulses(port: serial.Serial, tmp_path: Path) -> None:
    flashed(port, tmp_path)
    store = Store(FolderSlots(tmp_path))
    state = store.load()
    state.pulses = 4_711
    store.save(state)
    flashed(port, tmp_path, 30)
    kept: State = store.load()
    assert (kept.pulses, kept.unit) == (4_711, 30)


def test_a_file_that_reads_back_otherwise_stops_it_with_the_old_firmware_in_place(
    port: serial.Serial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flashed(port, tmp_path)
    before = (tmp_path / "main.py").read_bytes()
    write = bridge._write
    monkeypatch.setattr(bridge, "_write", lambda repl, path, data: write(repl, path, data[:-1] + b"?"))
    with pytest.raises(bridge.BridgeError, match="reads back otherwise"):
        flashed(port, tmp_path)
    assert (tmp_path / "main.py").read_bytes() == before


def test_another_board_is_left_alone(port: serial.Serial, tmp_path: Path) -> None:
    with RawRepl(port) as repl, pytest.raises(bridge.BridgeError, match="nothing was written"):
        bridge.flash(repl, root=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_unit_that_is_none_is_refused(port: serial.Serial, tmp_path: Path) -> None:
    with pytest.raises(bridge.BridgeError, match="1 to 247"):
        flashed(port, tmp_path, 248)


def test_what_fails_on_the_board_is_told(port: serial.Serial) -> None:
    with RawRepl(port) as repl, pytest.raises(ProgramFailed, match="ZeroDivisionError"):
        repl.run("1 / 0")


def test_a_port_without_a_prompt_names_the_service_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meterprov.raw_repl.PROMPT_S", 0.05)
    far, near = os.openpty()
    tty.setraw(near)
    with (
        serial.Serial(os.ttyname(near), 115_200) as silent,
        pytest.raises(NoPrompt, match="service switch"),
        RawRepl(silent),
    ):
        raise AssertionError
    os.close(far)
    os.close(near)


class FolderSlots:
    """The board's two slots, seen from here."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, index: int) -> bytes:
        path = self._folder / f"state.{index}"
        return path.read_bytes() if path.exists() else b""

    def write(self, index: int, data: bytes) -> None:
        (self._folder / f"state.{index}").write_bytes(data)


def test_the_command_refuses_a_board_that_is_no_pico(port: serial.Serial, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(port.port)
    port.close()
    assert main(["provision", "bridge", "--port", path]) == 4
    assert "the board is a linux, the bridge runs on rp2; nothing was written" in capsys.readouterr().err


def test_the_command_says_when_there_is_no_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["provision", "bridge", "--port", str(tmp_path / "none")]) == 3
    assert "plug the Pico in" in capsys.readouterr().err
