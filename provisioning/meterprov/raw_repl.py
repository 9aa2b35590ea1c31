r"""MicroPython's raw prompt over a serial port: a program goes in, what it prints comes out.

ours    0x03 0x03 interrupt, 0x01 raw mode        theirs  "raw REPL; CTRL-B to exit\\r\\n>"
ours    source 0x04                               theirs  "OK" output 0x04 traceback 0x04 ">"
ours    0x02 back to the friendly prompt
"""

from typing import Self

import serial

_INTERRUPT, _RAW, _FRIENDLY, _END = b"\r\x03\x03", b"\r\x01", b"\r\x02", b"\x04"
_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
_CHUNK = 256
PROMPT_S = 2.0
RUN_S = 10.0


class ReplError(Exception):
    """The board's prompt did not do what was asked; the message says the next step."""


class NoPrompt(ReplError):
    """There is no MicroPython prompt behind the port."""


class ProgramFailed(ReplError):
    """A program that was sent raised an exception on the board."""


class RawRepl:
    """The raw prompt of a board.  `with RawRepl(port) as repl: repl.run("print(1)")`."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port

    def __enter__(self) -> Self:
        """Raises NoPrompt."""
        self._port.timeout = PROMPT_S
        self._port.write(_INTERRUPT + _RAW)
        if not self._port.read_until(_BANNER).endswith(_BANNER):
            raise NoPrompt(
                f"{self._port.port} shows no MicroPython prompt; a bridge that runs shows none on purpose: "
                "close its service switch (GP18 to ground), plug it in again and repeat. "
                "A new Pico needs MicroPython first: https://micropython.org/download/RPI_PICO"
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._port.write(_FRIENDLY)

    def run(self, source: str) -> str:
        """What the program prints.  Raises ProgramFailed with its traceback, NoPrompt if the board falls silent."""
        data = source.encode()
        for start in range(0, len(data), _CHUNK):
            self._port.write(data[start : start + _CHUNK])
        self._port.write(_END)
        self._port.timeout = RUN_S
        if self._port.read(2) != b"OK":
            raise NoPrompt(f"{self._port.port} did not take the program; unplug the board and begin again")
        printed, failed = self._part(), self._part()
        if self._port.read(1) != b">":
            raise NoPrompt(f"{self._port.port} lost its prompt; unplug the board and begin again")
        if failed:
            raise ProgramFailed(f"the board says: {failed.strip().splitlines()[-1]}")
        return printed

    def _part(self) -> str:
        part = self._port.read_until(_END)
        if not part.endswith(_END):
            raise NoPrompt(f"{self._port.port} fell silent; unplug the board and begin again")
        return part[:-1].decode(errors="replace")
