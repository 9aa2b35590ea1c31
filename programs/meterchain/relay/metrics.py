"""The relay's `/metrics` (named in `watching`): Prometheus text by prometheus-client, in a registry of its own."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from meterchain.relay.delivery import Turn
from meterchain.relay.running import Intake

_PREFIX = "meterbridge_relay"


@dataclass(frozen=True, slots=True)
class Metrics:
    """The instruments of one relay."""

    registry: CollectorRegistry
    records: Counter
    waiting: Gauge
    broker: Gauge
    fees: Counter
    payer: Gauge
    dropped: Gauge

    def note(self, turn: Turn, intake: Intake) -> None:
        """What a turn came to."""
        self.records.labels("delivered").inc(sum(map(len, turn.delivered.values())))
        self.records.labels("refused").inc(len(turn.refused))
        self.records.labels("strange").inc(turn.not_ours)
        self.waiting.set(turn.waiting)
        self.broker.set(intake.problem is None)
        self.fees.inc(turn.fees_lamports)
        self.dropped.set(intake.dropped)


def instruments() -> Metrics:
    """A fresh set in a registry of its own."""
    registry = CollectorRegistry()
    return Metrics(
        registry,
        records=Counter(f"{_PREFIX}_records", "records by what came of them", ["outcome"], registry=registry),
        waiting=Gauge(f"{_PREFIX}_waiting_records", "records held for delivery", registry=registry),
        broker=Gauge(f"{_PREFIX}_broker_up", "1 while the subscription stands", registry=registry),
        fees=Counter(f"{_PREFIX}_fees_lamports", "fees paid, lamports", registry=registry),
        payer=Gauge(f"{_PREFIX}_payer_lamports", "what the payer holds", registry=registry),
        dropped=Gauge(f"{_PREFIX}_dropped_messages", "messages that found the queue full", registry=registry),
    )
