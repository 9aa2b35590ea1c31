"""The checks, in the order of the sheet.  Each is a pure function of the facts and gives one line."""

from collections.abc import Callable

from meteredge.doctor.checks import chain, clock, direction, host, journal, key, meter, port, wire
from meteredge.doctor.facts import Facts
from meteredge.doctor.sheet import Check, Sheet

CHECKS: tuple[Callable[[Facts], Check], ...] = (
    port.opens,
    port.permissions,
    port.owner,
    port.naming,
    port.latency,
    port.meddlers,
    wire.wiring,
    wire.echo,
    wire.bias,
    wire.second_master,
    wire.bridge,
    meter.answers,
    meter.serial,
    meter.mode,
    meter.phases,
    meter.certainty,
    direction.direction,
    clock.synchronised,
    clock.against_chain,
    clock.without_power,
    key.usable,
    key.level,
    key.matches_registry,
    chain.reachable,
    chain.site,
    chain.registration,
    chain.deliveries,
    chain.fees,
    journal.depth,
    journal.last_record,
    journal.agent,
    host.disk,
    host.supply,
    host.versions,
)


def judge(facts: Facts) -> Sheet:
    """The sheet of these facts."""
    return Sheet(facts.meter_id, facts.now, tuple(check(facts) for check in CHECKS))
