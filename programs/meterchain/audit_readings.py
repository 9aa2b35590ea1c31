"""The audit of the readings themselves: each was signed by its meter's own key, and says the energy that was credited.

Accounts and events are what an RPC says of them.  A signature is not: the record in each delivery is checked here
against the keys that the registry gave the meter, and the energy is made again from the registers in the records.  An
RPC that invents a reading needs a meter's key; one that invents the key as well shows another than the node has, so the
keys stand in the report.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from meterchain.accounts import Meter, MeterKind
from meterchain.check import Check
from meterchain.history import Past
from meterchain.idl import Event
from meterchain.readings import Reading
from meterchain.record import Record, RecordError

_FEW = 3


@dataclass(frozen=True, slots=True)
class Tenure:
    """From one slot to another this key signed for this install; both ends count, a slot holds many transactions."""

    key: Pubkey
    install: int
    since: int
    until: int | None = None

    def covers(self, slot: int) -> bool:
        """True if the key was the meter's in that slot."""
        return self.since <= slot and (self.until is None or slot <= self.until)


@dataclass
class Ledger:
    """One meter's keys by the registry's events, and its registers by its records."""

    tenures: list[Tenure] = field(default_factory=list)
    baselines: dict[int, tuple[int, int]] = field(default_factory=dict)
    moduli: set[int] = field(default_factory=set)
    install: int = 0
    registers: tuple[int, int] = (0, 0)
    readings: int = 0
    wrong: list[str] = field(default_factory=list)


def unassigned(past: Past, meters: Sequence[Meter]) -> list[str]:
    """Meters whose assignment is not among the registry's events."""
    told = {event.fields["meter_no"] for _, event in past.registry if event.name == "MeterAssigned"}
    return [meter.meter_id for meter in meters if meter.meter_no not in told]


def checks(past: Past, domain: bytes, meters: Sequence[Meter]) -> Iterator[Check]:
    """One for each meter, and one for what belongs to none."""
    ledgers: dict[int, Ledger] = defaultdict(Ledger)
    for slot, event in past.registry:
        _register(ledgers, slot, event)
    numbers = {meter.meter_id: meter for meter in meters}
    lost = 0
    for delivery in past.deliveries:
        lost += abs(len(delivery.readings) - len(delivery.events))
        for reading, event in zip(delivery.readings, delivery.events, strict=False):
            try:
                record = Record.decode(reading.record)
            except RecordError:
                lost += 1
                continue
            meter = numbers.get(record.meter_id)
            if meter is None or record.domain != domain or event.fields["meter_no"] != meter.meter_no:
                lost += 1
            else:
                _follow(ledgers[meter.meter_no], meter, delivery.slot, reading, record, event)
    yield Check(
        "every accepted reading lies in its transaction, and the other way round",
        not lost,
        f"{lost} do not" if lost else f"{sum(ledger.readings for ledger in ledgers.values())} readings",
    )
    yield from (_of_meter(meter, ledgers[meter.meter_no]) for meter in sorted(meters, key=lambda m: m.meter_id))


def _register(ledgers: dict[int, Ledger], slot: int, event: Event) -> None:
    fields = event.fields
    if event.name == "MeterLimitsChanged":
        ledgers[fields["meter_no"]].moduli |= {fields["old_register_modulus_mwh"], fields["new_register_modulus_mwh"]}
        return
    if event.name not in ("MeterAssigned", "MeterKeyRotated", "MeterReplaced", "MeterRebaseOrdered"):
        return
    ledger, install = ledgers[fields["meter_no"]], fields["install_id"]
    key = fields.get("meter_key") or fields.get("new_key") or ledger.tenures[-1].key
    if ledger.tenures:
        last = ledger.tenures.pop()
        ledger.tenures.append(Tenure(last.key, last.install, last.since, slot))
    ledger.tenures.append(Tenure(key, install, slot))
    if event.name != "MeterKeyRotated":
        ledger.baselines[install] = (fields["baseline_export_mwh"], fields["baseline_import_mwh"])


def _follow(ledger: Ledger, meter: Meter, slot: int, reading: Reading, record: Record, event: Event) -> None:
    """One reading in its turn."""
    what = f"reading {record.seq} of install {record.install_id} (slot {slot})"
    known = [each for each in ledger.tenures if each.install == record.install_id and each.covers(slot)]
    if reading.key is None:
        ledger.wrong.append(f"{what} is signed by nobody")
    elif reading.key not in {each.key for each in known}:
        ledger.wrong.append(f"{what} is signed by {reading.key}, which was not its key")
    if event.name == "ReadingDuplicate":
        return
    ledger.readings += 1
    if ledger.install != record.install_id:
        ledger.install, ledger.registers = record.install_id, ledger.baselines.get(record.install_id, (0, 0))
    said = (record.seq, record.epoch, record.ts)
    if said != tuple(event.fields[name] for name in ("seq", "epoch", "ts")):
        ledger.wrong.append(f"{what} was announced with another number or time")
    shown = (int(record.export_mwh), int(record.import_mwh))
    moduli = ledger.moduli | {int(meter.register_modulus_mwh)}
    counts = (meter.kind is not MeterKind.CONSUMPTION_ONLY, meter.kind is not MeterKind.GENERATION_ONLY)
    credited = (event.fields["d_export"], event.fields["d_import"])
    for before, now, counted, energy, which in zip(
        ledger.registers, shown, counts, credited, ("export", "import"), strict=True
    ):
        gains = {now - before} if now >= before else {modulus - before + now for modulus in moduli}
        if energy not in (gains if counted else {0}):
            ledger.wrong.append(f"{what}: {which} {before} to {now} mWh, and {energy} credited")
    ledger.registers = shown


def _of_meter(meter: Meter, ledger: Ledger) -> Check:
    wrong = ledger.wrong[:_FEW]
    if len(ledger.wrong) > _FEW:
        wrong.append(f"and {len(ledger.wrong) - _FEW} more")
    now = ledger.tenures[-1] if ledger.tenures else None
    if now is None or (now.key, now.install) != (meter.meter_key, meter.install_id):
        wrong.append("its key or install is not what the registry's events say")
    keys = list(dict.fromkeys(str(each.key) for each in ledger.tenures))
    fine = f"{ledger.readings} signatures by {' then '.join(keys)}"
    return Check(
        f"{meter.meter_id}: its key signed each reading, its registers make the energy",
        not wrong,
        "; ".join(wrong) or fine,
    )
