"""The stage of a scenario: one meter on a bus in memory, the real agent, the real programs, and virtual time.

The agent's two loops (`closing`, `delivering`) are played one after the other by the same rules: when to look, when to
try a close again, when to deliver again.  True time runs with the bus; the node's own clock may be set otherwise.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from meterchain.accounts import MeterState, Role, fetch
from meterchain.chain import TransactionFailed
from meterchain.embedded import EmbeddedChain
from meterchain.record import Record
from meterchain.units import SLOT_S, UnixTime
from meteredge.agent import Agent
from meteredge.bus import Bus
from meteredge.clock import VirtualClock
from meteredge.closing import Closer
from meteredge.delivering import Deliverer
from meteredge.journal import Row, State
from meteredge.keys import create_key
from meteredge.profiles import load
from meteredge.reader import Reader
from meteredge.signer import Signer
from meteredge.timesource import ToldTime
from meteredge.turns import ready_at
from metersim.bus.fault import Fault, Request
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.timeline import Timeline
from metersim.bus.wire import Wire
from metersim.meters.changes import Change
from metersim.meters.installation import Installation
from metersim.meters.meter import Meter, MeterPlan
from metersim.stage.cast import Part, wallet
from metersim.stage.node import Node, ledger_of, read_baseline, register, start_agent
from metersim.stage.scenarios.files import Config
from metersim.stage.scenarios.foundation import Foundation
from metersim.stage.scenarios.weather import WeatheredChain

METER_ID = "METER_001"
ENROLLED_S = 150.0
"""The meter is enrolled so long after the beginning: the slot before it is nobody's any more."""
FIRST_LOOK_S = 2.0
"""The agent starts so long after the beginning."""
AFTER_END_S = 200.0
"""The play goes on so long after the last slot's end, for late closes and deliveries."""
_SALT = 7


@dataclass(frozen=True, slots=True)
class Held:
    """What the meter held when it was asked: registers in mWh at a moment of its world."""

    utc_s: float
    serial: str
    export_mwh: int
    import_mwh: int


@dataclass
class Witness:
    """A meter, and what it held each time it was asked."""

    meter: Meter
    seen: list[Held] = field(default_factory=list)

    @property
    def unit(self) -> int:
        """The meter's."""
        return self.meter.unit

    @property
    def turnaround_s(self) -> float:
        """The meter's."""
        return self.meter.turnaround_s

    def answer(self, request: Request) -> bytes | None:
        """The meter's answer."""
        now = self.meter.at(request.utc_s)
        energy = now.moment(request.utc_s).energy_mwh
        self.seen.append(Held(request.utc_s, now.plan.serial, energy.export, energy.import_))
        return self.meter.answer(request)


@dataclass(frozen=True, slots=True)
class Signed:
    """A record that the node signed, and between which true moments it read the meter for it (Unix seconds)."""

    row: Row
    begun_s: float
    done_s: float

    @property
    def record(self) -> Record:
        """Its 96 bytes, read."""
        return Record.decode(self.row.record)


