"""The agent of one meter, as small steps: close a slot that is due, deliver what was signed.

`agent run` drives the steps from two threads (closing must not wait for a network), the demo and the tests one after
the other on a clock of their own.  Everything it works with is passed in.
"""

import logging
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from meterchain.chain import ChainUnreachable
from meterchain.record import StatusFlags, TimeStatus
from meterchain.units import Slot
from meteredge.bridge_watch import BridgeNews
from meteredge.bus_errors import BusError
from meteredge.clock import Clock
from meteredge.courier import Courier
from meteredge.dating import KEEP_EVERY_S, KEEP_MOST, first_dated
from meteredge.forwarder import DeliveryReport, Forwarder
from meteredge.journal import Install, Journal, LastSigned, Row, State, Undated, UnknownInstall
from meteredge.keys import KeyFileError
from meteredge.ledger import Ledger
from meteredge.nodetime import Instant, NodeTime
from meteredge.reader import Reading
from meteredge.reconcile import DeliveryStopped, settle_before_rotation
from meteredge.signer import Signer
from meteredge.slots import (
    JUMP_S,
    MeterReader,
    due_slot,
    rated_of,
    read_closing,
    read_final,
    read_pair,
    seconds_to_close,
)
from meteredge.timesource import TimeSource

log = logging.getLogger("meterbridge")

UNKNOWN_INSTALL_RETRY_S = 5.0
"""How soon to look again whether the chain has told us where to begin."""


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """What the agent knows of itself; times are Unix seconds, energies mWh."""

    meter_id: str
    meter_key: str
    """Base58; another one after a rotation."""
    reading: Reading | None = None
    read_at: float | None = None
    last_slot: Slot | None = None
    read_problem: str | None = None
    """Why the last look at the meter gave no reading."""
    slot_problem: str | None = None
    """Why the slot that is due is still open."""
    delivery_problem: str | None = None
    delivered_at: float | None = None
    chain_ahead_s: float | None = None
    time_status: TimeStatus = TimeStatus.UNKNOWN
    """How this moment is known: S, I, or U while nobody vouches for the date."""
    undated: int = 0
    """Readings that wait for the time to be known."""
    undatable: int = 0
    """Readings of an earlier boot, which nobody can date any more: the next record carries their energy."""
    bridge: str | None = None
    """What the bridge said at the last close that a person should know."""
    stopped: str | None = None
    """Set once: the agent signs and sends nothing more."""


class Witness(Protocol):
    """Whoever stands beside the meter: the bridge."""

    def look(self, seconds: float) -> BridgeNews:
        """What happened within the last `seconds`.  Raises BusError."""


class NextKey(Protocol):
    """Where a key waits that shall follow the present one."""

    def waiting(self) -> Signer | None:
        """The key, None if none waits.  Raises KeyFileError."""

    def take_over(self) -> None:
        """It is the meter's key now.  Raises KeyFileError."""


