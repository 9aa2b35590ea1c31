"""What the agent answers over its socket, and when it says no.

The bus belongs to the slots first:

- `read` is refused from 5 s before a slot's end until every meter has closed that slot (110 s after its end at the
  latest); outside of that, tools get at most half of the bus's time, one request at a time;
- `release` is refused from 5 s before to 110 s after each slot's end, and a loan ends before the next such window
  begins: at the latest after 120 s, when its client hangs up, or when a slot is due although nobody expected it (the
  host's clock was set).
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from meteredge.bus import Bus
from meteredge.bus_errors import BusError, CorruptReply, DeviceException
from meteredge.clock import Clock
from meteredge.close_window import AWAKE_BEFORE_S, WINDOW_S, seconds_left_of_window, seconds_to_window
from meteredge.frame_ring import FrameRing
from meteredge.socket_protocol import (
    Counts,
    Frames,
    Read,
    Refusal,
    Release,
    Request,
    Resume,
    Status,
    encode_frames,
)
from meteredge.socket_server import Refused, busy

SHORTEST_LOAN_S = 5.0
TURN_WITHIN_S = 10.0

log = logging.getLogger("meterbridge")


class AgentAnswers:
    """The `socket_server.Answers` of one bus."""

    def __init__(
        self,
        bus: Bus,
        ring: FrameRing,
        clock: Clock,
        status: Callable[[], Mapping[str, Any]],
        slot_waits: Callable[[], bool],
    ) -> None:
        """`clock` dates slots and is the bus's too; `slot_waits` says whether a meter has still to close a slot."""
        self._bus = bus
        self._ring = ring
        self._clock = clock
        self._status = status
        self._slot_waits = slot_waits
        self._turn = threading.Lock()
        self._not_before = 0.0
        self._loan = threading.Lock()
        self._borrower: int | None = None

    def answer(self, request: Request, client: int) -> Mapping[str, Any]:
        """See socket_server.Answers."""
        match request:
            case Status():
                return self._status()
            case Counts():
                return {"counts": self._bus.counts()}
            case Read():
                return {"words": list(self._read(request))}
            case Frames():
                kept = self._ring.log(request.seconds, self._bus.port.baudrate, self._framing())
                return {
                    "baud": kept.baud,
                    "format": kept.character,
                    "began_utc": kept.began_utc,
                    "frames": encode_frames(kept.frames),
                }
            case Release():
                return self._lend(request.seconds, client)
            case Resume():
                return {"was_lent": self._take_back(client)}

    def has_loan(self, client: int) -> bool:
        """See socket_server.Answers."""
        return self._borrower == client and self._bus.lent_s() > 0

    def hung_up(self, client: int) -> None:
        """See socket_server.Answers."""
        self._take_back(client)

    def slot_is_due(self) -> None:
        """Whoever has the port has had it: within a close window a slot waits."""
        lent = self._bus.lent_s() > 0 and seconds_left_of_window(self._clock.utc()) > 0
        if lent and self._borrower is not None:
            self._take_back(self._borrower)

    def _read(self, request: Read) -> tuple[int, ...]:
        self._refuse_while_a_slot_waits()
        if not self._turn.acquire(timeout=TURN_WITHIN_S):
            raise Refused(busy("others are asking the meters", TURN_WITHIN_S))
        try:
            self._clock.sleep(self._not_before - self._clock.monotonic())
            self._refuse_while_a_slot_waits()
            began = self._clock.monotonic()
            try:
                return self._bus.read_block(request.unit, request.fc, request.address, request.words, request.timing)
            finally:
                ended = self._clock.monotonic()
                self._not_before = ended + (ended - began)
        except BusError as error:
            raise Refused(_refusal(error)) from error
        finally:
            self._turn.release()

    def _refuse_while_a_slot_waits(self) -> None:
        left_s = seconds_left_of_window(self._clock.utc())
        if left_s and (left_s > WINDOW_S or self._slot_waits()):
            # Usually all meters have closed within a second or two; only a dead one keeps the window open.
            raise Refused(busy("a slot is being closed, the bus is the meters' own", min(left_s, 10.0)))

    def _lend(self, seconds: float, client: int) -> Mapping[str, Any]:
        with self._loan:
            utc = self._clock.utc()
            if left_s := seconds_left_of_window(utc):
                raise Refused(busy("the port is not lent while slots are closed", left_s))
            if (lent_s := self._bus.lent_s()) > 0:
                raise Refused(busy("the port is lent to another program", lent_s))
            free_s = seconds_to_window(utc)
            if free_s < SHORTEST_LOAN_S:
                wait_s = free_s + AWAKE_BEFORE_S + WINDOW_S
                raise Refused(busy("the port is not lent just before slots are closed", wait_s))
            granted_s = min(seconds, free_s)
            self._borrower = client
            self._bus.lend(granted_s)
            log.info("port lent for %.0f s", granted_s)
            port = self._bus.port
            return {
                "port": getattr(port, "spec", port.port),
                "baud": port.baudrate,
                "format": self._framing(),
                "seconds": granted_s,
            }

    def _take_back(self, client: int) -> bool:
        with self._loan:
            if self._borrower != client:
                return False
            self._borrower = None
            self._bus.take_back()
            log.info("port taken back")
            return True

    def _framing(self) -> str:
        port = self._bus.port
        return f"{port.bytesize}{port.parity}{port.stopbits:g}"


def _refusal(error: BusError) -> Refusal:
    return Refusal(
        error.kind,
        error.fact,
        error.next_step,
        code=error.code if isinstance(error, DeviceException) else None,
        raw=error.raw if isinstance(error, CorruptReply) else b"",
    )
