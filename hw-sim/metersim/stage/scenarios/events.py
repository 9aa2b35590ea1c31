"""What can happen in a scenario, by the `kind` of its [[fault]]: on the wire, to the meter, to the node, to the chain.

Wire: `metersim.bus.catalogue`.  Meter: `metersim.meters.changes`; they begin and do not end.  The rest is here, each as
what happens at `from` and what at `until`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from solders.instruction import Instruction

from meterchain import instructions
from meterchain.accounts import MeterStatus, UserStatus
from meterchain.record import TimeStatus
from meterchain.units import UnixTime
from metersim.bus.catalogue import FAULTS, FaultUnknown, fault_of
from metersim.bus.line import Line
from metersim.meters.changes import CHANGES, Change
from metersim.meters.installation import Installation
from metersim.meters.meter import MeterPlan
from metersim.stage.scenarios.files import FaultEntry, Scenario, ScenarioError
from metersim.stage.scenarios.foundation import found
from metersim.stage.scenarios.world import METER_ID, World

_FLAGS_AT = 10
"""MeterState.flags (docs/programs.md); bit 0: frozen."""
_ORACLE_SUBMIT = 1 << 1
_LONG_AGO_S = 0.0

Happens = Callable[[World], None]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens at a true time (Unix seconds)."""

    at_s: float
    happens: Happens


def changes_of(scenario: Scenario) -> tuple[Change, ...]:
    """What happens to the meter.  Raises ScenarioError."""
    begin = scenario.config.begin_s
    found = []
    for entry in scenario.faults:
        if entry.kind in CHANGES:
            try:
                found.append(CHANGES[entry.kind](begin + entry.from_s, **entry.options))
            except TypeError as error:
                raise ScenarioError(f"{scenario.name}: {entry.kind}: {error}") from None
    return tuple(found)


def events_of(scenario: Scenario) -> list[Event]:
    """Everything else, in the order of time.  Raises ScenarioError."""
    events = []
    for entry in scenario.faults:
        if entry.kind in CHANGES:
            continue
        begins, ends = _both(scenario, entry)
        events.append(Event(scenario.config.begin_s + entry.from_s, begins))
        if entry.until_s is not None:
            events.append(Event(scenario.config.begin_s + entry.until_s, ends))
    return sorted(events, key=lambda event: event.at_s)


def _both(scenario: Scenario, entry: FaultEntry) -> tuple[Happens, Happens]:
    if entry.kind in FAULTS:
        options = dict(entry.options)
        if "other" in options:
            options["other"] = _neighbour(scenario, options["other"])
        try:
            fault = fault_of(entry.kind, options)
        except FaultUnknown as error:
            raise ScenarioError(f"{scenario.name}: {error}") from None
        return (lambda world: world.begin_fault(fault)), (lambda world: world.end_fault(fault))
    make = EVENTS.get(entry.kind)
    if make is None:
        known = ", ".join(sorted({*FAULTS, *CHANGES, *EVENTS}))
        raise ScenarioError(f"{scenario.name}: nothing is called {entry.kind!r}; there are {known}")
    return make(**entry.options)


def _neighbour(scenario: Scenario, table: Mapping[str, Any]) -> MeterPlan:
    """Another meter on the same bus: what it does not say is as the scenario's meter has it."""
    meter = scenario.config.meter
    described = {"profile": meter.profile, "serial": "20000002", "import_mwh": 1_000_000_000, **table}
    return MeterPlan(
        installation=Installation(seed=99, phases=3),
        line=Line(meter.baud, meter.format),
        since_utc=scenario.config.begin_s,
        **described,
    )


def _flag(name: str) -> Callable[[], tuple[Happens, Happens]]:
    """A flag of the chain's weather."""

    def make() -> tuple[Happens, Happens]:
        return (lambda world: setattr(world.chain, name, True)), (lambda world: setattr(world.chain, name, False))

    return make


def _clock_set(by_s: float, *, vouched: bool = False) -> tuple[Happens, Happens]:
    """Somebody sets the node's clock, and the kernel calls it unsynchronised; with `vouched` the time service itself
    is wrong and does not know it.  `until` the time service sets it right.
    """

    def set_it(world: World) -> None:
        world.clock.set_utc(world.clock.utc() + by_s)
        if not vouched:
            world.time_source.now = TimeStatus.UNKNOWN

    return set_it, _clock_right


def _clock_lost() -> tuple[Happens, Happens]:
    """The node has no clock: it believes that it is 1970; `until` the time service sets it right."""

    def lose(world: World) -> None:
        world.clock.set_utc(_LONG_AGO_S + world.clock.monotonic())

    return lose, _clock_right


def _clock_right(world: World) -> None:
    world.clock.set_utc(world.now())
    world.time_source.now = TimeStatus.SYNCHRONISED


def _time_informative() -> tuple[Happens, Happens]:
    """The time service is away; a clock with a battery agrees with the date."""

    def doubt(world: World) -> None:
        world.time_source.now = TimeStatus.INFORMATIVE

    return doubt, _clock_right


