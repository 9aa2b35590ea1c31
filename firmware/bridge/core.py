"""The bridge as a whole, without hardware: `step()` does what is due and says for how long nothing will be.

Ports that are passed in:

    usb     read() → bytes, write(bytes)
    wire    read() → bytes, send(frame), sending() → bool, set_line(baud, format)
    inputs  service_closed(), tamper_open() → bool; new_pulses(), supply_mv(), free_memory() → int
    slots   read(index) → bytes, write(index, bytes): see `stored`

A frame for the bridge's own unit is answered here and never reaches the wire.
"""

from bridge import VERSION, diagnostic, guard, led
from bridge.counters import Counters
from bridge.rtu import TICKS_MASK, since
from bridge.stored import TAMPER_SAVE_S, State, StorageError, Store, save_due
from bridge.usb_frames import PAUSE_US, UsbFrames
from bridge.wire_side import WireSide

LONGEST_WAIT_US = 10_000
"""Inputs are looked at no less often."""
SECOND_US = 1_000_000
TAMPER_STEADY_US = 50_000
"""A contact that opens for a shorter time only bounced."""
LATELY_S = 10
RETRY_S = 60
"""How often a save that failed is tried again."""


class Bridge:
    """`clock()` is microseconds for `rtu.since`, `reset_cause` one of `diagnostic.RESET_…`."""

    def __init__(self, usb, wire, inputs, slots, serial: str, reset_cause: int, clock) -> None:
        now = clock()
        self.version = VERSION
        self.serial = serial
        self.reset_cause = reset_cause
        self.inputs = inputs
        self.counters = Counters()
        self.uptime_s = 0
        self._clock = clock
        self._usb = usb
        self._port = wire
        self._store = Store(slots)
        self._storage_failed = False
        self._unreadable = False
        self._unsaved_pulses = 0
        self._second_at = now
        self._tamper_seen = False
        self._tamper_since = now
        self._tamper_now = False
        self._tamper_s = -1
        self._tamper_unsaved = False
        self._tamper_saved_s = -TAMPER_SAVE_S
        self._errors_s = self._traffic_s = -LATELY_S
        self._errors = self._sent = 0
        self.state = self._load()
        self._frames = UsbFrames(usb, self.counters, clock)
        self._wire = WireSide(wire, self._hand_over, self.counters, clock)
        self._line_changed = True
        self._use_line()
        if reset_cause == diagnostic.RESET_WATCHDOG:
            self.state.watchdog_resets += 1
            self._save()

    @property
    def at_rest(self) -> bool:
        """Nothing is on its way: a good moment for what takes long."""
        return self._wire.at_rest and not self._frames.waiting

    def step(self) -> int:
        """Do what is due; returns for how many microseconds nothing will be, unless a byte comes."""
        self._use_line()
        for frame in self._frames.take():
            self._take(frame)
        wait = self._wire.step()
        now = self._clock()
        pulses = self.inputs.new_pulses()
        if pulses:
            self.state.pulses += pulses
            self._unsaved_pulses += pulses
        self._watch_tamper(now)
        if since(now, self._second_at) >= SECOND_US:
            self._each_second(now)
        if save_due(self._unsaved_pulses, self.at_rest) and not self._storage_failed:
            self._save()
        if self._frames.waiting:
            wait = min(wait, PAUSE_US) if wait >= 0 else PAUSE_US
        return LONGEST_WAIT_US if wait < 0 else min(wait, LONGEST_WAIT_US)

    def flags(self) -> int:
        """The flags register."""
        return (
            (diagnostic.SERVICE_CLOSED if self.inputs.service_closed() else 0)
            | (diagnostic.TAMPER_OPEN if self._tamper_now else 0)
            | (diagnostic.STORAGE_FAILED if self._storage_failed else 0)
        )

    def tamper_age_s(self) -> int:
        """Seconds since the last tamper event, NEVER if none since the start."""
        return diagnostic.NEVER if self._tamper_s < 0 else self.uptime_s - self._tamper_s

    def uptime_ms(self) -> int:
        """Milliseconds since the start."""
        return 1_000 * self.uptime_s + since(self._clock(), self._second_at) // 1_000

    def led_code(self) -> int:
        """What the LED has to say."""
        flags = self.flags()
        if flags & diagnostic.STORAGE_FAILED:
            return led.BROKEN
        if flags & diagnostic.SERVICE_CLOSED:
            return led.SERVICE
        if flags & diagnostic.TAMPER_OPEN:
            return led.TAMPER
        if self.uptime_s - self._errors_s < LATELY_S:
            return led.ERRORS
        return led.TRAFFIC if self.uptime_s - self._traffic_s < LATELY_S else led.ALIVE

    def change_settings(self, words: list) -> bool:
        """Take and store settings that were checked; False, and nothing changes, if they cannot be stored."""
        state = self.state
        before = diagnostic.settings(state)
        self._set(words)
        if not self._save():
            self._set(before)
            return False
        self._line_changed = True
        return True

    def _set(self, words: list) -> None:
        state = self.state
        state.unit, state.baud_hundreds, state.line_format = words[:3]
        state.late_ms, state.mwh_per_pulse, state.patience_ms = words[3:]

    def _take(self, frame: bytes) -> None:
        """A request from USB with a right CRC."""
        self.counters.requests += 1
        if frame[0] == self.state.unit:
            # Whoever asks the bridge no longer waits for a meter.
            self._wire.forget()
            self.counters.own += 1
            self._usb.write(diagnostic.answer(self, frame))
        elif guard.passes(frame, self.inputs.service_closed()):
            self._wire.ask(frame)
        else:
            self._wire.forget()
            self.counters.drops += 1

    def _hand_over(self, data: bytes) -> bool:
        """Give USB what came from the wire; False if the master has asked for something else in this very moment."""
        if self._frames.listen():
            return False
        self._usb.write(data)
        return True

    def _use_line(self) -> None:
        """Take over the line's settings, once the bridge is not sending."""
        if self._line_changed and not self._wire.sending:
            state = self.state
            self._line_changed = False
            self._port.set_line(100 * state.baud_hundreds, state.line_format)
            self._wire.set_line(state.baud_hundreds, state.line_format, state.late_ms, state.patience_ms)

    def _watch_tamper(self, now: int) -> None:
        opened = self.inputs.tamper_open()
        if opened != self._tamper_seen:
            self._tamper_seen = opened
            self._tamper_since = now
        if opened == self._tamper_now or since(now, self._tamper_since) < TAMPER_STEADY_US:
            return
        self._tamper_now = opened
        if opened:
            self.state.tamper_events += 1
            self._tamper_s = self.uptime_s
            self._tamper_unsaved = True
            self._save_tamper()

    def _save_tamper(self) -> None:
        if self._tamper_unsaved and self.uptime_s - self._tamper_saved_s >= TAMPER_SAVE_S:
            self._tamper_saved_s = self.uptime_s
            self._save()

    def _each_second(self, now: int) -> None:
        seconds = since(now, self._second_at) // SECOND_US
        self.uptime_s += seconds
        self._second_at = (self._second_at + seconds * SECOND_US) & TICKS_MASK
        errors, sent = self.counters.bus_errors(), self.counters.sent
        if errors != self._errors:
            self._errors, self._errors_s = errors, self.uptime_s
        if sent != self._sent:
            self._sent, self._traffic_s = sent, self.uptime_s
        self._save_tamper()
        if self._storage_failed and self.uptime_s % RETRY_S == 0:
            self._save()

    def _load(self) -> State:
        try:
            return self._store.load()
        except StorageError:
            # What cannot be read is not overwritten: it may be pulses.
            self._storage_failed = self._unreadable = True
            return State()

    def _save(self) -> bool:
        if self._unreadable:
            return False
        try:
            self._store.save(self.state)
        except StorageError:
            self._storage_failed = True
            return False
        self._storage_failed = False
        self._unsaved_pulses = 0
        self._tamper_unsaved = False
        return True
