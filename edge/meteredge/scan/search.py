"""Tries settings and units on a free port and tells what answered, as it is found.

Three rounds: likely units at likely settings; then, where something answered, all units at those settings (a bus has
one speed and one parity); then, if nothing did, everything.  A valid exception means that a device is there; on
exception 1 the other of the function codes 3 and 4 is asked.  A device that answers is asked three times more, because
two devices on one address show only in their contradictions.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal

from meteredge.clock import Clock
from meteredge.port import READ_HOLDING, READ_INPUT
from meteredge.probe import Outcome, Probe, ProbePort, ask, listen, questions_in
from meteredge.profiles import Profile
from meteredge.scan.plan import EVERYTHING, Setting, Wanted, all_settings, all_units, likely_settings, likely_units

OpenPort = Callable[[Setting], ProbePort]
"""Opens the port with a setting.  Raises BusError."""
Progress = Callable[[str, int, int], None]
"""(what is tried, how many questions are done, how many at most)."""

RESPONSE_S = 0.5
"""How long a unit may take."""
LATE_FACTOR = 3
"""A unit whose answer came while the next one was asked is given so many times as long."""
LISTEN_S = 0.3
AGAIN_WORDS = (4, 2, 6)
"""Lengths of the further questions to whatever answered."""
GAP_S = 0.5
"""Before each of them: some meters restart when they are asked too soon."""
ILLEGAL_FUNCTION = 1
INVERTED_SHARE = 0.8
"""A line that idles inverted reads as a break after this share of the questions at least."""

Nature = Literal["device", "two devices", "damaged"]


@dataclass(frozen=True, slots=True)
class Answering:
    """Something that answers."""

    setting: Setting
    unit: int
    nature: Nature
    fc: int
    exception: int | None
    probes: tuple[Probe, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a setting was like, besides answers."""

    setting: Setting
    asked: int = 0
    silent: int = 0
    damaged: int = 0
    echoes: int = 0
    unasked_bytes: int = 0
    framing_errors: int | None = None
    lone_zeros: int = 0
    """Questions after which nothing came but a zero: a break, if the port does not count them."""
    strangers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of a search."""

    answering: tuple[Answering, ...]
    heard: tuple[Heard, ...]
    complete: bool
    """Everything that was wanted has been tried."""

    @property
    def swapped(self) -> bool:
        """Nothing answers, and at each of several settings the idle line looks inverted."""
        return not self.answering and len(self.heard) > 1 and all(map(_idles_inverted, self.heard))


class Search:
    """One search.  `events` yields what is found, as it is found; afterwards `found` has all of it."""

    def __init__(
        self,
        open_port: OpenPort,
        clock: Clock,
        profiles: Sequence[Profile],
        wanted: Wanted = EVERYTHING,
        *,
        response_s: float = RESPONSE_S,
        depth: Literal["quick", "usual", "all"] = "usual",
        progress: Progress = lambda _what, _done, _most: None,
    ) -> None:
        """`depth`: the likely ones only; on until something is found; or everything in any case."""
        self._open = open_port
        self._clock = clock
        self._profiles = tuple(profiles)
        self._general = {p.general_address for p in profiles if p.general_address}
        self._wanted = wanted
        self._response_s = response_s
        self._depth = depth
        self._progress = progress
        self._tried: set[tuple[Setting, int]] = set()
        self._answering: list[Answering] = []
        self._heard: dict[Setting, Heard] = {}
        self._complete = False
        self._most = 0
        self._late: list[int] = []

    @property
    def found(self) -> Found:
        """What is known by now."""
        return Found(tuple(self._answering), tuple(self._heard.values()), self._complete)

    def events(self) -> Iterator[Answering]:
        """Search.  Raises BusError where the port fails."""
        quick = likely_units(self._profiles, self._wanted)
        likely = likely_settings(self._profiles, self._wanted)
        self._most = len(likely) * len(quick)
        for setting in likely:
            yield from self._try(setting, quick)
        if self._depth == "quick":
            return
        here = tuple(dict.fromkeys(answering.setting for answering in self._answering))
        units = all_units(self._wanted)
        self._most = len(self._tried) + len(here) * len(units)
        for setting in here:
            yield from self._try(setting, units)
        if self._answering and self._depth != "all":
            return
        settings = all_settings(self._wanted)
        self._most = len(self._tried | {(setting, unit) for setting in settings for unit in units})
        for setting in settings:
            yield from self._try(setting, units)
        self._complete = True

    def _try(self, setting: Setting, units: Sequence[int]) -> Iterator[Answering]:
        fresh = [unit for unit in units if (setting, unit) not in self._tried]
        if not fresh:
            return
        with closing(self._open(setting)) as port:
            self._note(setting, unasked=listen(port, self._clock, LISTEN_S))
            for unit in fresh:
                self._progress(f"{setting}, unit {unit}", len(self._tried), self._most)
                self._tried.add((setting, unit))
                yield from self._knock(port, setting, unit, self._response_s)
            while self._late:
                unit = self._late.pop()
                if not any((a.setting, a.unit) == (setting, unit) for a in self._answering):
                    self._clock.sleep(self._response_s * LATE_FACTOR)
                    yield from self._knock(port, setting, unit, self._response_s * LATE_FACTOR)

    def _knock(self, port: ProbePort, setting: Setting, unit: int, response_s: float) -> Iterator[Answering]:
        if unit in self._general and any(a.setting == setting for a in self._answering):
            return  # whoever answers there has been found by its own address, or is not alone
        answering = self._question(port, setting, unit, response_s)
        if answering is not None:
            self._answering.append(answering)
            yield answering

    def _question(self, port: ProbePort, setting: Setting, unit: int, response_s: float) -> Answering | None:
        first = self._ask(port, setting, unit, READ_INPUT, response_s)
        if first.outcome is Outcome.EXCEPTION and first.exception == ILLEGAL_FUNCTION:
            first = self._ask(port, setting, unit, READ_HOLDING, response_s, gap_s=GAP_S)
        if first.outcome is Outcome.OTHER and first.answered_by not in (None, unit):
            self._late.append(int(first.answered_by or 0))
        if first.outcome in (Outcome.SILENT, Outcome.OTHER):
            return None
        again = [
            self._ask(port, setting, unit, first.fc, response_s, words=words, gap_s=GAP_S) for words in AGAIN_WORDS
        ]
        return _weigh(setting, unit, [first, *again])

    def _ask(
        self,
        port: ProbePort,
        setting: Setting,
        unit: int,
        fc: int,
        response_s: float,
        *,
        words: int = 2,
        gap_s: float = 0.0,
    ) -> Probe:
        probe = ask(port, self._clock, unit, fc=fc, words=words, response_s=response_s, gap_s=gap_s)
        self._note(setting, probe)
        return probe

    def _note(self, setting: Setting, probe: Probe | None = None, unasked: bytes = b"") -> None:
        heard = self._heard.get(setting, Heard(setting))
        if probe is not None:
            unasked = probe.unasked
            errors = None if probe.framing_errors is None else (heard.framing_errors or 0) + probe.framing_errors
            heard = replace(
                heard,
                asked=heard.asked + 1,
                silent=heard.silent + (probe.outcome is Outcome.SILENT),
                damaged=heard.damaged + (probe.outcome is Outcome.DAMAGED),
                echoes=heard.echoes + probe.echo,
                framing_errors=errors,
                lone_zeros=heard.lone_zeros + (probe.outcome is Outcome.SILENT and probe.leading_zeros > 0),
            )
        self._heard[setting] = replace(
            heard,
            unasked_bytes=heard.unasked_bytes + len(unasked),
            strangers=(*heard.strangers, *questions_in(unasked)),
        )


def _idles_inverted(heard: Heard) -> bool:
    """Whether nearly every question was followed by a break."""
    breaks = heard.lone_zeros if heard.framing_errors is None else heard.framing_errors
    return heard.asked > 1 and breaks >= INVERTED_SHARE * heard.asked


def _weigh(setting: Setting, unit: int, probes: Sequence[Probe]) -> Answering | None:
    """What several questions to one unit show.  None if only the first one had an answer that was nothing whole."""
    whole = [p for p in probes if p.outcome in (Outcome.ANSWERED, Outcome.EXCEPTION)]
    doubled = [p for p in probes if p.outcome is Outcome.DOUBLED]
    damaged = [p for p in probes if p.outcome is Outcome.DAMAGED]
    exception = next((p.exception for p in whole if p.outcome is Outcome.EXCEPTION), None)
    made = (unit, probes[0].fc, exception, tuple(probes))
    if doubled or (len(damaged) >= len(probes) - 1 and all(p.looks_like_two for p in damaged)):
        return _answering(setting, "two devices", *made)
    if whole:
        return _answering(setting, "device", *made)
    if len(damaged) > 1:
        return _answering(setting, "damaged", *made)
    return None


def _answering(
    setting: Setting, nature: Nature, unit: int, fc: int, exception: int | None, probes: tuple[Probe, ...]
) -> Answering:
    return Answering(setting, unit, nature, fc, exception, probes)
