"""A whole site on stage: embedded chain, users, meters, buses and agents, and a clock that jumps from slot to slot.

    with raised(cast(15, seed=1, since_utc=begin), seed=1, begin_utc=begin, folder=folder) as stage:
        stage.go_to(begin + 900 + SETTLE_S)
        stage.close_slots()
        stage.deliver()

The wires keep real time, slots and meters virtual time; the chain's clock follows the slots'.  Meters are read in
parallel, everything that touches the chain happens in the calling thread.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from solders.keypair import Keypair

from meterchain import programs as built
from meterchain import site as chain_site
from meterchain.accounts import MeterState, fetch
from meterchain.chain import Receipt
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.site import Site, SiteSettings
from meterchain.units import Lamports, UnixTime
from meteredge.agent import Agent
from meteredge.bus_errors import BusError
from meteredge.clock import Clock, SystemClock, VirtualClock
from meteredge.forwarder import DeliveryReport
from meteredge.journal import Row
from meteredge.timesource import ToldTime
from metersim.bus import running
from metersim.bus.loop import SegmentPlan
from metersim.bus.running import RunningBuses
from metersim.stage.cast import Part, wallet
from metersim.stage.node import Node, ledger_of, open_node, read_baseline, register, start_agent
from metersim.stage.show import Show, Silent

AFTER_EDGE_S = 5
"""Slots are closed so long after their end."""
TRIES = 11
"""How often a meter is asked before the play stops: as often as an agent does within a slot's close, 110 s long."""
SITE_NAME = "metersim stage"
GRAIN_S = 0.004
"""The adapters on stage hand characters over so late: fifteen buses then cost little."""
_TREASURY = Lamports(1_000_000_000_000)
Done = TypeVar("Done")


@dataclass
class Stage:
    """A raised site.  `reports` are all deliveries so far, by meter; `settled` the receipts of `settle`."""

    chain: EmbeddedChain
    site: Site
    authority: Keypair
    nodes: tuple[Node, ...]
    agents: tuple[Agent, ...]
    clocks: tuple[VirtualClock, ...]
    buses: RunningBuses | None
    reports: dict[str, list[DeliveryReport]] = field(default_factory=dict)
    settled: list[Receipt] = field(default_factory=list)

    def go_to(self, utc_s: float) -> None:
        """Jump forward to `utc_s` (Unix seconds) with meters, slots and chain."""
        for clock in self.clocks:
            clock.advance(utc_s - clock.utc())
        self.chain.set_unix_time(UnixTime(int(utc_s)))
        if self.buses:
            self.buses.set_time(utc_s)

    def close_slots(self, show: Show | None = None) -> list[Row | None]:
        """Let every agent close the slot that is due, all at once; their records, in the order of the nodes.

        Raises what Agent.close_due_slot raises; a bus that fails is asked again, as a running agent does.
        """
        return at_once(
            [
                (node.meter_id, again_if_unheard(agent.close_due_slot))
                for node, agent in zip(self.nodes, self.agents, strict=True)
            ],
            show or Silent(),
        )

    def deliver(self, show: Show | None = None) -> list[DeliveryReport]:
        """Let every agent deliver, one after the other.  Raises what Agent.deliver raises."""
        reports = []
        for node, agent in zip(self.nodes, self.agents, strict=True):
            report = agent.deliver()
            self.reports.setdefault(node.meter_id, []).append(report)
            reports.append(report)
            (show or Silent()).step(node.meter_id)
        return reports

    def settle(self) -> None:
        """Mint and burn for every meter what is still due; anybody may.  Raises TransactionFailed."""
        for salt, node in enumerate(self.nodes):
            ledger = ledger_of(self.chain, self.site, node)
            state = self.state(node)
            dues = ledger.dues(state)
            if dues.mint_mwh or dues.burn_mwh:
                self.settled.append(ledger.settle(dues, salt))

    def state(self, node: Node) -> MeterState:
        """What the chain believes about a node's meter.  Raises SiteError if it has no account yet."""
        state = fetch(self.chain, self.site.programs, MeterState, self.site.meter_state(node.meter_id))
        if state is None:
            raise chain_site.SiteError(f"{node.meter_id} has no account at the oracle yet: let its agent deliver once")
        return state