class Agent:
    """One meter's agent.  `close_due_slot` and `deliver` may run in two threads."""

    def __init__(
        self,
        *,
        reader: MeterReader,
        clock: Clock,
        time_source: TimeSource,
        journal: Journal,
        signer: Signer,
        ledger: Ledger,
        settle_every: int = 4,
        witness: Witness | None = None,
        courier: Courier | None = None,
        boot_id: str | None = None,
        next_key: NextKey | None = None,
    ) -> None:
        """`clock` dates slots; the reader has the bus's own.  `settle_every`: see Forwarder.

        `boot_id` names the host's boot (`nodetime.boot_id`); without one, readings of an earlier process are not dated.
        `next_key`: see key_rotation.
        Raises JournalError.
        """
        self.journal = journal
        self._reader = reader
        self._clock = clock
        self._ledger = ledger
        self._time = NodeTime(clock, time_source)
        self._next_key = next_key
        self._boot_id = boot_id or secrets.token_hex(16)
        self._signer = signer
        self._witness = witness
        self._forwarder = Forwarder(ledger, journal, clock, settle_every=settle_every, courier=courier)
        self._lock = threading.Lock()
        self._status = AgentStatus(journal.identity.meter_id, str(signer.public_key))
        self._stopped: DeliveryStopped | None = None
        self._closed_at = self._time.now()
        self._kept = journal.undated(self._boot_id)
        self._keep_at = 0.0  # monotonic
        undatable = journal.forget_undated(self._boot_id, of_others=True)
        self._note(undated=len(self._kept), undatable=undatable, time_status=_known(self._closed_at))

    def status(self) -> AgentStatus:
        """A snapshot."""
        with self._lock:
            return self._status

    def seconds_to_close(self) -> float:
        """From now to the next instant at which `close_due_slot` has something to do."""
        now, last = self._time.now(), self.journal.last_signed()
        if last is None:
            return UNKNOWN_INSTALL_RETRY_S
        if now is None:
            return max(0.0, self._keep_at - self._clock.monotonic())
        return 0.0 if self._kept else seconds_to_close(now.utc, last)

    def read(self) -> Reading:
        """Look at the meter without signing anything.  Raises BusError."""
        try:
            reading = self._reader.read()
        except BusError as error:
            self._note(read_problem=str(error))
            raise
        self._note(reading=reading, read_at=self._clock.utc(), read_problem=None)
        return reading

    def close_due_slot(self) -> Row | None:
        """Close the slot that is due: read, judge, sign and store.  None if none is due.

        While nobody vouches for the date, a reading is kept instead, and None returned; afterwards each call closes one
        slot with a kept reading until none is left.  Raises BusError, SlotStaysOpen, JournalError (UnknownInstall
        before the chain was first seen), and DeliveryStopped once `deliver` has.  Whatever is raised, nothing was
        signed.
        """
        if self._stopped:
            raise self._stopped
        install, last, now = self.journal.install(), self.journal.last_signed(), self._time.now()
        self._note(time_status=_known(now))
        if install is None or last is None:
            raise UnknownInstall("where this meter's records begin is not known until the chain was seen once")
        try:
            if now is None:
                self._keep_reading(install)
                return None
            row = self._close_with_kept(now, install, last) or self._close_due(now, install, last)
        except Exception as error:
            self._note(slot_problem=str(error))
            raise
        if row is not None:
            self._note(last_slot=row.slot, slot_problem=None)
        return row

    def sign_final(self) -> Row:
        """Read the meter for the last time and sign the install's final record, before the meter is changed.

        Raises as `close_due_slot` does.
        """
        if self._stopped:
            raise self._stopped
        install, last = self.journal.install(), self.journal.last_signed()
        if install is None or last is None:
            raise UnknownInstall("where this meter's records begin is not known until the chain was seen once")
        row = self.journal.append(read_final(self._reader, self._time, install, last), self._sign)
        self._note(last_slot=row.slot)
        return row

    def deliver(self) -> DeliveryReport:
        """Bring the chain up to date, as far as it can be reached.

        Raises DeliveryStopped (from then on `close_due_slot` raises it too) and JournalError.
        """
        if self._stopped:
            raise self._stopped
        self._ask_the_chain_for_the_time()
        try:
            key_problem = self._take_up_next_key()
            report = self._forwarder.step()
        except DeliveryStopped as stop:
            self._stopped = stop
            self._note(stopped=str(stop))
            raise
        self._note(delivery_problem=report.problem or key_problem)
        if report.chain_ahead_s is not None:
            self._note(chain_ahead_s=report.chain_ahead_s)
        if report.sent:
            self._note(delivered_at=self._clock.utc())
        return report

    def counts(self) -> dict[State, int]:
        """Records of this journal by state."""
        return self.journal.counts()

    def _close_due(self, now: Instant, install: Install, last: LastSigned) -> Row | None:
        slot = due_slot(now.utc, last)
        if slot is None:
            return None
        closing, reading = read_closing(slot, self._reader, self._time, install, last)
        flags = closing.status_flags | self._seen_by_witness(closing.ts - last.ts)
        if self._closed_at is not None and abs(now.offset_s - self._closed_at.offset_s) > JUMP_S:
            flags |= StatusFlags.CLOCK_ADJUSTED
        row = self.journal.append(replace(closing, status_flags=flags), self._sign)
        self._closed_at = now
        self._note(reading=reading, read_at=float(closing.ts), read_problem=None)
        return row

    def _keep_reading(self, install: Install) -> None:
        """Nobody knows the time: keep what the meter shows, if the last kept reading is old enough."""
        monotonic = self._clock.monotonic()
        if monotonic < self._keep_at:
            return
        reading = read_pair(self._reader, rated_of(install))
        read_at_ms = int(self._clock.monotonic() * 1_000)
        kept = Undated(self._boot_id, read_at_ms, reading.export_mwh, reading.import_mwh, reading.quantum_mwh)
        self.journal.keep_undated(kept, KEEP_MOST)
        self._kept = [*self._kept[1 - KEEP_MOST :], kept]
        self._keep_at = monotonic + KEEP_EVERY_S
        self._note(
            reading=reading, read_at=self._clock.utc(), undated=len(self._kept), slot_problem=None, read_problem=None
        )

    def _close_with_kept(self, now: Instant, install: Install, last: LastSigned) -> Row | None:
        """The time is known again: close the first slot that a kept reading can close; forget them when none can."""
        if not self._kept:
            return None
        dated = first_dated(self._kept, now.offset_s, now.utc, last, rated_of(install))
        if dated is None:
            self.journal.forget_undated(self._boot_id, of_others=False)
            self._kept, row = [], None
        else:
            row = self.journal.append(dated.closing, self._sign, dated.undated)
            self._kept = [kept for kept in self._kept if kept.monotonic_ms > dated.undated.monotonic_ms]
        self._note(undated=len(self._kept))
        return row

    def _sign(self, encoded: bytes) -> bytes:
        """Called with the journal locked, so that no record falls between two keys."""
        return self._signer.sign_record(encoded)

    def _take_up_next_key(self) -> str | None:
        """If the registry shows the key that waits here, go on with it.  What is wrong with it, if anything."""
        try:
            waiting = self._next_key and self._next_key.waiting()
            if not self._next_key or not waiting:
                return None
            finalized = self._ledger.look("finalized")
            if finalized is not None and finalized.meter.meter_key == waiting.public_key:
                settle_before_rotation(self.journal, finalized)
                self.journal.rotate(bytes(waiting.public_key), lambda: setattr(self, "_signer", waiting))
                self._ledger.rekey(waiting.public_key)
                self._note(meter_key=str(waiting.public_key))
                self._next_key.take_over()
        except (ChainUnreachable, KeyFileError) as error:
            return str(error)
        return None

    def _ask_the_chain_for_the_time(self) -> None:
        """The last witness, asked only while the host's clock is not synchronised."""
        if self._time.wants_witness:
            with suppress(ChainUnreachable):  # the delivery says so
                self._time.hear_chain(self._ledger.chain.clock().unix_s)
                self._note(time_status=_known(self._time.now()))

    def _seen_by_witness(self, seconds: float) -> StatusFlags:
        """Flags for the record; a witness that does not answer is noted, and the slot is closed without it."""
        if self._witness is None:
            return StatusFlags.NONE
        try:
            news = self._witness.look(seconds)
        except BusError as error:
            news = BridgeNews(note=f"the bridge does not answer: {error}")
        self._note(bridge=news.note)
        if news.note:
            log.warning("%s: %s", self.journal.identity.meter_id, news.note)
        return news.flags

    def _note(self, **facts: Any) -> None:  # noqa: ANN401
        with self._lock:
            self._status = replace(self._status, **facts)


def _known(now: Instant | None) -> TimeStatus:
    return TimeStatus.UNKNOWN if now is None else now.status
