"""`meterbridge sim` as people and machines run it: read by masters that are not ours, stopped by signals."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import serial
from pymodbus.client import ModbusSerialClient

from meterbridge.__main__ import main
from meteredge import frame_log
from metersim.bus import rtu
from metersim.bus.line import Line
from metersim.stage.bench import open_meter
from metersim.stage.frames import log_of, stations_of, told_apart

WAIT_S = 60
ANSWERED_S, GAP_S = 10, 0.1
"""How long a busy host may take over an answer, and the silence that a meter wants before a question."""
OPTIONS = f"-o {ANSWERED_S} -m rtu -b 9600 -P none -a 1 -t 3:float -B -0 -r 0 -c 3 -1 -q".split()
"""Of mbpoll: three floats from input register 0, once."""


@contextmanager
def sim(*words: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """A server, and the document that it printed."""
    command = [sys.executable, "-m", "meterbridge", "sim", *words, "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        line = server.stdout.readline()
        assert line, server.communicate(timeout=WAIT_S)[1]
        yield server, json.loads(line)
    finally:
        server.kill()
        server.communicate(timeout=WAIT_S)


def stopped(server: "subprocess.Popen[str]", by: signal.Signals) -> tuple[int, str]:
    """The exit code, and what it said on stderr, of a server that a signal stopped."""
    server.send_signal(by)
    _, told = server.communicate(timeout=WAIT_S)
    return server.returncode, told


def read_floats(port: str, baud: int, unit: int, address: int, count: int) -> list[float]:
    select.select([], [], [], GAP_S)
    with ModbusSerialClient(port, baudrate=baud, timeout=ANSWERED_S, retries=0) as client:
        reply = client.read_input_registers(address, count=2 * count, device_id=unit)
        assert not reply.isError(), reply
        found = client.convert_from_registers(reply.registers, client.DATATYPE.FLOAT32)
    return found if isinstance(found, list) else [found]


def test_pymodbus_reads_a_meter_until_ctrl_c(tmp_path: Path) -> None:
    link, frames = tmp_path / "by-id" / "meter", tmp_path / "frames.jsonl"
    words = ("--meter", "sdm630", "--baud", "9600", "--unit", "7", "--link", str(link), "--record", str(frames))
    with sim("run", *words) as (server, told):
        assert told == {"port": str(link.resolve()), "link": str(link), "baud": 9600, "format": "8N1", "unit": 7}
        voltages = read_floats(str(link), 9_600, 7, 0, 3)
        assert all(200 < voltage < 260 for voltage in voltages)
        code, stderr = stopped(server, signal.SIGINT)
    assert (code, "Traceback" in stderr) == (130, False)
    assert not link.is_symlink()
    log = frame_log.read(frames)
    assert [frame.dir for frame in log.frames] == ["tx", "rx"]
    with sim("replay", str(frames)) as (server, told):
        assert read_floats(told["port"], told["baud"], 7, 0, 3) == voltages
        assert stopped(server, signal.SIGTERM)[0] == 0


def test_a_fault_of_the_command_line_acts() -> None:
    with sim("run", "--meter", "sdm120", "--fault", "exception_storm code=6") as (_, told):  # noqa: SIM117
        with ModbusSerialClient(told["port"], baudrate=told["baud"], timeout=ANSWERED_S, retries=0) as client:
            assert client.read_input_registers(0, count=2, device_id=1).exception_code == 6


@pytest.mark.ci
def test_mbpoll_reads_a_meter() -> None:
    with sim("run", "--meter", "sdm630", "--baud", "9600") as (_, told):
        command = ["mbpoll", *OPTIONS]
        done = subprocess.run([*command, told["port"]], capture_output=True, text=True, timeout=WAIT_S, check=True)
        ours = read_floats(told["port"], 9_600, 1, 0, 3)
    theirs = [float(value) for value in re.findall(r"^\[\d+\]:\s+([\d.]+)", done.stdout, re.MULTILINE)]
    assert theirs == pytest.approx(ours, abs=1.0)


@contextmanager
def tapped(meter: str) -> Iterator[tuple[str, str]]:
    """A bus between a master and `meter` with a third pair of wires on it: (the master's port, the listener's port).

    What either side sends goes to the other one and to the listener, at once, as on a bus.
    """
    theirs, master = os.openpty()
    tap, listener = os.openpty()
    for end in (master, listener):
        tty.setraw(end)
    with serial.Serial(meter, 9_600, timeout=0) as wire:
        leave, stop = os.pipe()

        def carry() -> None:
            while True:
                ready, _, _ = select.select([theirs, wire.fileno(), leave], [], [])
                if leave in ready:
                    return
                for source, target in ((theirs, wire.fileno()), (wire.fileno(), theirs)):
                    if source in ready:
                        data = os.read(source, 4_096)
                        os.write(target, data)
                        os.write(tap, data)

        bus = threading.Thread(target=carry)
        bus.start()
        try:
            yield os.ttyname(master), os.ttyname(listener)
        finally:
            os.close(stop)
            bus.join()
            for end in (theirs, master, tap, listener, leave):
                os.close(end)


def test_a_live_bus_is_recorded_by_listening_and_played_back_to_another_master(tmp_path: Path) -> None:
    out = tmp_path / "frames.jsonl"
    with open_meter("sdm630", baud=9_600, unit=7) as meter, tapped(meter.port) as (port, listener):
        words = ("sim", "record", "--port", listener, "--out", str(out))
        command = [sys.executable, "-m", "meterbridge", *words]
        recorder = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert recorder.stderr
            assert recorder.stderr.readline().startswith(f"listening on {listener}")
            voltages = read_floats(port, 9_600, 7, 0, 3)
            power = read_floats(port, 9_600, 7, 52, 1)
            code, said = stopped(recorder, signal.SIGTERM)
        finally:
            recorder.kill()
            recorder.communicate()
    frames = frame_log.read(out).frames
    assert (code, said) == (0, f"{len(frames)} frames in {out}\n")
    answered = [question.data[3] for question, answer in frame_log.pairs(frames) if answer]
    assert answered == [0, 52]
    with sim("replay", str(out)) as (_, told):
        assert read_floats(told["port"], told["baud"], 7, 52, 1) == power
        assert read_floats(told["port"], told["baud"], 7, 0, 3) == voltages


def test_a_silent_bus_is_an_empty_recording(tmp_path: Path) -> None:
    out = tmp_path / "frames.jsonl"
    with open_meter("sdm630", baud=9_600) as meter:
        assert main(["sim", "record", "--port", meter.port, "--out", str(out), "--seconds", "0.2"]) == 0
    assert (frame_log.read(out).baud, frame_log.read(out).frames) == (9_600, ())


def test_questions_and_answers_are_told_apart() -> None:
    ask, reply = rtu.frame(1, bytes([4, 0, 0, 0, 1])), rtu.frame(1, bytes([4, 2, 0, 7]))
    frames = told_apart([(0.1, ask), (0.2, reply), (0.3, reply), (0.4, ask), (0.5, ask), (0.6, b"\xff")])
    assert [frame.dir for frame in frames] == ["tx", "rx", "unasked", "tx", "tx", "rx"]


def test_a_quick_answer_that_came_in_one_heap_with_its_question_is_told_from_it() -> None:
    ask, reply = rtu.frame(1, bytes([4, 0, 0, 0, 2])), rtu.frame(1, bytes([4, 4, 0, 7, 0, 8]))
    refusal = rtu.frame(1, rtu.exception(4, 2))
    frames = told_apart([(1.0, ask + reply + ask), (2.0, refusal + ask), (3.0, reply + b"\0")], 0.001)
    assert [(frame.dir, frame.data) for frame in frames] == [
        ("tx", ask), ("rx", reply), ("tx", ask), ("rx", refusal), ("tx", ask), ("rx", reply), ("unasked", b"\0"),
    ]  # fmt: skip
    assert [round(frame.t, 3) for frame in frames[:3]] == [0.983, 0.992, 1.0]


def test_an_answer_that_came_in_two_heaps_is_whole_and_a_damaged_one_stays_as_it_came() -> None:
    ask, reply = rtu.frame(1, bytes([4, 0, 0, 0, 2])), rtu.frame(1, bytes([4, 4, 0, 7, 0, 8]))
    frames = told_apart([(1.0, ask), (1.1, reply[:3]), (1.2, reply[3:]), (2.0, ask), (2.1, reply[:4]), (3.0, ask)])
    assert [(frame.dir, frame.data) for frame in frames] == [
        ("tx", ask), ("rx", reply), ("tx", ask), ("rx", reply[:4]), ("tx", ask),
    ]  # fmt: skip


def test_what_was_overheard_is_played_back_as_it_was() -> None:
    with open_meter("sdm120", baud=9_600, unit=3) as meter:
        wanted = read_floats(meter.port, 9_600, 3, 0, 1)
        log = log_of(meter.bus.overheard(), Line(9_600), 0.0, 0.0)
    (station,) = stations_of(log)
    assert station.unit == 3
    ((pdu, (answer,)),) = station.answers.items()
    assert pdu == bytes([4, 0, 0, 0, 2])
    assert answer is not None
    assert answer.frame == log.frames[1].data
    assert answer.delay_s == pytest.approx(0.02, abs=0.001)
    assert wanted


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["run", "--meter", "sdm999"], 2, "no profile 'sdm999'"),
        (["run", "--fault", "smoke"], 2, "no fault is called 'smoke'"),
        (["run", "--format", "9X9"], 2, "character format"),
        (["replay", "/nowhere.jsonl"], 3, "cannot be read"),
        (["scenarios", "/nowhere"], 2, "no scenarios here"),
        (["record", "--port", "/dev/nowhere", "--out", "/tmp/x"], 3, "/dev/nowhere"),  # noqa: S108
    ],
)
def test_what_cannot_be_done_is_a_line_and_an_exit_code(
    words: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sim", *words]) == code
    assert told in capsys.readouterr().err


def test_the_table_of_scenarios_says_which_are_as_expected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, signed in (("good", 1), ("bad", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_text(f'title = "{name}"\nslots = 1\n')
        (tmp_path / name / "faults.toml").write_text("")
        (tmp_path / name / "expect.toml").write_text(f"signed = {signed}\n")
    assert main(["sim", "scenarios", str(tmp_path), "--only", "good"]) == 0
    assert "1 of 1 as expected" in capsys.readouterr().out
    assert main(["sim", "scenarios", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "1 of 2 as expected" in told
    assert "bad: signed: 1, expected 2" in told
    assert main(["sim", "scenarios", str(tmp_path), "--json"]) == 1
    assert [row["ok"] for row in json.loads(capsys.readouterr().out)] == [False, True]
