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


def told_apart(pieces: Iterable[tuple[float, bytes]]) -> list[Frame]:
    """Frames of a real bus, as (seconds, bytes): a whole question of 8 bytes is tx, the frame after it rx."""
    frames: list[Frame] = []
    for at_s, data in pieces:
        direction: Direction = "rx" if frames and frames[-1].dir == "tx" else "unasked"
        if (
            len(data) == REQUEST_BYTES
            and rtu.unframe(data) is not None
            and data[1] in READS
            and data[2] != len(data) - 5
        ):
            direction = "tx"
        frames.append(Frame(at_s, direction, data))
    return frames


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
