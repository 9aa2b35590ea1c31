"""`agent once`, `agent final`: one pass over what the agent does for its meters, with a report."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meterchain.chain import Chain
from meterchain.rpc import RpcChain
from meteredge.agent import Agent
from meteredge.bus_errors import BusError
from meteredge.clock import SystemClock
from meteredge.config import AgentConfig, load
from meteredge.journal import UnknownInstall
from meteredge.reconcile import DeliveryStopped
from meteredge.slots import SlotStaysOpen
from meteredge.station import Station

OPEN, UNREACHED, REFUSED = 1, 3, 4
Problems = list[tuple[int, str]]
"""Exit code and sentence."""


@dataclass(frozen=True, slots=True)
class OnceReport:
    """What `agent status` shows, and what went wrong on the way."""

    document: dict[str, Any]
    problems: tuple[str, ...]
    exit_code: int


def run_once(path: Path, connect: Callable[[str], Chain] = RpcChain) -> OnceReport:
    """For each meter ask the chain where it stands, read it, close the slot if one is due, deliver.

    Raises ConfigError, KeyFileError, JournalError, ProfileError; all else is in the report.
    """
    return _run(load(path), connect, _read)


def run_final(path: Path, meter: str | None, connect: Callable[[str], Chain] = RpcChain) -> OnceReport:
    """Read the meter for the last time, sign the final record of its install, deliver.

    Raises as `run_once` does.
    """
    return _run(load(path).of(meter), connect, _sign_final)


def _run(config: AgentConfig, connect: Callable[[str], Chain], act: Callable[[Agent, Problems], bool]) -> OnceReport:
    chain = connect(config.chain.rpc)
    try:
        station = Station(config, chain, SystemClock())
        try:
            problems: Problems = []
            for post in station.posts:
                _deliver(post.agent, problems)
                if act(post.agent, problems):
                    _deliver(post.agent, problems)
            meters = [post.describe(post.agent.counts()) for post in station.posts]
            document = {**station.describe(meters), "running": None}
        finally:
            station.close()
    finally:
        chain.close()
    exit_code = max((code for code, _ in problems), default=0)
    return OnceReport(document, tuple(dict.fromkeys(text for _, text in problems)), exit_code)


def _deliver(agent: Agent, problems: Problems) -> None:
    try:
        report = agent.deliver()
    except DeliveryStopped as stop:
        problems.append((REFUSED, str(stop)))
        return
    if report.problem:
        problems.append((UNREACHED, report.problem))


def _read(agent: Agent, problems: Problems) -> bool:
    """True if a slot was closed."""

    def read() -> bool:
        agent.read()
        return agent.close_due_slot() is not None

    return _tried(read, problems)


def _sign_final(agent: Agent, problems: Problems) -> bool:
    """True if it was signed."""
    return _tried(lambda: agent.sign_final() is not None, problems)


def _tried(act: Callable[[], bool], problems: Problems) -> bool:
    try:
        return act()
    except BusError as error:
        problems.append((UNREACHED, str(error)))
    except SlotStaysOpen as error:
        problems.append((OPEN, str(error)))
    except (UnknownInstall, DeliveryStopped):
        pass  # the delivery has said why
    return False
