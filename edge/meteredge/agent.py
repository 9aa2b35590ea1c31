"""The agent of one meter, as small steps: close a slot that is due, deliver what was signed.

`agent run` drives the steps from two threads (closing must not wait for a network), the demo and the tests one after
the other on a clock of their own.  Everything it works with is passed in.
"""

import threading
from dataclasses import dataclass, replace
from typing import Any, Protocol

from meterchain.record import StatusFlags
from meterchain.units import Slot
from meteredge.bridge_watch import BridgeNews
from meteredge.bus_errors import BusError
from meteredge.clock import Clock
from meteredge.forwarder import DeliveryReport, Forwarder
from meteredge.journal import Journal, Row, State, UnknownInstall
from meteredge.ledger import Ledger
from meteredge.reader import Reading
from meteredge.reconcile import DeliveryStopped
from meteredge.signer import Signer
from meteredge.slots import JUMP_S, MeterReader, due_slot, read_closing, seconds_to_close
from meteredge.timesource import TimeSource

UNKNOWN_INSTALL_RETRY_S = 5.0
"""How soon to look again whether the chain has told us where to begin."""


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """What the agent knows of itself; times are Unix seconds, energies mWh."""

    meter_id: str
    reading: Reading | None = None
    read_at: float | None = None
    last_slot: Slot | None = None
    slot_problem: str | None = None
    """Why the slot that is due is still open."""
    delivery_problem: str | None = None
    delivered_at: float | None = None
    chain_ahead_s: float | None = None
    bridge: str | None = None
    """What the bridge said at the last close that a person should know."""
    stopped: str | None = None
    """Set once: the agent signs and sends nothing more."""


class Witness(Protocol):
    """Whoever stands beside the meter: the bridge."""

    def look(self, seconds: float) -> BridgeNews:
        """What happened within the last `seconds`.  Raises BusError."""


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
    ) -> None:
        """`clock` dates slots; the reader has the bus's own.  `settle_every`: see Forwarder."""
        self.journal = journal
        self._reader = reader
        self._clock = clock
        self._time_source = time_source
        self._signer = signer
        self._witness = witness
        self._forwarder = Forwarder(ledger, journal, clock, settle_every=settle_every)
        self._lock = threading.Lock()
        self._status = AgentStatus(journal.identity.meter_id)
        self._stopped: DeliveryStopped | None = None
        self._clock_seen = (clock.utc(), clock.monotonic())

    def status(self) -> AgentStatus:
        """A snapshot."""
        with self._lock:
            return self._status

    def seconds_to_close(self) -> float:
        """From now to the next instant at which `close_due_slot` has something to do."""
        last = self.journal.last_signed()
        return UNKNOWN_INSTALL_RETRY_S if last is None else seconds_to_close(self._clock.utc(), last)

    def read(self) -> Reading:
        """Look at the meter without signing anything.  Raises BusError."""
        reading = self._reader.read()
        self._note(reading=reading, read_at=self._clock.utc())
        return reading

    def close_due_slot(self) -> Row | None:
        """Close the slot that is due: read, judge, sign and store.  None if none is due.

        Raises BusError, SlotStaysOpen, JournalError (UnknownInstall before the chain was first seen), and
        DeliveryStopped once `deliver` has.  Whatever is raised, nothing was signed.
        """
        if self._stopped:
            raise self._stopped
        install, last = self.journal.install(), self.journal.last_signed()
        if install is None or last is None:
            raise UnknownInstall("where this meter's records begin is not known until the chain was seen once")
        slot = due_slot(self._clock.utc(), last)
        if slot is None:
            return None
        try:
            closing, reading = read_closing(slot, self._reader, self._clock, self._time_source, install, last)
            if self._clock_was_set():
                closing = replace(closing, status_flags=StatusFlags.CLOCK_ADJUSTED)
            closing = replace(closing, status_flags=closing.status_flags | self._seen_by_witness(closing.ts - last.ts))
            row = self.journal.append(closing, self._signer.sign_record)
        except Exception as error:
            self._note(slot_problem=str(error))
            raise
        self._clock_seen = (self._clock.utc(), self._clock.monotonic())
        self._note(reading=reading, read_at=float(closing.ts), last_slot=slot, slot_problem=None)
        return row

    def deliver(self) -> DeliveryReport:
        """Bring the chain up to date, as far as it can be reached.

        Raises DeliveryStopped (from then on `close_due_slot` raises it too) and JournalError.
        """
        if self._stopped:
            raise self._stopped
        try:
            report = self._forwarder.step()
        except DeliveryStopped as stop:
            self._stopped = stop
            self._note(stopped=str(stop))
            raise
        self._note(delivery_problem=report.problem)
        if report.chain_ahead_s is not None:
            self._note(chain_ahead_s=report.chain_ahead_s)
        if report.sent:
            self._note(delivered_at=self._clock.utc())
        return report

    def counts(self) -> dict[State, int]:
        """Records of this journal by state."""
        return self.journal.counts()

    def _seen_by_witness(self, seconds: float) -> StatusFlags:
        """Flags for the record; a witness that does not answer is noted, and the slot is closed without it."""
        if self._witness is None:
            return StatusFlags.NONE
        try:
            news = self._witness.look(seconds)
        except BusError as error:
            news = BridgeNews(note=f"the bridge does not answer: {error}")
        self._note(bridge=news.note)
        return news.flags

    def _clock_was_set(self) -> bool:
        """Did UTC jump against the monotonic clock since the last close?"""
        utc, monotonic = self._clock_seen
        return abs((self._clock.utc() - utc) - (self._clock.monotonic() - monotonic)) > JUMP_S

    def _note(self, **facts: Any) -> None:  # noqa: ANN401
        with self._lock:
            self._status = replace(self._status, **facts)
