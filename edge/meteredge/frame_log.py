"""Frames of a bus as a file: what a support bundle holds and the simulator plays back.

JSON lines, UTF-8.  The first line says what the file is:

    {"kind": "meterbridge frames", "schema": 1, "baud": 9600, "format": "8N1", "began_utc": 1782043200.0}

Each further line is one frame: when its last byte had passed (seconds since `began_utc`), who sent it and its bytes:

    {"t": 0.031, "dir": "tx", "hex": "01 04 00 00 00 02 71 cb"}

`dir` is tx (the master asked), rx (what came back within the time for it) or unasked (anything else: late replies,
noise, another master).  A request without an rx line after it had no answer.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

KIND = "meterbridge frames"
SCHEMA = 1
Direction = Literal["tx", "rx", "unasked"]


class FrameLogError(Exception):
    """The file cannot be used; the message names file, line and cause."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: `t` seconds since the log began, at its end."""

    t: float
    dir: Direction
    data: bytes

    def line(self) -> str:
        """The frame as a line of the file, without its end."""
        return json.dumps({"t": round(self.t, 6), "dir": self.dir, "hex": self.data.hex(" ")})


@dataclass(frozen=True, slots=True)
class FrameLog:
    """A whole file."""

    baud: int
    character: str
    """8N1, 8E1, 8O1 or 8N2."""
    began_utc: float
    frames: tuple[Frame, ...]

    def head(self) -> str:
        """The first line."""
        return json.dumps(
            {
                "kind": KIND,
                "schema": SCHEMA,
                "baud": self.baud,
                "format": self.character,
                "began_utc": round(self.began_utc, 3),
            }
        )


def write(path: Path, log: FrameLog) -> None:
    """Write the file anew.  Raises FrameLogError."""
    try:
        path.write_text("".join(f"{line}\n" for line in (log.head(), *(frame.line() for frame in log.frames))), "utf-8")
    except OSError as error:
        raise FrameLogError(f"{path}: cannot be written ({error.strerror}); name another file") from error


def read(path: Path) -> FrameLog:
    """Raises FrameLogError; nothing of the file is trusted before it is checked."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FrameLogError(f"{path}: cannot be read ({error})") from error
    rows = [_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows or rows[0].get("kind") != KIND:
        raise FrameLogError(f"{path}: no log of frames: its first line does not say {KIND!r}")
    if rows[0].get("schema") != SCHEMA:
        raise FrameLogError(f"{path}: schema {rows[0].get('schema')}, this version knows {SCHEMA}: update")
    try:
        head = rows[0]
        frames = tuple(_frame(path, number, row) for number, row in enumerate(rows[1:], 2))
        return FrameLog(int(str(head["baud"])), str(head["format"]), float(str(head["began_utc"])), frames)
    except (KeyError, ValueError) as error:
        raise FrameLogError(f"{path}: the first line lacks or misspells {error}") from error


def pairs(frames: Iterable[Frame]) -> list[tuple[Frame, Frame | None]]:
    """Each question with its answer, None where none came in time."""
    found: list[tuple[Frame, Frame | None]] = []
    for frame in frames:
        if frame.dir == "tx":
            found.append((frame, None))
        elif frame.dir == "rx" and found and found[-1][1] is None and frame.data:
            found[-1] = (found[-1][0], frame)
    return found


def _row(path: Path, number: int, line: str) -> dict[str, object]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise FrameLogError(f"{path}, line {number}: not JSON ({error})") from error
    if not isinstance(row, dict):
        raise FrameLogError(f"{path}, line {number}: not an object")
    return row


def _frame(path: Path, number: int, row: dict[str, object]) -> Frame:
    try:
        direction: Any = row["dir"]
        known: tuple[Direction, ...] = get_args(Direction)
        return Frame(float(str(row["t"])), known[known.index(direction)], bytes.fromhex(str(row["hex"])))
    except (KeyError, ValueError) as error:
        raise FrameLogError(f"{path}, frame {number}: {error}; a frame has t, dir (tx, rx, unasked) and hex") from error
