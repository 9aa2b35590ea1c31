"""What the running agent and the tools beside it say to each other over the agent's socket.

One request a line, one reply a line, JSON in UTF-8, version 1:

    → {"v": 1, "ask": "read", "unit": 1, "fc": 4, "address": 0, "words": 2, "response_s": 0.5, "gap_s": 0.0}
    ← {"v": 1, "ok": {"words": [17254, 13107]}}
    ← {"v": 1, "error": {"kind": "busy", "fact": "…", "next_step": "…", "wait_s": 61.0}}

A request is a dataclass here; `reply` turns what stands behind `ok` into what its asker wants.  `kind` is that of a
`BusError`, or one of `bad_request`, `busy`, `version`, `failed`.  docs/agent.md has the whole of it.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol, TypeVar

from meteredge.bus import Timing
from meteredge.frame_log import Frame, FrameLog

VERSION = 1
MAX_REQUEST_BYTES = 1_024
MAX_LEND_S = 120.0
"""How long the port is lent at most."""
MAX_RESPONSE_S = 2.0
MAX_GAP_S = 1.0
HIGHEST_UNIT = 248
MOST_WORDS = 125

R_co = TypeVar("R_co", covariant=True)


class BadRequest(Exception):
    """A line that is no request; the message says what is wrong with it."""


class OtherVersion(Exception):
    """The other side speaks another version of this protocol."""


class Question(Protocol[R_co]):
    """A request whose reply is an R."""

    ask: ClassVar[str]

    def reply(self, ok: Mapping[str, Any]) -> R_co:
        """What the agent's answer means.  Raises LookupError, TypeError or ValueError if it is none."""


@dataclass(frozen=True, slots=True)
class Status:
    """The status document: what `agent status` shows."""

    ask: ClassVar[str] = "status"

    def reply(self, ok: Mapping[str, Any]) -> Mapping[str, Any]:
        """The document."""
        return ok


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened on the bus since the agent started, by name."""

    ask: ClassVar[str] = "counts"

    def reply(self, ok: Mapping[str, Any]) -> Mapping[str, int]:
        """The counts."""
        return {name: int(number) for name, number in ok["counts"].items()}


@dataclass(frozen=True, slots=True)
class Read:
    """Registers of a unit, by function code 3 or 4, through the agent's own bus.  Refused while a slot waits."""

    ask: ClassVar[str] = "read"
    unit: int
    fc: int
    address: int
    words: int
    response_s: float = 0.5
    gap_s: float = 0.0

    def __post_init__(self) -> None:
        _within("unit", self.unit, 1, HIGHEST_UNIT)
        if self.fc not in (3, 4):
            raise BadRequest(f"fc is {self.fc}; the agent only reads, by function codes 3 and 4")
        _within("address", self.address, 0, 0xFFFF)
        _within("words", self.words, 1, min(MOST_WORDS, 0x1_0000 - self.address))
        _within("response_s", self.response_s, 0.001, MAX_RESPONSE_S)
        _within("gap_s", self.gap_s, 0.0, MAX_GAP_S)

    @property
    def timing(self) -> Timing:
        """As the bus wants it."""
        return Timing(self.response_s, self.gap_s)

    def reply(self, ok: Mapping[str, Any]) -> tuple[int, ...]:
        """The words.  Raises ValueError if they are not as many as were asked for."""
        words = tuple(int(word) for word in ok["words"])
        if len(words) != self.words:
            raise ValueError(f"{len(words)} words for {self.words}")
        return words


@dataclass(frozen=True, slots=True)
class Frames:
    """The raw frames of the last `seconds`, as far back as the agent keeps them."""

    ask: ClassVar[str] = "frames"
    seconds: float = 600.0

    def __post_init__(self) -> None:
        _within("seconds", self.seconds, 0.0, 86_400.0)

    def reply(self, ok: Mapping[str, Any]) -> FrameLog:
        """A log that `frame_log.write` takes."""
        frames = tuple(Frame(float(f["t"]), f["dir"], bytes.fromhex(f["hex"])) for f in ok["frames"])
        return FrameLog(int(ok["baud"]), str(ok["format"]), float(ok["began_utc"]), frames)


@dataclass(frozen=True, slots=True)
class Loan:
    """The port is yours to open for `seconds`, or until you hang up: then the agent takes it back."""

    port: str
    """As the configuration names it."""
    baud: int
    format: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Release:
    """Lend me the port for `seconds` (for `scan`).  Refused around each slot's close."""

    ask: ClassVar[str] = "release"
    seconds: float

    def __post_init__(self) -> None:
        _within("seconds", self.seconds, 1.0, MAX_LEND_S)

    def reply(self, ok: Mapping[str, Any]) -> Loan:
        """The loan; it may be shorter than asked for, so that it ends before the next close."""
        return Loan(str(ok["port"]), int(ok["baud"]), str(ok["format"]), float(ok["seconds"]))


