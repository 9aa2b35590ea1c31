"""Between frames as a wire has them and the log that a support bundle holds (`meteredge.frame_log`)."""

from collections.abc import Iterable, Sequence

from meteredge.frame_log import Direction, Frame, FrameLog, pairs
from metersim.bus import rtu
from metersim.bus.fault import Raw
from metersim.bus.line import Line
from metersim.bus.observed import Overheard
from metersim.bus.recorded import RecordedStation
from metersim.bus.symbols import MASTER

REQUEST_BYTES = 8
EXCEPTION_BYTES = 5
READS = (3, 4)


def log_of(overheard: Sequence[Overheard], line: Line, began_utc: float, began_s: float) -> FrameLog:
    """What an eavesdropper on a simulated wire heard.  `began_s`: the wire's time at `began_utc`."""
    frames = []
    answered = True
    for heard in overheard:
        direction: Direction = "unasked"
        if heard.unit == MASTER:
            direction, answered = "tx", False
        elif not answered and heard.unit is not None and heard.unit >= 0:
            direction, answered = "rx", True
        frames.append(Frame(heard.end_s - began_s, direction, heard.data))
    return FrameLog(line.baud, line.character, began_utc, tuple(frames))


def told_apart(pieces: Iterable[tuple[float, bytes]], char_s: float = 0.0) -> list[Frame]:
    """Frames of a real bus, as (seconds at their end, bytes): a whole question of 8 bytes is tx, the frame after it rx.

    Adapters hand bytes over in heaps.  A quick answer comes in one piece with its question: whole frames with a right
    CRC are taken off the front, `char_s` dates them.  An answer that came in two pieces is put together again.
    """
    frames: list[Frame] = []
    for at_s, data in pieces:
        rest = data
        if len(frames) > 1 and frames[-2].dir == "tx" and frames[-1].dir == "rx":
            begun = frames[-1].data
            if _answers(begun + data, frames[-2]) > len(begun):
                frames.pop()
                rest = begun + data
        while rest:
            size = _whole(rest, frames[-1] if frames else None)
            frame, rest = rest[:size], rest[size:]
            direction: Direction = "rx" if frames and frames[-1].dir == "tx" else "unasked"
            if _is_question(frame):
                direction = "tx"
            frames.append(Frame(at_s - len(rest) * char_s, direction, frame))
    return frames


def _whole(data: bytes, before: Frame | None) -> int:
    """How many bytes of the front are a frame by themselves; all, if nothing better is known."""
    if before is not None and before.dir == "tx" and (size := _answers(data, before)):
        return size
    return REQUEST_BYTES if _is_question(data[:REQUEST_BYTES]) else len(data)


def _answers(data: bytes, question: Frame) -> int:
    """The length of the whole answer to `question` at the front; 0 if there is none."""
    for size in (5 + 2 * int.from_bytes(question.data[4:6], "big"), EXCEPTION_BYTES):
        front = data[:size]
        if len(front) == size and front[0] == question.data[0] and rtu.unframe(front) is not None:
            return size
    return 0


def _is_question(data: bytes) -> bool:
    """Of function 3 or 4, and no reply that happens to be as long."""
    return (
        len(data) == REQUEST_BYTES
        and rtu.unframe(data) is not None
        and data[1] in READS
        and data[2] != REQUEST_BYTES - 5
    )


def stations_of(log: FrameLog) -> tuple[RecordedStation, ...]:
    """Stations that answer as in the log, one for each unit that was asked."""
    line = Line(log.baud, log.character)
    answers: dict[int, dict[bytes, list[Raw | None]]] = {}
    for question, answer in pairs(log.frames):
        parts = rtu.unframe(question.data)
        if parts is None:
            continue
        raw = None
        if answer is not None:
            waited_s = answer.t - question.t - len(answer.data) * line.char_s
            raw = Raw(answer.data, max(line.t35_s, waited_s))
        answers.setdefault(parts[0], {}).setdefault(parts[1], []).append(raw)
    return tuple(
        RecordedStation(unit, {pdu: tuple(given) for pdu, given in by_pdu.items()})
        for unit, by_pdu in sorted(answers.items())
    )
