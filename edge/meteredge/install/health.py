"""Whether the agent that was just started is well: it says so itself, and goes on saying so.

It runs as one and the same process for ten seconds, was not stopped for safety, and has read each meter since.  A meter
that did not answer before either is no fault of the new version, once that names the reason.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from meteredge.clock import Clock
from meteredge.install.errors import InstallFailed

HEALTHY_WITHIN_S = 120.0
SETTLED_S = 10.0
LOOK_EVERY_S = 2.0
Look = Callable[[], str]
"""What `meterbridge agent status --json` prints.  Raises InstallFailed."""
Status = Mapping[str, Any]


def status_now(look: Look) -> Status:
    """The agent's word, empty if none can be had."""
    try:
        said = json.loads(look())
    except (InstallFailed, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def wait_until_healthy(look: Look, before: Status, since: float, clock: Clock) -> None:
    """Return once the agent, started at `since` (UTC), is well.  Raises InstallFailed with what is wrong with it.

    `before` is what the version before said.
    """
    until = clock.monotonic() + HEALTHY_WITHIN_S
    process, seen_at = None, 0.0
    while True:
        now, status = clock.monotonic(), status_now(look)
        if status.get("pid") != process:
            process, seen_at = status.get("pid"), now
        wrong = list(_wrong(status, before, since))
        if not wrong and now - seen_at >= SETTLED_S:
            return
        if now >= until:
            raise InstallFailed("; ".join(wrong) or "the agent starts again and again")
        clock.sleep(LOOK_EVERY_S)


def _wrong(status: Status, before: Status, since: float) -> Iterator[str]:
    if not status.get("running"):
        yield f"the agent was not running {HEALTHY_WITHIN_S:.0f} s after its start"
        return
    was = {meter.get("meter_id"): meter for meter in before.get("meters", [])}
    for meter in status.get("meters", []):
        name = meter.get("meter_id")
        old = was.get(name, {})
        if meter.get("stopped") and not old.get("stopped"):
            yield f"{name}: stopped: {meter['stopped']}"
        elif (meter.get("read_at") or 0) < since and not (meter.get("read_problem") and old.get("read_problem")):
            yield f"{name}: not read since the start ({meter.get('read_problem') or 'no reason given'})"
