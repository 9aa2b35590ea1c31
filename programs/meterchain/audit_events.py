"""The audit of what was announced: the events of oracle and token add up to the accounts, meter by meter.

history      reaches back to the initialisation of each program and of each meter, without gaps
readings     each is signed by its meter's key and says the energy that was credited (meterchain.audit_readings)
each meter   Σ accepted readings = credited energy; Σ minted, Σ forfeited, Σ written off; numbers only ascend
the token    Σ minted, Σ burned for consumption and Σ retired are its totals

An RPC that has forgotten the beginning, or leaves something out, is told apart from books that are wrong: without the
whole history nothing is added up.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from meterchain import audit as accounts
from meterchain import audit_readings, pdas
from meterchain.accounts import Meter, MeterState, RegistryConfig, TokenConfig, fetch, fetch_all
from meterchain.audit import Audit, NothingToAudit
from meterchain.chain import ChainError, RememberingChain
from meterchain.check import Check
from meterchain.history import Archive, Past, Progress
from meterchain.market import audit_events as market_events
from meterchain.programs import Programs
from meterchain.units import ATOMS_PER_MWH

LOOKS = 5
"""How often accounts and history are read until nothing happens between the two."""


class ChainMoves(ChainError):
    """Transactions came in during every look, so accounts and history are not of one moment."""


@dataclass
class Told:
    """What the events say of one meter; energy in mWh."""

    readings: int = 0
    export_mwh: int = 0
    import_mwh: int = 0
    minted_atoms: int = 0
    forfeited_mwh: int = 0
    written_off_mwh: int = 0
    last_seq: int = 0
    again: list[int] = field(default_factory=list)
    """Numbers that did not ascend."""


def audit(
    chain: RememberingChain,
    programs: Programs,
    archive: Archive,
    *,
    settled: bool = False,
    progress: Progress = lambda _done, _missing: None,
) -> Audit:
    """The audit of the accounts (meterchain.audit), and of the events against them, as of one moment.

    Raises ChainMoves, NothingToAudit, AccountError and what the chain raises.
    """
    for _ in range(LOOKS):
        past = archive.walk(progress)
        of_accounts = accounts.audit(chain, programs, settled=settled)
        of_events = tuple(checks(chain, programs, past))
        if not archive.has_moved(past):
            return Audit(of_accounts.meters, (*of_accounts.checks, *of_events))
    raise ChainMoves(f"{chain.name} took transactions during each of {LOOKS} looks: try again in a quieter minute")


def checks(chain: RememberingChain, programs: Programs, past: Past) -> Iterator[Check]:
    """What can be said of the events; nothing is added up unless the history is whole."""
    meters, states = fetch_all(chain, programs, Meter), fetch_all(chain, programs, MeterState)
    token = fetch(chain, programs, TokenConfig, pdas.token_config(programs))
    registry = fetch(chain, programs, RegistryConfig, pdas.registry(programs))
    if token is None or registry is None:
        raise NothingToAudit(f"there is no initialised site on {chain.name}")
    lacking = [*past.gaps, *_beginnings(past, states, meters)]
    since = f"{past.transactions} transactions since slot {past.first_slot}"
    if lacking:
        told = f"{since}: {'; '.join(lacking)}. Nothing was added up: ask an RPC that keeps all history"
        yield Check("the history is whole", ok=False, detail=told)
        return
    yield Check("the history is whole", ok=True, detail=since)
    by_number = _told(past)
    pairs = [(meters[state.meter], state) for state in states.values() if state.meter in meters]
    for meter, state in sorted(pairs, key=lambda pair: pair[0].meter_id):
        yield _of_meter(meter, state, by_number[meter.meter_no])
    known = {meter.meter_no for meter, _ in pairs}
    strangers = sorted(set(by_number) - known)
    named = f"numbers {', '.join(map(str, strangers))}" if strangers else f"{len(known)} meters"
    yield Check("no event names a meter that there is not", not strangers, named)
    yield from audit_readings.checks(past, registry.domain, list(meters.values()))
    yield from _of_token(past, token)
    yield from market_events.checks(chain, programs, past)


def _beginnings(past: Past, states: Mapping[Pubkey, MeterState], meters: Mapping[Pubkey, Meter]) -> Iterator[str]:
    """What began before the history does."""
    oracle = past.events.get("oracle", ())
    for program, name in (("oracle", "OracleInitialized"), ("energy_token", "TokenInitialized")):
        if all(event.name != name for event in past.events.get(program, ())):
            yield f"{name} is not among them, so the beginning is pruned"
    opened = {event.fields["meter"] for event in oracle if event.name == "MeterStateInitialized"}
    for state in states.values():
        if state.meter not in opened:
            who = meters[state.meter].meter_id if state.meter in meters else str(state.meter)
            yield f"the opening of {who} is not among them"
    for who in audit_readings.unassigned(past, list(meters.values())):
        yield f"the assignment of {who} is not among them"


def _told(past: Past) -> dict[int, Told]:
    """By meter_no."""
    found: dict[int, Told] = defaultdict(Told)
    for event in past.events.get("oracle", ()):
        if "meter_no" not in event.fields:
            continue
        meter, fields = found[event.fields["meter_no"]], event.fields
        if event.name == "MeterReadingAccepted":
            meter.readings += 1
            meter.export_mwh += fields["d_export"]
            meter.import_mwh += fields["d_import"]
            if fields["seq"] <= meter.last_seq:
                meter.again.append(fields["seq"])
            meter.last_seq = fields["seq"]
        elif event.name == "MeterRebased":
            meter.last_seq = 0
        elif event.name == "AccrualForfeited":
            meter.forfeited_mwh += fields["export_mwh"]
        elif event.name == "ImportWrittenOff":
            meter.written_off_mwh += fields["import_mwh"]
    for event in past.events.get("energy_token", ()):
        if event.name == "TokensMinted":
            found[event.fields["meter_no"]].minted_atoms += event.fields["amount"]
    return found


def _of_meter(meter: Meter, state: MeterState, told: Told) -> Check:
    pairs = {
        "readings": (told.readings, state.readings),
        "export mWh": (told.export_mwh, state.cum_export_mwh),
        "import mWh": (told.import_mwh, state.cum_import_mwh),
        "minted atoms": (told.minted_atoms, state.minted_mwh * ATOMS_PER_MWH),
        "forfeited mWh": (told.forfeited_mwh, state.forfeited_mwh),
        "written off mWh": (told.written_off_mwh, state.written_off_import_mwh),
    }
    wrong = [f"{what}: events {said}, account {has}" for what, (said, has) in pairs.items() if said != has]
    wrong += [f"number {seq} came again" for seq in told.again]
    fine = f"{told.readings} readings, {told.export_mwh} mWh exported, {told.import_mwh} imported"
    return Check(f"{meter.meter_id}: its events add up to its account", not wrong, "; ".join(wrong) or fine)


def _of_token(past: Past, token: TokenConfig) -> Iterator[Check]:
    named = {
        "TokensMinted": ("minted", token.total_minted),
        "ConsumptionBurned": ("burned for consumption", token.total_burned_consumption),
        "TokensRetired": ("retired by holders", token.total_burned_voluntary),
    }
    for name, (what, total) in named.items():
        said = sum(event.fields["amount"] for event in past.events.get("energy_token", ()) if event.name == name)
        yield Check(f"the events of GRID {what} add up to the token's total", said == total, f"{said} = {total} atoms")