def _power_cut() -> tuple[Happens, Happens]:
    """The node has no power from `from` to `until`."""
    return World.power_off, World.power_on


def _card_lost() -> tuple[Happens, Happens]:
    """The node's card is replaced: key and configuration are restored, the journal is gone."""

    def replace_card(world: World) -> None:
        world.power_off()
        for file in world.node.folder.glob("*.journal*"):
            file.unlink()
        world.power_on()

    return replace_card, _nothing


def _another_node() -> tuple[Happens, Happens]:
    """A copy of the card runs elsewhere: it is the first to close the next slot with the same key, and delivers it."""

    def run_copy(world: World) -> None:
        copy = world.another_agent("copy")
        copy.deliver()
        world.clock.sleep(copy.seconds_to_close() + 0.01)
        copy.close_due_slot()
        copy.deliver()
        copy.journal.close()

    return run_copy, _nothing


def _paused() -> tuple[Happens, Happens]:
    """The department stops all submissions; `until` it lets them go on."""

    def pause(world: World) -> None:
        wallet = world.authority.pubkey()
        ask = instructions.emergency_pause(world.site.programs, wallet, _ORACLE_SUBMIT, 1)
        _as_department(world, ask)

    def go_on(world: World) -> None:
        ask = instructions.emergency_unpause(world.site.programs, world.authority.pubkey(), _ORACLE_SUBMIT)
        _as_department(world, ask)

    return pause, go_on


def _oracle_inactive() -> tuple[Happens, Happens]:
    """The oracle does not take records."""

    def set_active(world: World, *, active: bool) -> None:
        _as_department(world, instructions.set_active(world.site.programs, world.authority.pubkey(), active=active))

    return (lambda world: set_active(world, active=False)), (lambda world: set_active(world, active=True))


def _meter_in_maintenance() -> tuple[Happens, Happens]:
    """The registry does not take records of this meter."""

    def put(world: World, status: MeterStatus) -> None:
        wallet = world.authority.pubkey()
        _as_department(world, instructions.set_meter_status(world.site.programs, wallet, METER_ID, status))

    return (lambda world: put(world, MeterStatus.MAINTENANCE)), (lambda world: put(world, MeterStatus.ACTIVE))


def _owner_suspended() -> tuple[Happens, Happens]:
    """The owner may not trade: nothing is minted for him, records go on."""

    def put(world: World, status: UserStatus) -> None:
        wallet, owner = world.authority.pubkey(), world.node.owner.pubkey()
        _as_department(world, instructions.set_user_status(world.site.programs, wallet, owner, status))

    return (lambda world: put(world, UserStatus.SUSPENDED)), (lambda world: put(world, UserStatus.ACTIVE))


def _frozen() -> tuple[Happens, Happens]:
    """The meter's account is frozen, as after a proof that its key signed two stories."""

    def put(world: World, *, frozen: bool) -> None:
        (info,) = world.home.accounts([world.site.meter_state(METER_ID)])
        if info is None:
            raise ScenarioError("frozen: the meter has no account yet; let a slot pass first")
        data = bytearray(info.data)
        data[_FLAGS_AT] = data[_FLAGS_AT] | 1 if frozen else data[_FLAGS_AT] & ~1
        world.home.set_account(info.address, owner=info.owner, data=bytes(data), lamports=info.lamports)

    return (lambda world: put(world, frozen=True)), (lambda world: put(world, frozen=False))


def _chain_clock(by_s: float) -> tuple[Happens, Happens]:
    """The chain's clock differs from true time."""

    def put(world: World, ahead_s: float) -> None:
        world.chain.ahead_s = ahead_s

    return (lambda world: put(world, by_s)), (lambda world: put(world, 0.0))


def _other_deployment() -> tuple[Happens, Happens]:
    """The RPC address leads to another deployment, which knows a meter of the same name and key."""

    def lead_astray(world: World) -> None:
        world.lead_astray(found("another site"))

    return lead_astray, _nothing


def _nothing(_world: World) -> None:
    pass


def _as_department(world: World, instruction: Instruction) -> None:
    """Sent past the weather: it is the node's connection that is bad."""
    world.home.set_unix_time(UnixTime(int(world.now())))
    world.home.send([instruction], [world.authority])


EVENTS: Mapping[str, Callable[..., tuple[Happens, Happens]]] = {
    "clock_set": _clock_set,
    "clock_lost": _clock_lost,
    "time_informative": _time_informative,
    "power_cut": _power_cut,
    "card_lost": _card_lost,
    "another_node": _another_node,
    "rpc_dead": _flag("dead"),
    "answers_lost": _flag("answers_lost"),
    "blockhash_expires": _flag("expires"),
    "chain_clock": _chain_clock,
    "paused": _paused,
    "oracle_inactive": _oracle_inactive,
    "meter_in_maintenance": _meter_in_maintenance,
    "owner_suspended": _owner_suspended,
    "frozen": _frozen,
    "other_deployment": _other_deployment,
}
