"""The wire: a half-duplex RS-485 segment as a pure model.  Time goes in, characters come out.

    transmit(at, data)   the master starts to send `data` at `at`
    due()                when something will next happen, None while the wire sleeps
    advance(until)       let time pass; returns what reached the master, in order

All stations hear everything.  A frame ends after 3.5 characters of silence; one that holds a damaged character, a
station's own characters or a wrong CRC is not answered.  So a master that speaks sooner than 3.5 characters after a
reply glues its request to that reply, and gets none.  Characters of two senders that overlap destroy each other, and a
master does not hear while it sends.  Times are seconds on any monotonic clock: real on a pty, virtual in memory.
"""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from metersim.bus import rtu
from metersim.bus.fault import Fault, Raw, Request, Scene, Station
from metersim.bus.line import Line
from metersim.bus.observed import Eavesdropper, Overheard, Tally
from metersim.bus.symbols import MASTER, NOISE, Symbol, back_to_back, shifted
from metersim.bus.timeline import Timeline


@dataclass(slots=True)
class _Heard:
    """The frame that is growing on the wire, as the stations hear it."""

    data: bytearray = field(default_factory=bytearray)
    sources: set[int] = field(default_factory=set)
    damaged: bool = False
    quiet_s: float = float("inf")
    start_s: float = 0.0


