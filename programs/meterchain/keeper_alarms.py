"""What a keeper raises an alarm about: pure functions from what the chain shows to sentences."""

from collections.abc import Mapping
from dataclasses import dataclass

from meterchain.accounts import Meter, MeterState, MeterStatus, fetch_all
from meterchain.chain import Chain
from meterchain.keeper_plan import State, fees_for_days, late_by
from meterchain.programs import Programs
from meterchain.units import Lamports, UnixTime

LATE, SILENT, POOR, HALTED, CANNOT = "epoch_late", "meter_silent", "payer_low", "market_halted", "cannot_trigger"
KINDS = (LATE, SILENT, POOR, HALTED, CANNOT)


@dataclass(frozen=True, slots=True)
class Limits:
    """When something is wrong: `silent_s` without a record, an epoch unsettled `late_s` after it could be."""

    silent_s: int = 2_700
    late_s: int = 120
    fee_days: int = 30


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong; `about` names the meter, if there is one."""

    kind: str
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Heard:
    """When the oracle last accepted a record of a meter (or opened it)."""

    meter_id: str
    at: UnixTime


def heard_from(chain: Chain, programs: Programs) -> list[Heard]:
    """The Active meters and when they were last heard, by id; one that never spoke counts from its assignment."""
    meters = {
        at: meter for at, meter in fetch_all(chain, programs, Meter).items() if meter.status is MeterStatus.ACTIVE
    }
    states: Mapping[object, MeterState] = {s.meter: s for s in fetch_all(chain, programs, MeterState).values()}
    found = []
    for address, meter in meters.items():
        state = states.get(address)
        last = state.last_accept_ts if state and state.readings else UnixTime(0)
        found.append(Heard(meter.meter_id, UnixTime(max(last, meter.assigned_at, meter.status_changed_at))))
    return sorted(found, key=lambda heard: heard.meter_id)


def alarms(
    state: State, now: UnixTime, heard: list[Heard], balance: Lamports, limits: Limits = Limits()
) -> list[Alarm]:
    """What is wrong at `now`."""
    return [*_of_market(state, now, limits), *_of_meters(now, heard, limits), *_of_payer(state, balance, limits)]


def _of_market(state: State, now: UnixTime, limits: Limits) -> list[Alarm]:
    found = []
    if state.market.halted:
        text = "the market is halted: matching did not sum up; exits work, nothing else (`meterbridge market void`)"
        found.append(Alarm(HALTED, "", text))
    late = late_by(state, now)
    if late > limits.late_s:
        found.append(Alarm(LATE, "", f"an epoch is {late} s late" + (": clearing is paused" * state.clearing_paused)))
    if not state.may_trigger:
        text = "only the department may (`meterbridge site clearing anybody` lets every keeper)"
        found.append(Alarm(CANNOT, "", f"this keeper may not trigger: {text}"))
    return found


def _of_meters(now: UnixTime, heard: list[Heard], limits: Limits) -> list[Alarm]:
    silent = [meter for meter in heard if now - meter.at > limits.silent_s]
    return [Alarm(SILENT, m.meter_id, f"{m.meter_id} has been silent for {now - m.at} s") for m in silent]


def _of_payer(state: State, balance: Lamports, limits: Limits) -> list[Alarm]:
    needed = fees_for_days(state, limits.fee_days)
    if balance >= needed:
        return []
    text = f"the payer holds {balance:,} lamports, less than {limits.fee_days} days of fees ({needed:,}): fund it"
    return [Alarm(POOR, "", text)]
