"""The demo: a campus at midday, from frames on RS-485 buses to GRID in wallets, in a minute instead of an hour.

Nothing in it is a stand-in: meters answer Modbus RTU on pseudo-terminals (or one real meter on a real port), agents
read, sign, journal and deliver, the programs verify each meter's signature and mint, owners trade what was measured,
the keeper settles.  Only the slots' clock is faster.
"""

import tempfile
import time
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from meterchain.audit import Audit
from meterchain.audit_events import audit
from meterchain.history import Archive
from meterchain.market.amounts import Scale
from meterchain.units import SLOT_S
from meteredge.forwarder import Sent
from meteredge.journal import State
from metersim.bus.line import Line
from metersim.stage.cast import Part, cast
from metersim.stage.costs import compute_units
from metersim.stage.show import Show
from metersim.stage.site import AFTER_EDGE_S, Stage, raised
from metersim.stage.trading import EpochResult, Exchange, open_market

NOON = 1_782_043_200
"""2026-06-21T12:00:00Z: the slice of the day lies around it."""
SUBMIT = "submit_meter_data"


@dataclass(frozen=True, slots=True)
class RealMeter:
    """A meter on a port of this machine, instead of a simulated one."""

    port: str
    profile: str
    unit: int
    line: Line


@dataclass(frozen=True, slots=True)
class Options:
    """What to play."""

    meters: int = 15
    slots: int = 4
    seed: int = 1
    real: RealMeter | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """Records by fate; energy as the chain credited it (mWh), GRID in atoms."""

    signed: int = 0
    final: int = 0
    refused: int = 0
    export_mwh: int = 0
    import_mwh: int = 0
    minted_atoms: int = 0
    burned_atoms: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class MeterResult:
    """One meter at the end: what it is, its registers (mWh) as last accepted, what became of its records."""

    meter_id: str
    profile: str
    owner: str
    export_register_mwh: int
    import_register_mwh: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that is told at the end.  `compute_units` are those of each submit_meter_data; `market` writes amounts."""

    options: Options
    chain: str
    meters: tuple[MeterResult, ...]
    audit: Audit
    compute_units: tuple[int, ...]
    fees_lamports: int
    wall_s: float
    epochs: tuple[EpochResult, ...] = ()
    market: Scale | None = None

    @property
    def totals(self) -> Sums:
        """All meters together."""
        return sum((meter.sums for meter in self.meters), Sums())

    def document(self) -> dict[str, object]:
        """What `--json` prints (schema 1)."""
        return {
            "schema": 1,
            "seed": self.options.seed,
            "chain": self.chain,
            "meters": [{"id": meter.meter_id, **_numbers(meter.sums)} for meter in self.meters],
            "totals": _numbers(self.totals),
            "epochs": [
                {
                    "epoch": each.epoch,
                    "price": each.price,
                    "volume_wh": each.volume_wh,
                    "orders": each.orders,
                    "settled": each.settled,
                }
                for each in self.epochs
            ],
            "audit": {
                "ok": self.audit.ok,
                "checks": [{"name": check.name, "ok": check.ok} for check in self.audit.checks],
            },
            "cu": {SUBMIT: {"n": len(self.compute_units), "max": max(self.compute_units, default=0)}},
            "fees_lamports": self.fees_lamports,
            "wall_s": round(self.wall_s, 3),
        }


def play(options: Options, show: Show) -> Outcome:
    """Raise the site, let the slots pass, settle, audit.  Raises BusError, BusGone, ChainError, JournalError."""
    started = time.monotonic()
    begin = NOON - options.slots // 2 * SLOT_S
    parts = cast(options.meters, options.seed, begin)
    if options.real:
        parts = (_real_part(parts[0], options.real),)
    with (
        tempfile.TemporaryDirectory(prefix="meterbridge-demo-") as folder,
        raised(
            parts,
            seed=options.seed,
            begin_utc=begin,
            folder=Path(folder),
            port=options.real.port if options.real else None,
            show=show,
        ) as stage,
    ):
        exchange = open_market(stage, options.seed, show)
        for number in range(options.slots):
            _slot(stage, exchange, begin + number * SLOT_S, show)
        show.scene("The last epoch ends: clear, settle, pay out", 1)
        stage.go_to(begin + (options.slots + 1) * SLOT_S + AFTER_EDGE_S)
        exchange.clear()
        stage.settle()
        show.step("done")
        show.scene("Auditing the chain's accounts and events", 1)
        programs = stage.site.programs
        books = audit(stage.chain, programs, Archive(stage.chain, programs), settled=True)
        show.step("done")
        sent = [sent for reports in stage.reports.values() for report in reports for sent in report.transactions]
        return Outcome(
            options,
            stage.chain.name,
            _results(stage, books),
            books,
            _units(stage, sent),
            sum(one.receipt.fee for one in sent) + sum(receipt.fee for receipt in stage.settled),
            time.monotonic() - started,
            exchange.results(),
            exchange.scale,
        )


def _slot(stage: Stage, exchange: Exchange, slot: int, show: Show) -> None:
    """One slot ends: the epoch before is settled; every meter is read, signed for, delivered; its owner orders."""
    stage.go_to(slot + SLOT_S + AFTER_EDGE_S)
    first, last = (datetime.fromtimestamp(at, UTC).strftime("%H:%M") for at in (slot, slot + SLOT_S))
    show.scene(f"Slot {first}-{last}: read, sign, deliver, trade", 3 * len(stage.nodes))
    exchange.clear()
    stage.close_slots(show)
    stage.deliver(show)
    stage.settle()
    exchange.order(slot, show)


def _results(stage: Stage, books: Audit) -> tuple[MeterResult, ...]:
    lines = {line.meter_id: line for line in books.meters}
    results = []
    for node, agent in zip(stage.nodes, stage.agents, strict=True):
        counts, line, state = agent.counts(), lines[node.meter_id], stage.state(node)
        sums = Sums(
            sum(counts.values()),
            counts[State.FINAL],
            counts[State.REFUSED],
            line.export_mwh,
            line.import_mwh,
            line.minted_atoms,
            line.burned_atoms,
        )
        results.append(
            MeterResult(
                node.meter_id,
                node.part.plan.profile,
                node.part.role.name.lower(),
                state.export_reg_mwh,
                state.import_reg_mwh,
                sums,
            )
        )
    return tuple(results)


def _units(stage: Stage, sent: list[Sent]) -> tuple[int, ...]:
    oracle = stage.site.programs.id("oracle")
    return tuple(compute_units(one.receipt, oracle) for one in sent if one.instruction == SUBMIT)


def _real_part(part: Part, real: RealMeter) -> Part:
    """The first part, with a meter that is really there."""
    return replace(part, plan=replace(part.plan, profile=real.profile, unit=real.unit, line=real.line))


def _numbers(sums: Sums) -> dict[str, int]:
    return {entry.name: getattr(sums, entry.name) for entry in fields(sums)}
