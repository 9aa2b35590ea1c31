"""The keeper's `/metrics`: Prometheus text by prometheus-client, in a registry of its own.

meterbridge_keeper_alarm{kind,about}           1 while the alarm stands
meterbridge_keeper_epoch_late_seconds          how far the oldest unfinished epoch is behind
meterbridge_keeper_book_orders{book}           orders in each book, cancelled ones too
meterbridge_keeper_last_settled_epoch          start of the last settled epoch, Unix seconds
meterbridge_keeper_last_price                  quote atoms per kWh
meterbridge_keeper_payer_lamports              what the payer holds
meterbridge_keeper_meter_heard_seconds{meter}  chain time of the meter's last accepted record
meterbridge_keeper_last_look_seconds           chain time of the last look
meterbridge_keeper_transactions_total{what,outcome}, meterbridge_keeper_fees_lamports_total, …_unreachable_total
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from meterchain.keeper import Turn
from meterchain.keeper_alarms import KINDS, Alarm, Heard
from meterchain.keeper_plan import late_by
from meterchain.units import Lamports

_PREFIX = "meterbridge_keeper"


@dataclass(frozen=True, slots=True)
class Metrics:
    """The instruments of one keeper."""

    registry: CollectorRegistry
    alarm: Gauge
    late: Gauge
    orders: Gauge
    last_epoch: Gauge
    last_price: Gauge
    payer: Gauge
    heard: Gauge
    last_look: Gauge
    transactions: Counter
    fees: Counter
    unreachable: Counter

    def note_turn(self, turn: Turn) -> None:
        """What was sent, and where the books stand."""
        for done in turn.done:
            self.transactions.labels(done.action.name, "done").inc()
            self.fees.inc(done.fee)
        for refused in turn.refused:
            self.transactions.labels(refused.action.name, "refused").inc()
        market = turn.state.market
        for book in (0, 1):
            self.orders.labels(str(book)).set(turn.state.rows[book])
        self.last_epoch.set(market.last_settled_epoch)
        self.last_price.set(market.last_price)
        self.late.set(late_by(turn.state, turn.now))
        self.last_look.set(turn.now)

    def note_alarms(self, standing: Sequence[Alarm], heard: Sequence[Heard], balance: Lamports) -> None:
        """What is wrong now; what is no longer wrong disappears."""
        self.alarm.clear()
        for kind in KINDS:
            self.alarm.labels(kind, "").set(0)
        for each in standing:
            self.alarm.labels(each.kind, each.about).set(1)
        self.heard.clear()
        for meter in heard:
            self.heard.labels(meter.meter_id).set(meter.at)
        self.payer.set(balance)

    def note_unreachable(self) -> None:
        """The chain did not answer."""
        self.unreachable.inc()

    def text(self) -> str:
        """The exposition, as `/metrics` serves it."""
        return generate_latest(self.registry).decode()


def instruments() -> Metrics:
    """A fresh set in a registry of its own."""
    registry = CollectorRegistry()

    def gauge(name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", about, labels, registry=registry)

    def counter(name: str, about: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", about, labels, registry=registry)

    return Metrics(
        registry,
        alarm=gauge("alarm", "1 while the alarm stands", "kind", "about"),
        late=gauge("epoch_late_seconds", "how far the oldest unfinished epoch is behind"),
        orders=gauge("book_orders", "orders in each book, cancelled ones too", "book"),
        last_epoch=gauge("last_settled_epoch", "start of the last settled epoch, Unix seconds"),
        last_price=gauge("last_price", "quote atoms per kWh of the last epoch that traded"),
        payer=gauge("payer_lamports", "what the payer holds"),
        heard=gauge("meter_heard_seconds", "chain time of the meter's last accepted record", "meter"),
        last_look=gauge("last_look_seconds", "chain time of the last look"),
        transactions=counter("transactions", "transactions by what they do and what came of them", "what", "outcome"),
        fees=counter("fees_lamports", "fees paid, lamports"),
        unreachable=counter("unreachable", "looks that the chain did not answer"),
    )
