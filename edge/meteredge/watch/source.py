"""Looks at one node for `watch`: the agent over its socket, the meter through the agent's bus, now and then the chain.

The agent comes first: while slots are closed the meter is not asked, and the values are those that the agent read.
"""

from collections.abc import Callable, Mapping
from typing import Any

from meterchain.chain import Chain
from meterchain.units import SLOT_S
from meteredge.agent_bus import AgentPort
from meteredge.bridge_watch import PROFILE as BRIDGE
from meteredge.bridge_watch import BridgeWatch
from meteredge.bus_errors import BusError
from meteredge.clock import Clock
from meteredge.config import AgentConfig
from meteredge.doctor.facts import ChainFacts, Unknown
from meteredge.doctor.gather.agent import meter_of
from meteredge.doctor.gather.chain import chain_facts
from meteredge.doctor.gather.node import journal_facts, relayer_address
from meteredge.meter_port import reader_of
from meteredge.profiles import load
from meteredge.reader import Reader, Reading
from meteredge.socket_client import AgentBusy, AgentError, AgentSocket, SharedBus
from meteredge.socket_protocol import Status
from meteredge.watch.snapshot import BRIDGE_WELL, Live, OnChain, Snapshot

CHAIN_EVERY_S = 60.0


class _NowBus(SharedBus):
    """The agent's bus for whoever does not wait."""

    def __init__(self, agent: AgentSocket, port: AgentPort) -> None:
        super().__init__(agent)
        self.port = port

    def distrust(self) -> None:
        """Nothing to do: the agent's bus guards itself."""


class NodeSource:
    """One node; `look` may block for a second or two, so a screen calls it from a thread."""

    def __init__(self, config: AgentConfig, clock: Clock, connect: Callable[[str], Chain]) -> None:
        """Raises ProfileError."""
        self._config = config
        self._clock = clock
        self._connect = connect
        self._agent = AgentSocket(config.socket_path)
        self._profile = load(config.meter.profile)
        self._reader: Reader | None = None
        self._chain: OnChain | None = None
        self._chain_problem: str | None = None
        self._look_at_chain_after = 0.0

    def look(self) -> Snapshot:
        """What is the case now.  Never raises for what a node can have wrong: that is a problem in the snapshot."""
        self._look_at_chain()
        problems = [self._chain_problem] if self._chain_problem else []
        try:
            status = self._agent.ask(Status())
        except AgentError as error:
            return self._without_agent([str(error), *problems])
        said = meter_of(status, self._config.meter.id)
        try:
            live = self._live(status, said)
        except (AgentError, BusError) as error:
            problems.insert(0, str(error))
            live = _said_live(said)
        bridge = self._look_at_bridge(status)
        told = [said.get(name) for name in ("stopped", "slot_problem", "delivery_problem")]
        told.append(said.get("bridge") if bridge is None else bridge if bridge != BRIDGE_WELL else None)
        bus = status.get("bus") or {}
        return Snapshot(
            meter_id=self._config.meter.id,
            at=self._clock.utc(),
            running=True,
            timezone=self._config.site.timezone,
            pid=status.get("pid"),
            live=live,
            last_slot=said.get("last_slot"),
            bus=bus.get("counts", {}),
            port=bus.get("port"),
            settings=f"{bus.get('baud')} {bus.get('framing')}",
            records={state: number for state, number in (said.get("records") or {}).items() if number},
            delivered_at=said.get("delivered_at"),
            chain_ahead_s=said.get("chain_ahead_s"),
            chain=self._chain,
            bridge=bridge,
            problems=_each_once([text for text in told if text] + problems),
        )

    def close(self) -> None:
        """Hang up."""
        self._agent.close()

    def _live(self, status: Mapping[str, Any], said: Mapping[str, Any]) -> Live | None:
        """Read the meter now; while the bus is the agent's alone, what it read last."""
        if self._reader is None:
            bus = self._bus_of(status)
            self._reader = reader_of(bus, self._config.meter, self._profile, self._clock)
        try:
            return _live(self._reader.read())
        except AgentBusy:
            return _said_live(said)

    def _look_at_bridge(self, status: Mapping[str, Any]) -> str | None:
        """Ask the bridge, which says how long ago things were: a slot's length is looked back at."""
        if self._config.bridge is None:
            return None
        bridge = BridgeWatch(self._bus_of(status), self._config.bridge.unit, load(BRIDGE))
        try:
            return bridge.look(SLOT_S).note or BRIDGE_WELL
        except AgentBusy:
            return None
        except (AgentError, BusError) as error:
            return f"the bridge does not answer: {error}"

    def _bus_of(self, status: Mapping[str, Any]) -> _NowBus:
        return _NowBus(self._agent, AgentPort(int((status.get("bus") or {}).get("baud") or 9_600)))

    def _without_agent(self, problems: list[str]) -> Snapshot:
        journal = journal_facts(self._config.journal_path)
        if isinstance(journal, Unknown):
            problems.append(journal.why)
        return Snapshot(
            meter_id=self._config.meter.id,
            at=self._clock.utc(),
            running=False,
            timezone=self._config.site.timezone,
            port=self._config.bus.port,
            records={} if journal is None or isinstance(journal, Unknown) else journal.records,
            chain=self._chain,
            problems=tuple(problems),
        )

    def _look_at_chain(self) -> None:
        if self._clock.monotonic() < self._look_at_chain_after:
            return
        self._look_at_chain_after = self._clock.monotonic() + CHAIN_EVERY_S
        facts, _ = chain_facts(self._config, relayer_address(self._config), self._clock, self._connect)
        if isinstance(facts, Unknown):
            self._chain_problem = facts.why
            return
        self._chain_problem = None
        self._chain = _on_chain(facts, self._clock.utc())


def _each_once(problems: list[str]) -> tuple[str, ...]:
    """Without those that another one contains."""
    unique = list(dict.fromkeys(problems))
    return tuple(text for text in unique if not any(text in other for other in unique if other is not text))


def _on_chain(facts: ChainFacts, at: float) -> OnChain:
    known = not isinstance(facts.relayer, Unknown) and facts.lamports_a_day > 0
    return OnChain(
        host=facts.host,
        looked_at=at,
        seq=facts.account.seq if facts.account else None,
        last_ts=facts.account.last_ts if facts.account and facts.account.seq else None,
        status=facts.meter.status if facts.meter else None,
        fee_days=facts.relayer_lamports / facts.lamports_a_day if known else None,
    )


def _live(reading: Reading) -> Live:
    return Live(reading.export_mwh, reading.import_mwh, reading.power_w, dict(reading.values))


def _said_live(said: Mapping[str, Any]) -> Live | None:
    if said.get("export_mwh") is None or said.get("import_mwh") is None:
        return None
    return Live(said["export_mwh"], said["import_mwh"], said.get("power_w"))