@contextmanager
def raised(
    parts: Sequence[Part],
    *,
    seed: int,
    begin_utc: float,
    folder: Path,
    port: str | None = None,
    show: Show | None = None,
    bus_clock: Clock | None = None,
) -> Iterator[Stage]:
    """Raise a site at `begin_utc` (Unix seconds, the start of a slot); every agent is enrolled and ready for its slot.

    `folder` gets keys and journals.  With `port` the only part is a real meter there; without, each part's meter is
    simulated on a bus of its own.  Raises BusError, BusGone, ChainError, JournalError.
    """
    show = show or Silent()
    with ExitStack() as stack:
        buses = None if port else stack.enter_context(running.in_process([_segment(part) for part in parts]))
        if buses:
            buses.set_time(begin_utc)
        ports = buses.ports if buses else [port or ""]
        clock = bus_clock or SystemClock()
        nodes = tuple(
            _closing(stack, open_node(part, path, folder / part.meter_id, seed, clock))
            for part, path in zip(parts, ports, strict=True)
        )
        chain = EmbeddedChain(UnixTime(int(begin_utc)), remembers=True)
        stack.callback(chain.close)
        authority = wallet(seed, "department")
        site = _found(chain, built.load(), authority, show)
        show.scene("Reading serial numbers and registers", len(nodes))
        baselines = at_once([(node.meter_id, again_if_unheard(partial(read_baseline, node))) for node in nodes], show)
        show.scene("Registering owners, assigning meters", len(nodes))
        for node, (serial, baseline) in zip(nodes, baselines, strict=True):
            register(chain, site, authority, node, serial, baseline)
            show.step(node.meter_id)
        clocks = tuple(VirtualClock(begin_utc) for _ in nodes)
        agents = tuple(start_agent(chain, site, node, at, ToldTime()) for node, at in zip(nodes, clocks, strict=True))
        for agent in agents:
            stack.callback(agent.journal.close)
        stage = Stage(chain, site, authority, nodes, agents, clocks, buses)
        stage.deliver()
        yield stage


def at_once(jobs: Sequence[tuple[str, Callable[[], Done]]], show: Show) -> list[Done]:
    """Run named jobs in threads of their own; their results in order.  Raises the first error once all have ended."""
    with ThreadPoolExecutor(max_workers=len(jobs)) as pool:
        futures = {pool.submit(job): name for name, job in jobs}
        for future in as_completed(futures):
            show.step(futures[future])
        return [future.result() for future in futures]


def again_if_unheard(ask: Callable[[], Done], tries: int = TRIES) -> Callable[[], Done]:
    """`ask`, repeated when the bus fails; the last failure is raised."""

    def asked() -> Done:
        for _ in range(tries - 1):
            try:
                return ask()
            except BusError:
                continue
        return ask()

    return asked


def _segment(part: Part) -> SegmentPlan:
    return SegmentPlan(part.plan.line, (part.plan,), seed=part.plan.installation.seed, grain_s=GRAIN_S)


def _closing(stack: ExitStack, node: Node) -> Node:
    stack.callback(node.bus.close)
    return node


def _found(chain: EmbeddedChain, programs: Programs, authority: Keypair, show: Show) -> Site:
    """Deploy and initialise everything."""
    chain.airdrop(authority.pubkey(), _TREASURY)
    names = list(programs)
    show.scene("Deploying programs (upgradeable loader)", len(names) + 1)
    for name in names:
        chain_site.deploy_programs(
            chain, Programs({name: programs[name]}, programs.artifacts), payer=authority, authority=authority
        )
        show.step(name)
    site = chain_site.initialise(chain, programs, SiteSettings(SITE_NAME), authority)
    show.step("initialised")
    return site
