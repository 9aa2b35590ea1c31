"""`agent run`: the agent of one bus as a process, until SIGTERM.

Two threads: this one reads the meters and closes slots (`closing`), the other one delivers (`delivering`).  Nothing
that the network does can delay a close, and nothing sleeps across the end of a slot.  Beside them the socket answers
the tools.  Typer, rich and web parts are not loaded here: a running agent stays small.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from meterchain.chain import Chain
from meterchain.rpc import RpcChain
from meterchain.systemd import Systemd
from meteredge.clock import SystemClock
from meteredge.closing import Closer, close_slots
from meteredge.config import AgentConfig
from meteredge.delivering import Deliverer, deliver
from meteredge.journal import Row
from meteredge.socket_answers import AgentAnswers
from meteredge.socket_server import SocketServer
from meteredge.station import Post, Station
from meteredge.status_file import StatusFile, StatusFileError
from meteredge.told import Told

JOIN_S = 10.0

log = logging.getLogger("meterbridge")


class DeliveryFailed(Exception):
    """The delivering thread ended by a fault of the program; the agent ends with it, so that somebody sees it."""


def run(config: AgentConfig, stop: threading.Event | None = None, connect: Callable[[str], Chain] = RpcChain) -> int:
    """Run until `stop` is set (by SIGTERM or SIGINT if none is given).  Returns the exit code: 0, 4 or 130.

    Raises KeyFileError, JournalError, ProfileError, ConfigError, StatusFileError, SocketUnusable before anything is
    running, DeliveryFailed.
    """
    interrupted = threading.Event()
    stop = stop or _stop_by_signal(interrupted)
    manager, wake, clock = Systemd(os.environ), threading.Event(), SystemClock()
    open_things = _Opened(config, connect, clock, wake)
    desks, answers, told = open_things.desks, open_things.answers, Told(clock)
    forwarder = _Forwarder([desk.deliverer for desk in desks], stop, wake)
    forwarder.thread.start()
    manager.ready()

    def alive() -> None:
        if stranger := open_things.station.bus.second_master():
            told.warn(stranger, "second master")
        manager.alive()
        manager.status(_in_a_line(desks))

    try:
        close_slots(
            [desk.closer for desk in desks],
            clock,
            stop,
            slot_is_due=answers.slot_is_due,
            alive=alive,
            alive_every_s=manager.watchdog_s and manager.watchdog_s / 3,
        )
    finally:
        manager.stopping()
        stop.set()
        wake.set()
        stopped = open_things.leave(forwarder.thread)
    if forwarder.fault is not None:
        raise DeliveryFailed(f"the delivery failed: {forwarder.fault!r}; report it") from forwarder.fault
    if stopped:
        return 4
    return 130 if interrupted.is_set() else 0


class _Opened:
    """Chain, station, desks and socket: all of them are open, or none."""

    def __init__(
        self, config: AgentConfig, connect: Callable[[str], Chain], clock: SystemClock, wake: threading.Event
    ) -> None:
        """Raises what `run` raises before anything is running."""
        with ExitStack() as undo:
            self.chain = connect(config.chain.rpc)
            undo.callback(self.chain.close)
            self.station = station = Station(config, self.chain, clock)
            undo.callback(station.close)
            self.desks = desks = [_Desk(station, post, wake) for post in station.posts]
            for desk in desks:
                undo.callback(desk.file.remove)
            self.answers = AgentAnswers(
                station.bus,
                station.frames,
                clock,
                lambda: station.describe([desk.post.describe(desk.file.counts()) for desk in desks]),
                lambda: any(desk.post.agent.seconds_to_close() <= 0 for desk in desks),
            )
            self._server = SocketServer(config.socket_path, self.answers)
            undo.pop_all()
        for post in station.posts:
            log.info("%s: started, journal %s, chain %s", post.name, post.config.journal_path, self.chain.name)

    def leave(self, delivering: threading.Thread) -> bool:
        """Close all, once the delivering thread has ended or in any case soon; True if every meter was stopped."""
        self._server.close()
        delivering.join(JOIN_S)
        stopped = all(post.agent.status().stopped for post in self.station.posts)
        for desk in self.desks:
            desk.file.remove()
        if delivering.is_alive():  # it hangs in the network; SQLite is safe without a farewell
            log.warning("the chain did not answer in time; leaving without waiting for it")
        else:
            self.station.close()
            self.chain.close()
        for post in self.station.posts:
            log.info("%s: stopped", post.name)
        return stopped


class _Desk:
    """What the two threads have of one meter, and its status file."""

    def __init__(self, station: Station, post: Post, wake: threading.Event) -> None:
        """Raises StatusFileError."""

        def describe(counts: Mapping[Any, int]) -> Mapping[str, Any]:
            return station.describe_alone(post, counts)

        self.post = post
        self.file = StatusFile(post.config.status_path, post.agent.counts, describe)
        self.file.write()
        self._wake = wake
        self._file_told = Told(station.clock)
        self.deliverer = Deliverer(post.name, post.agent, Told(station.clock), self.file.count)
        self.closer = Closer(
            post.name, post.agent, post.config.bus.poll_s, Told(station.clock), self._closed, self._write
        )

    def _closed(self, _row: Row) -> None:
        self.file.count()
        self.deliverer.woken.set()
        self._wake.set()

    def _write(self) -> None:
        try:
            self.file.write()
        except StatusFileError as error:  # nobody sees us, but slots are closed all the same
            self._file_told.warn(str(error))


class _Forwarder:
    """The delivering thread."""

    def __init__(self, deliverers: Sequence[Deliverer], stop: threading.Event, wake: threading.Event) -> None:
        self.fault: BaseException | None = None
        self._work = deliverers, SystemClock(), stop, wake
        self.thread = threading.Thread(target=self._run, name="forwarder", daemon=True)

    def _run(self) -> None:
        try:
            deliver(*self._work)
        except BaseException as fault:
            # Signing without ever delivering would go on unseen for weeks.
            self.fault = fault
            self._work[2].set()
            log.exception("the delivery failed")


def _in_a_line(desks: Sequence[_Desk]) -> str:
    """For `systemctl status`: what a person wants to know first."""
    lines = []
    for desk in desks:
        status = desk.post.agent.status()
        trouble = status.stopped or status.slot_problem or status.read_problem or status.delivery_problem
        lines.append(f"{desk.post.name}: {trouble or 'reads and delivers'}")
    return "; ".join(lines)


def _stop_by_signal(interrupted: threading.Event) -> threading.Event:
    stop = threading.Event()

    def leave(number: int, _frame: object) -> None:
        if number == signal.SIGINT:
            interrupted.set()
        stop.set()

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    return stop