class World:
    """One play in progress.  `now` is true time; `clock` the node's."""

    def __init__(
        self,
        config: Config,
        changes: tuple[Change, ...],
        chain: EmbeddedChain,
        foundation: Foundation,
        folder: Path,
    ) -> None:
        table = config.meter
        profile = load(table.profile)
        phases = max(profile.phases)
        line = Line(table.baud, table.format)
        plan = MeterPlan(
            profile.name,
            Installation(config.seed, config.seed, phases, table.load, table.pv_peak_w),
            line,
            serial=table.serial,
            since_utc=config.begin_s,
            import_mwh=table.import_mwh,
            export_mwh=table.export_mwh,
            settings=table.settings,
            modulus_mwh=table.modulus_mwh,
            changes=changes,
        )
        self.config = config
        self.folder = folder
        self.clock = VirtualClock(config.begin_s)
        self.witness = Witness(plan.build())
        self.wire = Wire(line, [self.witness], seed=config.seed, timeline=Timeline(config.begin_s, 0.0, 1.0))
        self.bus = Bus(MemoryPort(self.wire, self.clock), self.clock)  # type: ignore[arg-type]
        self.time_source = ToldTime()
        self.home = chain
        """Where the meter is enrolled, whatever the node's RPC address leads to."""
        self.chain = WeatheredChain(chain, self.now)
        self.site, self.authority = foundation.site, foundation.authority
        self.signed: list[Signed] = []
        self.told: dict[str, None] = {}
        self.stopped = ""
        self.settled = True
        """Whether all that is credited was minted in the end."""
        self._counts: Counter[State] = Counter()
        self._acting: list[Fault] = []
        part = Part(METER_ID, Role.STUDENT, plan, table.rated_w)
        (folder / METER_ID).mkdir()
        self.node = Node(
            part,
            folder / METER_ID,
            self.bus,
            Reader(self.bus, plan.unit, profile, self.clock),
            Signer(create_key(folder / METER_ID / "meter.key")),
            wallet(config.seed, "owner"),
            wallet(config.seed, "relayer"),
        )
        self.clock.advance(ENROLLED_S)
        serial, self.baseline = read_baseline(self.node)
        self.chain.clock()
        register(self.chain, self.site, self.authority, self.node, serial, self.baseline)
        self.serial = None if serial.startswith("label:") else serial
        self.agent: Agent | None = None
        self._begin_loops()

    def now(self) -> float:
        """True time, Unix seconds."""
        return self.config.begin_s + self.clock.monotonic()

    @property
    def counts(self) -> Counter[State]:
        """Records of the present journal by state."""
        return self._counts if self.agent is None else Counter(self.agent.counts())

    # -- what events do

    def begin_fault(self, fault: Fault) -> None:
        """Let it act on the wire, after those that act already."""
        self._acting.append(fault)
        self.wire.faults = tuple(self._acting)

    def end_fault(self, fault: Fault) -> None:
        """Let it act no more."""
        self._acting = [acting for acting in self._acting if acting is not fault]
        self.wire.faults = tuple(self._acting)

    def power_off(self) -> None:
        """The node is without power: nothing runs, what was not written is gone."""
        if self.agent is not None:
            self._counts = Counter(self.agent.counts())
            self.agent.journal.close()
        self.agent = None

    def power_on(self) -> None:
        """The node starts anew, from what its files hold."""
        node = replace(self.node, reader=self._reader())
        self.agent = start_agent(self.chain, self.site, node, self.clock, self.time_source, self.config.settle_every)
        self._begin_loops()

    def another_agent(self, name: str) -> Agent:
        """A second agent with the same key and a journal of its own: a copied card."""
        folder = self.folder / name
        folder.mkdir()
        node = replace(self.node, folder=folder, reader=self._reader())
        return start_agent(self.chain, self.site, node, self.clock, self.time_source)

    def lead_astray(self, elsewhere: Foundation) -> None:
        """The node's RPC address leads to another chain, where its meter is enrolled too."""
        chain = elsewhere.raised(UnixTime(int(self.now())))
        serial = self.node.part.plan.serial
        register(chain, elsewhere.site, elsewhere.authority, self.node, serial, self.baseline)
        self.chain.inner = chain

    def warn(self, message: str, kind: object = None) -> None:  # noqa: ARG002
        """Note what the technician is told (see `told.Teller`)."""
        self.told[message.removeprefix(f"{METER_ID}: ")] = None

    def forget(self) -> None:
        """What was told once stays told."""

    def _reader(self) -> Reader:
        plan = self.node.part.plan
        return Reader(self.bus, plan.unit, load(plan.profile), self.clock, self.serial)

    # -- time

    def play_until(self, until_s: float) -> None:
        """Let the agent do what it does until `until_s` (true time)."""
        while (at_s := min(self._close_at_s, self._deliver_at_s)) < until_s:
            self._pass_to(at_s)
            if self.agent is None or self.stopped:
                break
            if self._deliver_at_s <= self._close_at_s:
                self._deliver()
            else:
                self._look()
        self._pass_to(until_s)

    def _pass_to(self, at_s: float) -> None:
        self.clock.advance(max(0.0, at_s - self.now()))

    def _begin_loops(self) -> None:
        self._deliver_at_s = self.now()
        self._close_at_s = self.now() + FIRST_LOOK_S
        if self.agent is not None:
            self._closer = Closer(METER_ID, self.agent, self.config.poll_s, self, self._closed, lambda: None)
            self._deliverer = Deliverer(METER_ID, self.agent, self, lambda: None)

    def _look(self) -> None:
        """One turn of the closing loop."""
        self._closer.take_turn(self.clock)
        monotonic = self.clock.monotonic()
        pause_s = ready_at(monotonic, self._closer.seat(), 0.0) - monotonic
        self._close_at_s = self.now() + max(pause_s, 0.001)

    def _closed(self, row: Row) -> None:
        begun_s = self.config.begin_s + (self._closer.tried_at or 0.0)
        self.signed.append(Signed(row, begun_s, self.now()))
        self._deliver_at_s = self.now()

    def _deliver(self) -> None:
        """One turn of the delivering loop."""
        self._deliverer.step(self.clock)
        self._deliver_at_s = self.config.begin_s + self._deliverer.next_at
        if stopped := self._deliverer.stopped:
            self.warn(str(stopped))
            self.stopped = stopped.code

    # -- the end

    def settle(self) -> None:
        """Mint and burn what is due, as anybody may, unless the chain refuses it."""
        state = self.state()
        if state is not None:
            self.home.set_unix_time(UnixTime(int(self.now())))
            ledger = ledger_of(self.home, self.site, self.node)
            dues = ledger.dues(state)
            if dues.mint_mwh or dues.burn_mwh:
                try:
                    ledger.settle(dues, _SALT)
                except TransactionFailed:
                    self.settled = False

    def state(self) -> MeterState | None:
        """What the chain believes about the meter."""
        return fetch(self.home, self.site.programs, MeterState, self.site.meter_state(METER_ID))

    def slot_number(self, slot: int) -> int:
        """Which slot of the play that is, from 1."""
        return (slot - self.config.begin_s) // SLOT_S + 1


@contextmanager
def raised(config: Config, changes: tuple[Change, ...], folder: Path, foundation: Foundation) -> Iterator[World]:
    """A chain with a site, the meter enrolled on it near the beginning, its agent started."""
    with ExitStack() as stack:
        chain = foundation.raised(UnixTime(config.begin_s))
        stack.callback(chain.close)
        world = World(config, changes, chain, foundation, folder)
        stack.callback(world.power_off)
        world.power_on()
        yield world
