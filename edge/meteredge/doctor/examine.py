"""One examination: who can be asked, everything found out once, then the sheet."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from meterchain.chain import Chain
from meterchain.rpc import RpcChain
from meteredge.agent_bus import PATIENCE_S, AgentBus, AgentPort
from meteredge.block_bus import BlockBus
from meteredge.bridge_watch import PROFILE as BRIDGE
from meteredge.bus import Bus
from meteredge.bus_errors import BusError
from meteredge.clock import Clock
from meteredge.config import AgentConfig
from meteredge.doctor.checks import judge
from meteredge.doctor.facts import (
    AgentFacts,
    BridgeFacts,
    Facts,
    Found,
    LoadStep,
    MeterFacts,
    PortFacts,
    Trouble,
    Unknown,
    WireFacts,
)
from meteredge.doctor.gather.agent import AgentSays, ask_agent
from meteredge.doctor.gather.chain import chain_facts
from meteredge.doctor.gather.host import clock_facts, host_facts
from meteredge.doctor.gather.load_step import Load, watch_load
from meteredge.doctor.gather.meter import bridge_facts, meter_facts
from meteredge.doctor.gather.node import journal_facts, key_facts, relayer_address
from meteredge.doctor.gather.port import port_facts, trouble_of
from meteredge.doctor.gather.wire import asked_of, examine_wire, other_settings, try_settings, wire_of_agent
from meteredge.doctor.sheet import Sheet
from meteredge.frame_ring import FrameRing
from meteredge.meter_port import USUAL_BAUD, USUAL_FRAMING, reader_of
from meteredge.profiles import Profile, load
from meteredge.scan.plan import Setting
from meteredge.scan.run import ports_of
from meteredge.scan.search import OpenPort
from meteredge.socket_client import AgentError, AgentSocket

NO_LOAD = "no load was named: `meterbridge doctor --load 2000 --load-name kettle` proves it"


@dataclass(frozen=True)
class Bench:
    """What an examination is made with; tests bring their own."""

    clock: Clock
    connect: Callable[[str], Chain] = RpcChain
    root: Path = Path("/")
    tell: Callable[[str], None] = lambda _sentence: None
    open_port: OpenPort | None = None
    """None: the port that the configuration names."""
    frames: FrameRing | None = None
    """Where frames go that pass while there is no agent that keeps them."""
    patience_s: float = PATIENCE_S
    """How long a question waits while the agent closes a slot."""


@dataclass(frozen=True)
class _Line:
    """What was found between the terminals and the meter."""

    port: PortFacts
    wire: Found[WireFacts]
    meter: Found[MeterFacts]
    load_step: Found[LoadStep]
    bridge: Found[BridgeFacts] | None


def examine(config: AgentConfig, bench: Bench, load_step: Load | None = None) -> Sheet:
    """The sheet of one meter's node.  Raises ProfileError."""
    return judge(gather(config, bench, load_step))


def gather(config: AgentConfig, bench: Bench, load_step: Load | None = None) -> Facts:
    """Everything that can be found out.  Raises ProfileError."""
    profile = load(config.meter.profile)
    with AgentSocket(config.socket_path) as agent:
        bench.tell("asking the agent")
        try:
            said = ask_agent(agent, config.meter.id)
        except AgentError as error:
            said = None
            line = _closed_to_us(config, bench, str(error))
            running = AgentFacts(running=True, written_at=None, slot_problem=str(error))
        else:
            running = said.facts if said else AgentFacts(running=False)
            line = (
                _by_agent(config, bench, profile, agent, said, load_step)
                if said
                else _by_port(config, bench, profile, load_step)
            )
    bench.tell("asking the chain")
    relayer = relayer_address(config)
    chain, ahead_s = chain_facts(config, relayer, bench.clock, bench.connect)
    journal = journal_facts(config.journal_path)
    return Facts(
        meter_id=config.meter.id,
        domain=config.site.domain,
        now=bench.clock.utc(),
        agent=running,
        port=line.port,
        wire=line.wire,
        meter=line.meter,
        load_step=line.load_step,
        clock=clock_facts(bench.clock, chain, ahead_s, root=bench.root),
        key=key_facts(config, journal, said.meter_key if said else None),
        chain=chain,
        journal=journal,
        bridge=line.bridge,
        host=host_facts(Path(config.state.directory), root=bench.root),
    )


