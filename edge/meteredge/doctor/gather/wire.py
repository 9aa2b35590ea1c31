"""What the wire is like: from asking it ourselves, or from what the agent has counted and overheard."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from meteredge.clock import Clock
from meteredge.doctor.facts import WireFacts
from meteredge.frame_log import Frame, FrameLog, pairs
from meteredge.plan import Block
from meteredge.probe import Outcome, Probe, ProbePort, ask, frame_length, listen, questions_in
from meteredge.profiles import Profile
from meteredge.scan.plan import Setting
from meteredge.scan.search import OpenPort
from meteredge.transceiver import crc_is_right, is_exception

QUESTIONS = 5
LISTEN_S = 3.0
MOST_SETTINGS = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """What the meter is asked: a block that its profile says is there."""

    unit: int
    fc: int
    address: int
    words: int
    response_s: float
    gap_s: float


def asked_of(unit: int, block: Block, profile: Profile) -> Asked:
    """The first block of a reading."""
    response_s = profile.response_ms.max / 1000
    return Asked(unit, block.fc, block.address, block.words, response_s, max(0.1, profile.min_gap_ms / 1000))


def examine_wire(port: ProbePort, setting: Setting, asked: Asked, clock: Clock) -> WireFacts:
    """Listen, then ask some times.  Raises BusError."""
    heard = listen(port, clock, LISTEN_S)
    probes = [_ask(port, asked, clock) for _ in range(QUESTIONS)]
    return _counted(probes, heard, setting)


def try_settings(
    facts: WireFacts, tried: Iterable[Setting], open_port: OpenPort, asked: Asked, clock: Clock
) -> WireFacts:
    """Where nothing answers: the same question at other settings, once each.  Raises BusError."""
    found, names = [], []
    breaks = [facts.breaks >= facts.asked > 0]
    for setting in tried:
        port = open_port(setting)
        try:
            probe = _ask(port, asked, clock)
        finally:
            port.close()
        names.append(str(setting))
        breaks.append(_has_break(probe))
        if probe.outcome in (Outcome.ANSWERED, Outcome.EXCEPTION, Outcome.DOUBLED):
            found.append(str(setting))
    return replace(
        facts,
        tried=tuple(names),
        answers_at=tuple(found),
        breaks_everywhere=not found and len(breaks) > 1 and all(breaks),
    )


def other_settings(profile: Profile, now: Setting) -> tuple[Setting, ...]:
    """Settings that this model can have, its factory's first."""
    default = profile.default
    formats = dict.fromkeys([default.format or "8N1", *profile.formats, "8N1", "8E1"])
    bauds = dict.fromkeys([default.baud or 9_600, 9_600, *profile.baud, 19_200, 2_400])
    all_of_them = [Setting(baud, framing) for framing in formats for baud in bauds]
    return tuple(setting for setting in dict.fromkeys(all_of_them) if setting != now)[:MOST_SETTINGS]


def wire_of_agent(unit: int, counts: Mapping[str, int], log: FrameLog) -> WireFacts:
    """How `unit` answered in the last minutes; echo and stray zeros are counted since the agent started."""
    heard = log.frames[:-1] if log.frames and log.frames[-1].dir == "tx" else log.frames  # its answer is under way
    asked = [(question.data, answer) for question, answer in pairs(heard) if question.data[:1] == bytes((unit,))]
    answers = [(question, answer.data) for question, answer in asked if answer is not None]
    whole = [(question, data) for question, data in answers if crc_is_right(data)]
    right = [data for question, data in whole if data[0] == question[0] and data[1] & 0x7F == question[1]]
    exceptions = sum(map(is_exception, right))
    unasked = [frame.data for frame in log.frames if frame.dir == "unasked"]
    return WireFacts(
        asked=len(asked),
        answered=len(right) - exceptions,
        silent=len(asked) - len(answers),
        damaged=len(answers) - len(whole),
        wrong=len(whole) - len(right),
        exceptions=exceptions,
        unasked_bytes=sum(map(len, unasked)),
        echoes=counts.get("echoes", 0),
        leading_zeros=counts.get("leading_zeros", 0),
        strangers=tuple(question.hex(" ") for data in unasked for question in questions_in(data)),
        doubled=_answered_twice(unit, log.frames),
        settings=f"{log.baud} {log.character}",
    )


def _answered_twice(unit: int, frames: Iterable[Frame]) -> int:
    """Whole frames of `unit` that came unasked after its question had been answered."""
    twice, answered = 0, False
    for frame in frames:
        mine = frame.data[:1] == bytes((unit,))
        if frame.dir == "tx":
            answered = False
        elif frame.dir == "rx":
            answered = mine and crc_is_right(frame.data)
        elif answered and mine and frame_length(frame.data):
            twice += 1
    return twice


def _ask(port: ProbePort, asked: Asked, clock: Clock) -> Probe:
    return ask(
        port, clock, asked.unit, fc=asked.fc, address=asked.address, words=asked.words, response_s=asked.response_s,
        gap_s=asked.gap_s,
    )  # fmt: skip


def _has_break(probe: Probe) -> bool:
    """A question after which nothing came but a break: counted by the port, or received as a zero."""
    if probe.outcome not in (Outcome.SILENT, Outcome.DAMAGED):
        return False
    return bool(probe.framing_errors) if probe.framing_errors is not None else probe.leading_zeros > 0


def _counted(probes: list[Probe], heard: bytes, setting: Setting) -> WireFacts:
    def number(*outcomes: Outcome) -> int:
        return sum(probe.outcome in outcomes for probe in probes)

    unasked = heard + b"".join(probe.unasked for probe in probes)
    all_damaged = number(Outcome.DAMAGED) == len(probes) and all(probe.looks_like_two for probe in probes)
    return WireFacts(
        asked=len(probes),
        answered=number(Outcome.ANSWERED),
        silent=number(Outcome.SILENT),
        damaged=number(Outcome.DAMAGED),
        wrong=number(Outcome.OTHER),
        exceptions=number(Outcome.EXCEPTION),
        unasked_bytes=len(unasked),
        echoes=sum(probe.echo for probe in probes),
        leading_zeros=sum(probe.leading_zeros > 0 and probe.outcome is not Outcome.SILENT for probe in probes),
        strangers=tuple(question.hex(" ") for question in questions_in(unasked)),
        doubled=len(probes) if all_damaged else number(Outcome.DOUBLED),
        breaks=sum(map(_has_break, probes)),
        settings=str(setting),
    )
