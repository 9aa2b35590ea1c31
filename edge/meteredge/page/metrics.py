"""`/metrics`: the snapshot for Prometheus, by prometheus-client, made anew for each scrape.

meterbridge_up                              1 while the agent answers
meterbridge_healthy                         1 while /healthz is 200
meterbridge_bus_total{kind}                 what happened on the bus since the agent started, errors by kind
meterbridge_register_mwh{meter,direction}   the registers as read last
meterbridge_power_watts{meter}
meterbridge_records{meter,state}            the journal; everything but final and refused waits
meterbridge_last_slot_seconds{meter}        start of the last slot that was signed, Unix seconds
meterbridge_clock_status{meter,status}      1 for the time status that the last record carries
meterbridge_check{meter,check}              the doctor: 0 pass or not applicable, 1 warn, 2 fail
meterbridge_made_seconds                    when this was found out, Unix seconds
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from meteredge.doctor.sheet import Verdict
from meteredge.page.snapshot import MeterView, Snapshot

_RANK = {Verdict.PASS: 0, Verdict.NOT_APPLICABLE: 0, Verdict.WARN: 1, Verdict.FAIL: 2}


def exposition(snapshot: Snapshot) -> bytes:
    """The text format, UTF-8."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(snapshot))
    return generate_latest(registry)


class _Once(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        seen = self._snapshot
        yield GaugeMetricFamily("meterbridge_up", "the agent answers", value=not seen.agent_problem)
        yield GaugeMetricFamily("meterbridge_healthy", "/healthz is 200", value=not seen.problems)
        yield GaugeMetricFamily("meterbridge_made_seconds", "when this was found out", value=seen.made_at)
        bus = CounterMetricFamily("meterbridge_bus", "what happened on the bus", labels=["kind"])
        for kind, number in seen.counts.items():
            bus.add_metric([kind], number)
        yield bus
        yield from _of_meters(seen.meters)


def _of_meters(meters: tuple[MeterView, ...]) -> Iterable[Metric]:
    registers = GaugeMetricFamily("meterbridge_register_mwh", "registers, mWh", labels=["meter", "direction"])
    power = GaugeMetricFamily("meterbridge_power_watts", "power now, W", labels=["meter"])
    records = GaugeMetricFamily("meterbridge_records", "records by state", labels=["meter", "state"])
    slot = GaugeMetricFamily("meterbridge_last_slot_seconds", "start of the last signed slot", labels=["meter"])
    clock = GaugeMetricFamily("meterbridge_clock_status", "time status of now", labels=["meter", "status"])
    check = GaugeMetricFamily("meterbridge_check", "0 pass, 1 warn, 2 fail", labels=["meter", "check"])
    for meter in meters:
        said = meter.said
        for direction in ("export", "import"):
            if said.get(f"{direction}_mwh") is not None:
                registers.add_metric([meter.meter_id, direction], said[f"{direction}_mwh"])
        if said.get("power_w") is not None:
            power.add_metric([meter.meter_id], said["power_w"])
        for state, number in meter.records.items():
            records.add_metric([meter.meter_id, state], number)
        if said.get("last_slot"):
            slot.add_metric([meter.meter_id], said["last_slot"])
        if said.get("time_status"):
            clock.add_metric([meter.meter_id, said["time_status"]], 1)
        for line in meter.sheet.checks if meter.sheet else ():
            check.add_metric([meter.meter_id, f"{line.section}.{line.name}"], _RANK[line.verdict])
    return registers, power, records, slot, clock, check