class Wire:
    """One segment with its stations.  Not thread-safe: one loop owns it.

    `strict_t35=False` models stations that part frames by who speaks rather than by silence; `strict_t15=True` stations
    that throw a frame away when a gap in it passes 1.5 characters.  `line` is how the meters' ports are set (a
    fault may change it), `master_line` the master's: where they differ, neither side understands the other.
    """

    def __init__(
        self,
        line: Line,
        stations: Sequence[Station],
        *,
        faults: Sequence[Fault] = (),
        seed: int = 0,
        timeline: Timeline | None = None,
        strict_t35: bool = True,
        strict_t15: bool = False,
        eavesdropper: Eavesdropper | None = None,
    ) -> None:
        self.line = self._planned_line = line
        self.master_line = line
        self.timeline = timeline or Timeline()
        self.tally = Tally()
        self._planned_stations = self._stations = tuple(stations)
        self._eavesdropper = eavesdropper
        self._strict_t35 = strict_t35
        self._strict_t15 = strict_t15
        self._chance = random.Random(seed)
        self._sending: dict[int, deque[Symbol]] = {source: deque() for source in range(NOISE, len(stations))}
        self._echoes: deque[Symbol] = deque()
        self._heard = _Heard()
        self._quiet_since = float("-inf")
        self._now_s = float("-inf")
        self._master_from_s = self._master_until_s = float("-inf")
        self._faults: tuple[Fault, ...] = ()
        self._plugged = True
        self.faults = tuple(faults)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong from now on, and nothing else."""
        return self._faults

    @faults.setter
    def faults(self, faults: tuple[Fault, ...]) -> None:
        self._faults = tuple(faults)
        self._plugged = not any(fault.unplugs for fault in faults)
        self.line = next((fault.line for fault in faults if fault.line), self._planned_line)
        brought = [plan.build() for fault in faults for plan in fault.brings]
        self._stations = (*self._planned_stations, *brought)
        for gone in range(len(self._planned_stations), len(self._sending) - 2):
            del self._sending[gone]
        for source in range(len(self._stations)):
            self._sending.setdefault(source, deque())
        self._sending[NOISE].clear()
        self._expect_noise()

    @property
    def plugged(self) -> bool:
        """Whether the master's adapter is in its socket."""
        return self._plugged

    def transmit(self, at_s: float, data: bytes) -> None:
        """The master's transmitter gets `data` at `at_s`; it starts at once, or after what it is still sending."""
        start_s = max(at_s, self._master_until_s)
        self._pass_to(at_s)
        sent = back_to_back(data, start_s, self.master_line.char_s, damaged=self.master_line != self.line)
        if not sent:
            return
        if start_s > self._master_until_s:
            self._master_from_s = start_s
        self._master_until_s = sent[-1].end_s
        self.tally.request_bytes += len(data)
        scene = Scene(None, self.line.char_s, self._chance)
        travels: Sequence[Symbol] = sent
        for fault in self.faults:
            self._echoes.extend(fault.on_request(sent, scene))
            travels = fault.on_sent(travels, scene)
        self._sending[MASTER].extend(travels)

    def due(self, grain_s: float = 0.0) -> float | None:
        """When `advance` will next have something to do, seconds; None if nothing is on its way.

        With `grain_s` characters may be waited for together, up to so many seconds, as adapters do; the last one of a
        sender is never waited past.
        """
        # The master's own characters reach nobody who waits: only their end matters.
        times = [
            queue[-1].end_s if source == MASTER else _together(queue, grain_s)
            for source, queue in self._sending.items()
            if queue
        ]
        if self._echoes:
            times.append(_together(self._echoes, grain_s))
        if self._frame_ends_before(self._next_source()):
            times.append(self._quiet_since + self.line.t35_s)
        return min(times, default=None)

    def advance(self, until_s: float) -> list[Symbol]:
        """Everything that reaches the master up to `until_s`, in the order in which it arrives."""
        arrived: list[Symbol] = []
        self._pass_to(until_s)
        if not (self._heard.data or self._echoes or any(self._sending.values())):
            return arrived
        while True:
            source = self._next_source()
            if self._frame_ends_before(source):
                if self._quiet_since + self.line.t35_s > until_s:
                    break
                self._end_frame()
            elif source is None or self._sending[source][0].end_s > until_s:
                break
            elif not self._carry_alone(source, until_s, arrived):
                self._carry(source, self._sending[source].popleft(), arrived)
                if source == NOISE:
                    self._expect_noise()
        while self._echoes and self._echoes[0].end_s <= until_s:
            arrived.append(self._echoes.popleft())
        if len(arrived) > 1:
            arrived.sort(key=_END)
        return arrived

    def _pass_to(self, now_s: float) -> None:
        begins = self._now_s == float("-inf")
        self._now_s = max(self._now_s, now_s)
        if begins:
            self._expect_noise()

    def _expect_noise(self) -> None:
        """Keep the next burst of every fault that speaks unasked in the queue."""
        queue = self._sending[NOISE]
        if queue or self._now_s == float("-inf"):
            return
        scene = Scene(None, self.line.char_s, self._chance)
        after_s = max(self._now_s, self._quiet_since) if self._heard.data else self._now_s
        bursts: list[Sequence[Symbol]] = [
            burst for fault in self._faults if (burst := fault.next_noise(after_s, scene))
        ]
        if bursts:
            soonest = min(bursts, key=lambda burst: burst[0].start_s)
            queue.extend(soonest)

    def _next_source(self) -> int | None:
        """Whose character ends first; None if nobody is sending."""
        busy = [(queue[0].end_s, source) for source, queue in self._sending.items() if queue]
        return min(busy)[1] if busy else None

    def _frame_ends_before(self, source: int | None) -> bool:
        """Whether the growing frame is over before the next character of `source` starts."""
        if not self._heard.data:
            return False
        return source is None or self._quiet_since + self.line.t35_s <= self._sending[source][0].start_s

    def _carry_alone(self, source: int, until_s: float, arrived: list[Symbol]) -> bool:
        """What of a frame passes before anybody else may speak, at once; False if that is nothing.

        It is what `_carry` does with each character while the wire belongs to one sender.
        """
        heard, queue = self._heard, self._sending[source]
        if source == NOISE or self._strict_t15 or (heard.data and not (self._strict_t35 or source in heard.sources)):
            return False
        free_until_s = min(
            (q[0].start_s for other, q in self._sending.items() if q and other != source), default=until_s
        )
        until_s = min(until_s, free_until_s)
        t35_s, quiet_since, count = self.line.t35_s, self._quiet_since, 0
        listens = source != MASTER
        as_sent = self.master_line == self.line
        while queue and queue[0].end_s <= until_s:
            symbol = queue[0]
            if not heard.data:
                heard.quiet_s = symbol.start_s - quiet_since
                heard.start_s = symbol.start_s
            elif quiet_since + t35_s <= symbol.start_s:
                break
            queue.popleft()
            count += 1
            heard.data.append(symbol.value)
            heard.damaged |= symbol.damaged
            quiet_since = max(quiet_since, symbol.end_s)
            if listens and (symbol.start_s >= self._master_until_s or symbol.end_s <= self._master_from_s):
                arrived.append(symbol if as_sent else self._as_the_master_hears(symbol))
        heard.sources.update((source,) if count else ())
        self._quiet_since = quiet_since
        if listens:
            self.tally.reply_bytes += count
        return count > 0

    def _carry(self, source: int, symbol: Symbol, arrived: list[Symbol]) -> None:
        """One character has passed: stations hear it, and the master does unless it was sending itself."""
        symbol = self._collide(source, symbol)
        heard = self._heard
        if heard.data and not self._strict_t35 and source not in heard.sources:
            self._overhear(heard)
            heard = self._heard = _Heard()
        if not heard.data:
            heard.quiet_s = symbol.start_s - self._quiet_since
            heard.start_s = symbol.start_s
        elif self._strict_t15 and symbol.start_s - self._quiet_since > self.line.t15_s:
            heard.damaged = True
        heard.data.append(symbol.value)
        heard.sources.add(source)
        heard.damaged |= symbol.damaged
        self._quiet_since = max(self._quiet_since, symbol.end_s)
        if source == MASTER:
            return
        if source == NOISE:
            self.tally.noise_bytes += 1
        else:
            self.tally.reply_bytes += 1
        if symbol.start_s >= self._master_until_s or symbol.end_s <= self._master_from_s:
            arrived.append(self._as_the_master_hears(symbol))

    def _as_the_master_hears(self, symbol: Symbol) -> Symbol:
        if self.master_line == self.line:
            return symbol
        return replace(symbol, value=self._chance.randrange(256), damaged=True)

    def _collide(self, source: int, symbol: Symbol) -> Symbol:
        """The character as it is after meeting those of other senders: a line driven twice reads as the AND of both.

        Two stations that start together stay readable where they agree; anything else is damaged.
        """
        for other, queue in self._sending.items():
            if other == source or not queue or queue[0].start_s >= symbol.end_s:
                continue
            rival = queue[0]
            self.tally.collisions += 1
            value = rival.value & symbol.value
            if abs(rival.start_s - symbol.start_s) < self.line.char_s / 20 and MASTER not in (source, other):
                queue.popleft()
                self._heard.sources.add(other)
                symbol = replace(symbol, value=value)
            else:
                queue[0] = replace(rival, value=value, damaged=True)
                symbol = replace(symbol, value=value, damaged=True)
        return symbol

    def _end_frame(self) -> None:
        """3.5 characters of silence: whoever is meant answers."""
        heard, self._heard = self._heard, _Heard()
        self._overhear(heard)
        if heard.sources == {MASTER}:
            self.tally.requests += 1
        elif MASTER in heard.sources:
            self.tally.glued_frames += 1
        parts = None if heard.damaged else rtu.unframe(bytes(heard.data))
        if parts is None:
            self.tally.bad_frames += 1
            return
        unit, pdu = parts
        meant = [i for i, s in enumerate(self._stations) if s.unit == unit and i not in heard.sources]
        if not meant and heard.sources == {MASTER}:
            self.tally.unknown_unit += 1
        request = Request(pdu, self._quiet_since, self.timeline.utc(self._quiet_since), heard.quiet_s)
        for index in meant:
            self._reply(index, request)

    def _reply(self, index: int, request: Request) -> None:
        station = self._stations[index]
        unit = station.unit
        scene = Scene(unit, self.line.char_s, self._chance)
        answer = station.answer(request)
        for fault in self.faults:
            answer = fault.on_answer(request, answer, scene)
        if answer is None:
            return
        if isinstance(answer, Raw):
            frame, wait_s = answer.frame, answer.delay_s
        else:
            frame, wait_s = rtu.frame(unit, answer), max(self.line.t35_s, station.turnaround_s)
        reply: Sequence[Symbol] = back_to_back(frame, request.wire_s + wait_s, self.line.char_s)
        for fault in self.faults:
            reply = fault.on_reply(reply, scene)
        if not reply:
            return
        self.tally.replies += 1
        queue = self._sending[index]
        if queue and queue[-1].end_s + self.line.t35_s > reply[0].start_s:
            reply = shifted(reply, queue[-1].end_s + self.line.t35_s - reply[0].start_s)
        queue.extend(reply)

    def _overhear(self, heard: _Heard) -> None:
        if self._eavesdropper is None:
            return
        unit = None
        if len(heard.sources) == 1:
            (source,) = heard.sources
            if source < len(self._stations):
                unit = source if source < 0 else self._stations[source].unit
        self._eavesdropper(Overheard(heard.start_s, self._quiet_since, unit, bytes(heard.data), heard.damaged))


_END = attrgetter("end_s")


def _together(queue: deque[Symbol], grain_s: float) -> float:
    """When the first characters of `queue` have passed that may be handled at once."""
    return min(queue[-1].end_s, queue[0].end_s + grain_s)