def _by_agent(
    config: AgentConfig, bench: Bench, profile: Profile, agent: AgentSocket, said: AgentSays, load_step: Load | None
) -> _Line:
    bus = AgentBus(agent, AgentPort(said.frames.baud, said.frames.character), bench.clock, bench.tell, bench.patience_s)
    port = port_facts(config.bus.port, trouble=None, agent_has_it=True, root=bench.root)
    wire = wire_of_agent(config.meter.unit, said.counts, said.frames)
    try:
        return _read(config, bench, profile, bus, port, wire, load_step)
    except AgentError as error:
        why = Unknown(str(error))
        return _Line(port, wire, why, why, why if config.bridge else None)


def _by_port(config: AgentConfig, bench: Bench, profile: Profile, load_step: Load | None) -> _Line:
    table, unit = config.bus, config.meter.unit
    setting = Setting(
        table.baud or profile.default.baud or USUAL_BAUD, table.framing or profile.default.format or USUAL_FRAMING
    )
    open_port = bench.open_port or ports_of(table.port, bench.clock)
    with ExitStack() as opened:
        bench.tell(f"listening on {table.port}, then asking unit {unit} ({setting})")
        trouble: Trouble | None = None
        try:
            port = open_port(setting)
            opened.callback(port.close)
            reader = reader_of(Bus(port, bench.clock), config.meter, profile, bench.clock)  # type: ignore[arg-type]
            asked = asked_of(unit, reader.plan.blocks[0], profile)
            wire = examine_wire(port, setting, asked, bench.clock)
            if not wire.answered and not wire.exceptions and not wire.doubled:
                bench.tell("nothing answers; trying other settings")
                opened.close()
                wire = try_settings(wire, other_settings(profile, setting), open_port, asked, bench.clock)
                port = open_port(setting)
                opened.callback(port.close)
        except BusError as error:
            trouble = trouble_of(error)
            why = Unknown(f"the port could not be used: {error.fact}")
            facts = port_facts(table.port, trouble=trouble, agent_has_it=False, root=bench.root)
            return _Line(facts, why, why, why, why if config.bridge else None)
        facts = port_facts(table.port, trouble=None, agent_has_it=False, root=bench.root)
        bus = Bus(port, bench.clock, bench.frames.hear if bench.frames else None)  # type: ignore[arg-type]
        return _read(config, bench, profile, bus, facts, wire, load_step)


def _read(
    config: AgentConfig,
    bench: Bench,
    profile: Profile,
    bus: BlockBus,
    port: PortFacts,
    wire: WireFacts,
    load_step: Load | None,
) -> _Line:
    """What the meter (and the bridge) answer over a bus."""
    reader = reader_of(bus, config.meter, profile, bench.clock)
    meter = meter_facts(reader, config.meter, profile, config.site.phase_accounting)
    step: Found[LoadStep] = Unknown(NO_LOAD)
    if load_step and meter.trouble:
        step = Unknown("the meter could not be read")
    elif load_step:
        try:
            step = watch_load(reader.read, load_step, bench.clock, bench.tell)
        except BusError as error:
            step = Unknown(f"the meter stopped answering: {error}")
    bridge = bridge_facts(bus, config.bridge.unit, load(BRIDGE)) if config.bridge else None
    return _Line(port, wire, meter, step, bridge)


def _closed_to_us(config: AgentConfig, bench: Bench, why: str) -> _Line:
    """An agent runs that this user may not ask."""
    unknown = Unknown(why)
    port = port_facts(config.bus.port, trouble=None, agent_has_it=True, root=bench.root)
    return _Line(port, unknown, unknown, unknown, unknown if config.bridge else None)
