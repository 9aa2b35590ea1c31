"""`agent once`: one pass over everything the agent does, with a report."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meterchain.chain import Chain
from meterchain.rpc import RpcChain
from meteredge.bus_errors import BusError
from meteredge.clock import SystemClock
from meteredge.config import load
from meteredge.journal import UnknownInstall
from meteredge.reconcile import DeliveryStopped
from meteredge.service import Station, describe
from meteredge.slots import SlotStaysOpen

OPEN, UNREACHED, REFUSED = 1, 3, 4


@dataclass(frozen=True, slots=True)
class OnceReport:
    """What `agent status` shows, and what went wrong on the way."""

    document: dict[str, Any]
    problems: tuple[str, ...]
    exit_code: int


def run_once(path: Path, connect: Callable[[str], Chain] = RpcChain) -> OnceReport:
    """Ask the chain where the meter stands, read the meter, close the slot if one is due, deliver.

    Raises ConfigError, KeyFileError, JournalError, ProfileError; all else is in the report.
    """
    config = load(path)
    chain = connect(config.chain.rpc)
    try:
        station = Station(config, chain, SystemClock())
        try:
            problems: list[tuple[int, str]] = []
            _deliver(station, problems)
            row = _read(station, problems)
            if row:
                _deliver(station, problems)
            document = describe(station, station.agent.counts())
        finally:
            station.close()
    finally:
        chain.close()
    exit_code = max((code for code, _ in problems), default=0)
    return OnceReport(document, tuple(dict.fromkeys(text for _, text in problems)), exit_code)


def _deliver(station: Station, problems: list[tuple[int, str]]) -> None:
    try:
        report = station.agent.deliver()
    except DeliveryStopped as stop:
        problems.append((REFUSED, str(stop)))
        return
    if report.problem:
        problems.append((UNREACHED, report.problem))


def _read(station: Station, problems: list[tuple[int, str]]) -> bool:
    """True if a slot was closed."""
    try:
        station.agent.read()
        return station.agent.close_due_slot() is not None
    except BusError as error:
        problems.append((UNREACHED, str(error)))
    except SlotStaysOpen as error:
        problems.append((OPEN, str(error)))
    except (UnknownInstall, DeliveryStopped):
        pass  # the delivery has said why
    return False
