"""What must be true when a play is over: what every scenario promises, and what this one expects."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from meterchain.audit import audit
from meterchain.record import TimeStatus
from meterchain.units import Mwh, slot_of
from meteredge.guards import rise_mwh
from meteredge.journal import State
from metersim.stage.scenarios.files import Expect
from metersim.stage.scenarios.world import Signed, World

DATED_WITHIN_S = 3.0
"""A reading that was dated afterwards was taken so near to the time that its record names."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a play ended.  `wrong`: a sentence for each thing that is not as it must be; energies in mWh."""

    signed: int
    final: int
    refused: int
    waiting: int
    credited_mwh: int
    wrong: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.wrong


def judge(world: World, expect: Expect) -> Verdict:
    """Compare.  The world's agent is still there, or has stopped."""
    counts = world.counts
    state = world.state()
    waiting = sum(counts.values()) - counts[State.FINAL] - counts[State.REFUSED]
    wrong = [*_promises(world), *_expected(world, expect, waiting)]
    return Verdict(
        len(world.signed),
        counts[State.FINAL],
        counts[State.REFUSED],
        waiting,
        0 if state is None else state.cum_export_mwh + state.cum_import_mwh,
        tuple(wrong),
    )


def _promises(world: World) -> Iterator[str]:
    """True in every play."""
    for signed in world.signed:
        if not _was_held(world, signed):
            yield f"record {signed.row.seq} was signed, and the meter did not hold it"
    slots = [signed.row.slot for signed in world.signed]
    if len(set(slots)) < len(slots):
        yield "a slot was signed twice"
    state = world.state()
    if state is not None:
        baseline = world.baseline
        modulus = world.node.part.plan.modulus_mwh or 0
        for name, credited, begun, shown in (
            ("export", state.cum_export_mwh, baseline.export_mwh, state.export_reg_mwh),
            ("import", state.cum_import_mwh, baseline.import_mwh, state.import_reg_mwh),
        ):
            grown = rise_mwh(Mwh(begun), Mwh(shown), modulus)
            if credited != grown:
                yield f"the {name} register grew by {grown} mWh and {credited} mWh are credited"
    books = audit(world.home, world.site.programs, settled=world.settled)
    for check in books.checks:
        if not check.ok:
            yield f"the audit failed: {check.name}: {check.detail}"


def _was_held(world: World, signed: Signed) -> bool:
    """Whether the enrolled meter held both registers while it was read for this record.

    A value may be rounded to the step in which it travels, so half of that is allowed.
    """
    record, allowed = signed.record, world.baseline.quantum_mwh / 2
    begun_s, done_s = signed.begun_s, signed.done_s
    if record.time_status is TimeStatus.RELATIVE:  # read long before it was signed, at the moment that it names
        begun_s, done_s = record.ts - DATED_WITHIN_S, record.ts + DATED_WITHIN_S
    held = [
        one
        for one in world.witness.seen
        if begun_s <= one.utc_s <= done_s and one.serial == world.node.part.plan.serial
    ]
    return any(abs(one.export_mwh - record.export_mwh) <= allowed for one in held) and any(
        abs(one.import_mwh - record.import_mwh) <= allowed for one in held
    )


def _expected(world: World, expect: Expect, waiting: int) -> Iterator[str]:
    """What this scenario says."""
    counts, slots = world.counts, world.config.slots
    signed = {world.slot_number(one.row.slot) for one in world.signed}
    if (missing := set(range(1, slots + 1)) - signed) != set(expect.missing):
        yield f"slots without a record: {sorted(missing)}, expected {sorted(expect.missing)}"
    wanted = slots - len(expect.missing) if expect.signed is None else expect.signed
    numbers = (
        ("signed", len(world.signed), wanted),
        ("final", counts[State.FINAL], wanted if expect.final is None else expect.final),
        ("refused", counts[State.REFUSED], expect.refused),
        ("waiting", waiting, expect.waiting),
    )
    for name, found, expected in numbers:
        if found != expected:
            yield f"{name}: {found}, expected {expected}"
    state = world.state()
    until = slots if expect.energy_until_slot is None else expect.energy_until_slot
    reached = 0 if state is None or not state.seq else world.slot_number(slot_of(state.last_ts)) - 1
    if reached != until:
        yield f"energy is credited until slot {reached}, expected {until}"
    if state is not None and state.rollovers != expect.rollovers:
        yield f"rollovers: {state.rollovers}, expected {expect.rollovers}"
    told = "\n".join(world.told)
    yield from (f"nobody was told {part!r}; told was: {told or 'nothing'}" for part in expect.told if part not in told)
    if world.stopped != expect.stopped:
        yield f"stopped: {world.stopped or 'no'}, expected {expect.stopped or 'no'}"
    status = "".join(letter for letter, _ in groupby(str(one.record.time_status) for one in world.signed))
    if expect.time_status != status and world.signed:
        yield f"time status of the records: {status}, expected {expect.time_status}"
    bus = world.bus.counts()
    yield from (f"bus: {bus[name]} {name}, expected {n} or more" for name, n in expect.bus.items() if bus[name] < n)