@dataclass(frozen=True, slots=True)
class Resume:
    """Take the port back that was lent on this connection."""

    ask: ClassVar[str] = "resume"

    def reply(self, ok: Mapping[str, Any]) -> bool:
        """Whether there was a loan of this connection."""
        return bool(ok["was_lent"])


Request = Status | Counts | Read | Frames | Release | Resume
_REQUESTS: Mapping[str, type[Request]] = {kind.ask: kind for kind in (Status, Counts, Read, Frames, Release, Resume)}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What stands behind `error`."""

    kind: str
    fact: str
    next_step: str
    wait_s: float | None = None
    """Ask again after so many seconds; None where asking again does not help."""
    code: int | None = None
    """A meter's exception code."""
    raw: bytes = b""
    """What came instead of a reply."""


def encode_request(request: Question[Any]) -> bytes:
    """The request as a line."""
    return _line({"v": VERSION, "ask": request.ask, **_fields(request)})


def decode_request(line: bytes) -> Request:
    """The request in a line.  Raises BadRequest, OtherVersion; nothing of the line is trusted before it is checked."""
    table = _table(line)
    if table.pop("v", None) != VERSION:
        raise OtherVersion(f"this agent speaks version {VERSION}; use the command of the same installation")
    name = table.pop("ask", None)
    kind = _REQUESTS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise BadRequest(f"unknown request {name!r:.40}; known are {', '.join(_REQUESTS)}")
    known = {field.name: field for field in fields(kind)}
    if strange := table.keys() - known:
        raise BadRequest(f"{name} has no {sorted(strange)[0]!r:.40}; it takes {', '.join(known) or 'nothing'}")
    for key, value in table.items():
        if not _is_number(value, whole=known[key].type is int):
            raise BadRequest(f"{key} is {value!r:.40}, no {'whole ' if known[key].type is int else ''}number")
    try:
        return kind(**table)
    except TypeError:
        missing = [key for key in known if key not in table]
        raise BadRequest(f"{name} lacks {', '.join(missing)}") from None


def encode_ok(ok: Mapping[str, Any]) -> bytes:
    """A good answer as a line."""
    return _line({"v": VERSION, "ok": ok})


def encode_refusal(refusal: Refusal) -> bytes:
    """Anything else as a line."""
    error: dict[str, Any] = {"kind": refusal.kind, "fact": refusal.fact, "next_step": refusal.next_step}
    if refusal.wait_s is not None:
        error["wait_s"] = refusal.wait_s
    if refusal.code is not None:
        error["code"] = refusal.code
    if refusal.raw:
        error["raw"] = refusal.raw.hex()
    return _line({"v": VERSION, "error": error})


def decode_reply(line: bytes) -> Mapping[str, Any] | Refusal:
    """What stands behind `ok`, or the refusal.  Raises BadRequest if the line is no reply, OtherVersion."""
    table = _table(line)
    if table.get("v") != VERSION:
        raise OtherVersion(f"the agent speaks version {table.get('v')!r:.40}, this command {VERSION}")
    ok, error = table.get("ok"), table.get("error")
    if isinstance(ok, dict):
        return ok
    if not isinstance(error, dict):
        raise BadRequest("a reply has `ok` or `error`")
    try:
        return Refusal(
            str(error["kind"]),
            str(error["fact"]),
            str(error["next_step"]),
            None if error.get("wait_s") is None else float(error["wait_s"]),
            None if error.get("code") is None else int(error["code"]),
            bytes.fromhex(error.get("raw", "")),
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise BadRequest(f"an error lacks or misspells {wrong}") from wrong


def encode_frames(frames: Sequence[Frame]) -> list[dict[str, Any]]:
    """Frames as the reply to Frames holds them."""
    return [{"t": round(frame.t, 6), "dir": frame.dir, "hex": frame.data.hex()} for frame in frames]


def _fields(request: Any) -> dict[str, Any]:  # noqa: ANN401  (any dataclass)
    return asdict(request)


def _line(table: Mapping[str, Any]) -> bytes:
    return json.dumps(table, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _table(line: bytes) -> dict[str, Any]:
    try:
        table = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRequest("not a line of JSON") from None
    if not isinstance(table, dict):
        raise BadRequest("not a JSON object")
    return table


def _is_number(value: object, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    return whole or math.isfinite(value)


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise BadRequest(f"{name} is {value:g}; allowed is {least:g} to {most:g}")
