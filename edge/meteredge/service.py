"""`agent run`: one meter's agent as a process, until SIGTERM.

Two threads: this one reads the meter and closes slots, the other one delivers.  Nothing that the network does can delay
a close, and nothing sleeps across the end of a slot.  Typer, rich and web parts are not loaded here: a running agent
stays small.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from meterchain import programs
from meterchain.chain import Chain
from meterchain.rpc import RpcChain
from meteredge.agent import Agent
from meteredge.bus_errors import BusError, PortLent
from meteredge.clock import Clock, SystemClock
from meteredge.config import AgentConfig
from meteredge.frame_ring import FrameRing
from meteredge.journal import Identity, Journal, Row, State, UnknownInstall
from meteredge.journal_schema import JournalError
from meteredge.keys import load_credential, load_key, load_relayer
from meteredge.ledger import Ledger
from meteredge.meter_port import MeterAtPort
from meteredge.nodetime import boot_id
from meteredge.reconcile import DeliveryStopped
from meteredge.refusals import Verdict
from meteredge.signer import Signer
from meteredge.slots import SlotStaysOpen
from meteredge.socket_answers import AgentAnswers
from meteredge.socket_server import SocketServer
from meteredge.status_file import StatusFile, StatusFileError
from meteredge.timesource import HostTime

CLOSE_RETRY_S = 8.0
"""Pause before a close that failed is tried again; with the reading itself less than every 10 s."""
AWAKE_BEFORE_S = 5.0
"""A meter that failed is looked at again so long before the end of a slot."""
BACKOFF_STEP_S = 2.0
BACKOFF_MOST_S = 300.0
"""A meter that does not answer is asked after 2 s, 4 s, 6 s … at most 5 min, but never across the end of a slot."""
DELIVER_AGAIN_S = 5.0
"""How soon to look whether what was sent is final, and the first pause after a failure."""
DELIVER_AGAIN_MOST_S = 300.0
IDLE_S = 900.0
CLOCK_APART_S = 30.0
"""The chain takes readings up to so far in its future (MAX_FUTURE_SKEW_SECS)."""
JOIN_S = 10.0

log = logging.getLogger("meterbridge")


class Station:
    """Everything that one configuration names, opened."""

    def __init__(self, config: AgentConfig, chain: Chain, clock: Clock) -> None:
        """Raises KeyFileError, JournalError, ProfileError."""
        self.config = config
        self.clock = clock
        self.signer = Signer(load_meter_key(config))
        relayer = load_relayer(Path(config.chain.relayer))
        self.frames = FrameRing(clock)
        self.meter = MeterAtPort(config, clock, self.frames.hear)
        identity = Identity(config.meter.id, config.domain, bytes(self.signer.public_key))
        self.journal = Journal.open(config.journal_path, identity)
        self.agent = Agent(
            reader=self.meter,
            clock=clock,
            time_source=HostTime(clock),
            boot_id=boot_id(os.environ),
            journal=self.journal,
            signer=self.signer,
            ledger=Ledger(chain, programs.load(), relayer, config.meter.id, self.signer.public_key),
            settle_every=config.chain.settle_every,
            witness=self.meter if config.bridge else None,
        )

    def close(self) -> None:
        """Give port and journal back."""
        self.meter.close()
        self.journal.close()


def load_meter_key(config: AgentConfig) -> SigningKey:
    """The key that [key] names.  Raises KeyFileError."""
    if config.key.credential is not None:
        return load_credential(config.key.credential, os.environ)
    return load_key(Path(config.key.file or ""))


def run(config: AgentConfig, stop: threading.Event | None = None, connect: Callable[[str], Chain] = RpcChain) -> int:
    """Run until `stop` is set (by SIGTERM or SIGINT if none is given).  Returns the exit code: 0, 4 or 130.

    Raises KeyFileError, JournalError, ProfileError, StatusFileError, SocketUnusable before anything is
    running.
    """
    interrupted = threading.Event()
    stop = stop or _stop_by_signal(interrupted)
    with ExitStack() as undo:
        chain = connect(config.chain.rpc)
        undo.callback(chain.close)
        station = Station(config, chain, SystemClock())
        undo.callback(station.close)
        status_file = StatusFile(config.status_path, station.agent.counts, lambda counts: describe(station, counts))
        status_file.write()
        undo.callback(status_file.remove)
        answers = AgentAnswers(
            station.meter.bus,
            station.frames,
            station.clock,
            status_file.document,
            lambda: station.agent.seconds_to_close() <= 0,
        )
        server = SocketServer(config.socket_path, answers)
        undo.pop_all()
    log.info("%s: started, journal %s, chain %s", config.meter.id, config.journal_path, chain.name)
    wake = threading.Event()
    forwarder = threading.Thread(
        target=_forward, args=(station.agent, status_file, stop, wake), name="forwarder", daemon=True
    )
    forwarder.start()
    try:
        _close_slots(station, status_file, answers, stop, wake)
    finally:
        stop.set()
        wake.set()
        server.close()
        forwarder.join(JOIN_S)
        stopped = station.agent.status().stopped
        status_file.remove()
        if forwarder.is_alive():  # it hangs in the network; SQLite is safe without a farewell
            log.warning("%s: the chain did not answer in time; leaving without waiting for it", config.meter.id)
        else:
            station.close()
            chain.close()
    log.info("%s: stopped", config.meter.id)
    if stopped:
        return 4
    return 130 if interrupted.is_set() else 0


def _stop_by_signal(interrupted: threading.Event) -> threading.Event:
    stop = threading.Event()

    def leave(number: int, _frame: object) -> None:
        if number == signal.SIGINT:
            interrupted.set()
        stop.set()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    return stop


class Told:
    """Logs a warning when it is news, not each time that it is still true."""

    def __init__(self) -> None:
        self._last = ""

    def warn(self, message: str) -> None:
        """One line, unless it is the last one again."""
        if message != self._last:
            log.warning("%s", message)
        self._last = message

    def forget(self) -> None:
        """All is well: the same warning would be news."""
        self._last = ""


def describe(station: Station, counts: Mapping[State, int]) -> dict[str, Any]:
    """The status document."""
    status = asdict(station.agent.status())
    reading = status.pop("reading")
    return {
        "schema": 1,
        "pid": os.getpid(),
        "meter_key": str(station.signer.public_key),
        "profile": station.meter.profile.name,
        **status,
        "export_mwh": reading and reading["export_mwh"],
        "import_mwh": reading and reading["import_mwh"],
        "power_w": reading and reading["power_w"],
        "serial": reading and reading["serial"],
        "records": {str(state): number for state, number in counts.items()},
        "bus": station.meter.bus.counts(),
        "written_at": station.clock.utc(),
    }


def next_pause_s(until_close_s: float, failures: int, poll_s: float) -> float:
    """How long to wait before the next look: never across the end of a slot, and 5 s before it everybody is awake.

    `failures` counts the tries in a row that failed: they make looks rarer, but not while a slot can be closed.
    """
    if until_close_s <= 0:
        return CLOSE_RETRY_S if failures else 0.0
    usual = min(failures * BACKOFF_STEP_S, BACKOFF_MOST_S) if failures else poll_s
    return min(usual, until_close_s - AWAKE_BEFORE_S if until_close_s > AWAKE_BEFORE_S else until_close_s)


def _close_slots(
    station: Station, status_file: StatusFile, answers: AgentAnswers, stop: threading.Event, wake: threading.Event
) -> None:
    """Close each slot in its window; look at the meter in between."""
    agent, clock, told, failures, next_look = station.agent, station.clock, Told(), 0, 0.0
    while not stop.is_set():
        if agent.seconds_to_close() <= 0:
            answers.slot_is_due()
        try:
            row = _close(agent)
            if row is not None:
                log.info("%s: slot %s closed, record %d", station.config.meter.id, _clock_time(row.slot), row.seq)
                status_file.count()
                wake.set()
            elif clock.monotonic() >= next_look:
                agent.read()
            failures = 0
            told.forget()
        except DeliveryStopped:
            return
        except PortLent:
            failures = 1  # not the meter's fault: it is looked at again soon
        except (BusError, SlotStaysOpen, JournalError) as error:
            failures += 1
            told.warn(f"{station.config.meter.id}: {error}")
        try:
            status_file.write()
        except StatusFileError as error:  # nobody sees us, but slots are closed all the same
            told.warn(str(error))
        pause = next_pause_s(agent.seconds_to_close(), failures, station.config.bus.poll_s)
        next_look = clock.monotonic() + pause
        stop.wait(pause)


def _close(agent: Agent) -> Row | None:
    try:
        return agent.close_due_slot()
    except UnknownInstall:  # the forwarder has told why the chain was not seen; the meter can be looked at meanwhile
        return None


def _forward(agent: Agent, status_file: StatusFile, stop: threading.Event, wake: threading.Event) -> None:
    """Deliver whenever a slot was closed, and until everything that was sent is final."""
    failures, told = 0, Told()
    while not stop.is_set():
        wake.clear()
        pause = IDLE_S
        try:
            report = agent.deliver()
        except DeliveryStopped as stopped:
            log.error("%s", stopped)
            stop.set()
            return
        except JournalError as error:
            told.warn(str(error))
            failures += 1
            pause = min(DELIVER_AGAIN_S * 2**failures, DELIVER_AGAIN_MOST_S)
        else:
            failures = failures + 1 if report.verdict else 0
            if report.problem:
                told.warn(report.problem)
            else:
                told.forget()
            if report.chain_ahead_s is not None and abs(report.chain_ahead_s) > CLOCK_APART_S:
                log.warning("our clock and the chain's are %.0f s apart: check the time service", report.chain_ahead_s)
            for seq, code in report.refused:
                log.warning("record %d was refused by the chain: %s", seq, code)
            if report.verdict is Verdict.RETRY:
                pause = min(DELIVER_AGAIN_S * 2 ** (failures - 1), DELIVER_AGAIN_MOST_S)
            elif report.verdict is None and agent.journal.undelivered():
                pause = DELIVER_AGAIN_S
            if report.sent or report.final or report.refused:
                status_file.count()
        wake.wait(pause)


def _clock_time(slot: int) -> str:
    return datetime.fromtimestamp(slot, UTC).strftime("%Y-%m-%d %H:%M")
