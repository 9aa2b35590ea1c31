"""What the oracle must make of a record: steps 1 to 8 of programs.md 4.4, as a function: no, or what it knows then."""

from dataclasses import dataclass

from solders.pubkey import Pubkey
from tests.soak.shadow import (
    FLOOR_MWH,
    FUTURE_SKEW,
    MAX_CATCHUP,
    ORACLE_SUBMIT,
    PLAUSIBILITY_PCT,
    READING_AGE,
    READING_INTERVAL,
    Meter,
    State,
)
from tests.soak.world import World

from meterchain.accounts import MeterKind, MeterStatus
from meterchain.record import NEVER_MONEY, Reason, Record, record_digest
from meterchain.units import SLOT_S

SEQ_JUMP = 1_000_000
IN_STEP = 2 * SLOT_S


class No(Exception):
    """The name of the refusal."""


@dataclass(frozen=True)
class Signing:
    """How a record was signed."""

    by_meter_key: bool = True
    whole: bool = True
    relayer: Pubkey | None = None
    """Who delivers; None: the world's relayer."""


def require(holds: object, name: str) -> None:
    if not holds:
        raise No(name)


def rebased(meter: Meter, state: State) -> State:
    """The state as of the meter's present install."""
    if state.install >= meter.install:
        return state
    if state.install < meter.forfeit:
        state = disowned(state)
    return state.but(
        install=meter.install, export=meter.baseline[0], import_=meter.baseline[1], seq=0, digest=bytes(32),
        last_ts=max(state.last_ts, meter.baseline_ts), claimed=0,
    )  # fmt: skip


def disowned(state: State) -> State:
    """What is neither minted nor burned yet counts for nobody."""
    return state.but(
        forfeited=state.forfeited + state.unminted, written_off=state.written_off + state.unburned
    )  # fmt: skip


def floor_of(world: World, meter: Meter, *, periodic: bool) -> int:
    """Energy in mWh that is believed whatever the time."""
    return max(world.param(FLOOR_MWH), meter.resolution) if periodic else 0


def bound(world: World, meter: Meter, elapsed: int, max_w: int, *, periodic: bool) -> int:
    """Most mWh that the meter can have measured."""
    seconds = min(elapsed, world.param(MAX_CATCHUP))
    floor = floor_of(world, meter, periodic=periodic)
    return floor + max_w * seconds * 10 * world.param(PLAUSIBILITY_PCT) // 3_600


def seconds(world: World, energy_mwh: int, max_w: int, floor_mwh: int) -> int:
    """How long the meter needs for it at full power, rounded up."""
    beyond, rate = 3_600 * max(0, energy_mwh - floor_mwh), max_w * 10 * world.param(PLAUSIBILITY_PCT)
    return -(-beyond // rate) if beyond else 0


def claimed(world: World, state: State, elapsed: int, secs: int) -> int:
    """Seconds of full power claimed ahead of time, with `secs` more.  Raises No above MAX_CATCHUP."""
    rested = world.now - state.accepted_at
    left = max(0, state.claimed - rested)
    if left == 0 and elapsed <= min(rested, IN_STEP):
        return 0
    require(left + secs <= world.param(MAX_CATCHUP) or not secs, "Implausible")
    return left + secs


def advance(old: int, new: int, modulus: int) -> int:
    within = modulus == 0 or new < modulus
    if new >= old and within:
        return new - old
    require(old < modulus and within, "RegisterRegression")
    return modulus - old + new


def accept(world: World, meter: Meter, state: State, record: Record, signing: Signing) -> State:
    """The state after it.  Raises No."""
    require(signing.whole, "InvalidSignature")  # the precompile comes first
    require(world.active, "Inactive")
    require(not world.paused & ORACLE_SUBMIT, "Paused")
    require(not record.status_flags & NEVER_MONEY, "BadRecord")
    require(record.domain == world.domain, "BadDomain")
    require(state.owner == meter.owner, "OwnerChangePending")
    require(world.may_deliver(signing.relayer or world.relayer.pubkey(), meter), "Unauthorized")
    require(not state.frozen_at, "Frozen")
    final = meter.status is MeterStatus.MAINTENANCE and record.reason is Reason.FINAL
    require(meter.status is MeterStatus.ACTIVE or final, "MeterInactive")
    require(signing.by_meter_key, "SignatureMismatch")
    require(record.install_id == meter.install, "InstallMismatch")
    state = rebased(meter, state)
    encoded = record.encode()
    require(record.seq >= state.seq, "StaleSequence")
    if record.seq == state.seq:
        require(record_digest(encoded) == state.digest, "Equivocation")
        return state
    step = record.seq - state.seq
    require(step > 1 or record.prev == state.digest[:16], "BrokenChain")
    require(step <= SEQ_JUMP, "SeqJump")
    elapsed = _elapsed(world, state, record)
    periodic = record.reason is Reason.PERIODIC
    into = record.ts - record.epoch
    fits = 895 <= into <= 1_020 and record.epoch > state.last_epoch if periodic else (
        0 <= into < 1_020 and record.epoch >= state.last_epoch)  # fmt: skip
    require(fits and record.epoch % SLOT_S == 0, "EpochMisaligned")
    gains, secs = [], 0
    floor = floor_of(world, meter, periodic=periodic)
    directions = ((state.export, record.export_mwh, MeterKind.CONSUMPTION_ONLY),
                  (state.import_, record.import_mwh, MeterKind.GENERATION_ONLY))  # fmt: skip
    for (old, new, without), max_w in zip(directions, meter.max_w, strict=True):
        energy = advance(old, new, meter.modulus)
        counts = meter.kind is not without
        require(not counts or energy <= bound(world, meter, elapsed, max_w, periodic=periodic), "Implausible")
        secs = max(secs, seconds(world, energy, max_w, floor) if counts else 0)
        gains.append(energy if counts else 0)
    return state.but(
        seq=record.seq, digest=record_digest(encoded), last_ts=record.ts, export=record.export_mwh,
        import_=record.import_mwh, last_epoch=record.epoch if periodic else state.last_epoch,
        cum_export=state.cum_export + gains[0], cum_import=state.cum_import + gains[1],
        accepted_at=world.now, claimed=claimed(world, state, elapsed, secs),
    )  # fmt: skip


def _elapsed(world: World, state: State, record: Record) -> int:
    now = world.now
    if record.ts > now:
        require(record.ts - now <= world.param(FUTURE_SKEW), "FutureReading")
    else:
        require(now - record.ts <= world.param(READING_AGE), "ReadingTooOld")
    elapsed = record.ts - state.last_ts
    require(elapsed > 0 and elapsed >= world.param(READING_INTERVAL), "ReadingTooFrequent")
    return elapsed
