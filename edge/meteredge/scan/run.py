"""One scan of a real port, from opening it to the report."""

from collections.abc import Callable
from typing import Literal

from meteredge.clock import Clock
from meteredge.port import RtuPort
from meteredge.scan.identify import identify
from meteredge.scan.plan import EVERYTHING, Setting, Wanted, known_profiles
from meteredge.scan.report import ScanReport
from meteredge.scan.search import RESPONSE_S, Answering, OpenPort, Progress, Search

Depth = Literal["quick", "usual", "all"]


def ports_of(spec: str, clock: Clock) -> OpenPort:
    """Opens the port that `spec` names, as the agent does."""

    def open_port(setting: Setting) -> RtuPort:
        return RtuPort(spec, setting.baud, setting.framing, clock)

    return open_port  # type: ignore[return-value]


def run_scan(
    port: str,
    open_port: OpenPort,
    clock: Clock,
    wanted: Wanted = EVERYTHING,
    *,
    depth: Depth = "usual",
    response_s: float = RESPONSE_S,
    progress: Progress = lambda _what, _done, _most: None,
    found: Callable[[Answering], None] = lambda _answering: None,
) -> ScanReport:
    """Search and identify.  Ctrl-C ends it with what is known by then.  Raises BusError."""
    profiles = known_profiles()
    search = Search(
        open_port, clock, profiles, wanted, response_s=response_s, depth=depth, progress=progress
    )  # fmt: skip
    stopped = False
    try:
        for answering in search.events():
            found(answering)
    except KeyboardInterrupt:
        stopped = True
    devices = []
    if not stopped:
        for number, answering in enumerate(search.found.answering):
            progress(f"which meter is unit {answering.unit}?", number, len(search.found.answering))
            devices.append(identify(answering, open_port, clock, profiles))
    return ScanReport(port, tuple(devices), search.found, stopped)
