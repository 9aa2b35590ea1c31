"""Which meter answers: every known profile is tried by the agent's own reader, which believes nothing unproven.

certain    the meter names its model, and only this profile's
likely     its serial number and a plausible reading are where this profile has them
possible   a plausible reading, and nothing on the wire that names the model
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from meteredge.bus import Bus, timing_of
from meteredge.bus_errors import BusError, CorruptReply, DeviceException, NoReply, PortGone
from meteredge.clock import Clock
from meteredge.profiles import NotAvailable, Profile, ProfileError
from meteredge.reader import PLAUSIBLE, Reader
from meteredge.scan.search import Answering, OpenPort

TRIES = 2
"""A damaged answer is asked for again; what stays damaged is no chance."""


class Sureness(StrEnum):
    """How sure a model is."""

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


_ORDER = (Sureness.CERTAIN, Sureness.LIKELY, Sureness.POSSIBLE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that fits, and why."""

    profile: str
    model: str
    sureness: Sureness
    why: str
    serial: str | None
    explains: int = 0
    """Voltages and frequencies that lie where this model has them."""


@dataclass(frozen=True, slots=True)
class Identified:
    """What answers at one unit id."""

    answering: Answering
    candidates: tuple[Candidate, ...]
    """The surest first; empty where no known profile fits."""
    two_devices: str | None = None
    """Why two devices are taken to have this address."""


def identify(answering: Answering, open_port: OpenPort, clock: Clock, profiles: Sequence[Profile]) -> Identified:
    """Try every profile on what answers.  Raises BusError where the port fails."""
    if answering.nature == "two devices":
        return Identified(answering, (), "their answers destroy each other")
    if answering.nature == "damaged":
        return Identified(answering, ())
    found: list[Candidate] = []
    damaged = 0
    with closing(_BusAt(answering, open_port, clock)) as at:
        for profile in sorted(profiles, key=lambda profile: not _names_itself(profile)):
            if answering.unit > 247 and answering.unit != profile.general_address:
                continue
            candidate, spoilt = _try(at.bus, answering.unit, profile, clock)
            damaged += spoilt
            if candidate:
                found.append(candidate)
                if candidate.sureness is Sureness.CERTAIN:
                    break
    found.sort(key=lambda candidate: _ORDER.index(candidate.sureness))
    if not found and damaged and all(probe.raw for probe in answering.probes):
        return Identified(answering, (), "short answers are whole, all that tell two devices apart are damaged")
    return Identified(answering, _the_surest(found))


class _BusAt:
    """A bus at the setting of what answers."""

    def __init__(self, answering: Answering, open_port: OpenPort, clock: Clock) -> None:
        self.bus = Bus(open_port(answering.setting), clock)  # type: ignore[arg-type]

    def close(self) -> None:
        self.bus.close()


def _the_surest(found: list[Candidate]) -> tuple[Candidate, ...]:
    """A certain model leaves no room for others, nor one that explains more of what was read."""
    best = max(((-_ORDER.index(c.sureness), c.explains) for c in found), default=None)
    return tuple(c for c in found if (-_ORDER.index(c.sureness), c.explains) == best)


def _try(bus: Bus, unit: int, profile: Profile, clock: Clock) -> tuple[Candidate | None, bool]:
    """The candidate, if the profile fits; and whether damaged answers were what spoke against it."""
    for _ in range(TRIES):
        try:
            return _candidate(bus, unit, profile, clock), False
        except PortGone:
            raise
        except NoReply:
            return None, False
        except CorruptReply:
            continue
        except (BusError, ProfileError):
            return None, False
    return None, True


def _candidate(bus: Bus, unit: int, profile: Profile, clock: Clock) -> Candidate:
    reader = Reader(bus, unit, profile, clock)
    serial = reader.identify()
    reader.read()
    model = f"{profile.maker} {profile.model}"
    if named := _names_itself(profile):
        return Candidate(profile.name, model, Sureness.CERTAIN, f"{named} names this model", serial)
    explains, whole = _evidence(bus, unit, profile)
    if serial is not None and whole:
        why = f"serial number and {explains} plausible voltages and frequencies are where this model has them"
        return Candidate(profile.name, model, Sureness.LIKELY, why, serial, explains)
    return Candidate(profile.name, model, Sureness.POSSIBLE, "its registers hold plausible values", serial, explains)


def _names_itself(profile: Profile) -> str:
    """What on the wire names the model, and no other; empty where nothing does."""
    named = [r.name for table in (profile.identity, profile.registers) for r in table.values() if r.expect]
    return named[0] if named else "its map" if profile.search else ""


def _evidence(bus: Bus, unit: int, profile: Profile) -> tuple[int, bool]:
    """How many voltages and frequencies are believable at this profile's addresses, and whether all are there."""
    explains, whole = 0, True
    for register in profile.registers.values():
        bounds = PLAUSIBLE.get(register.unit) if register.unit in ("V", "Hz") else None
        if bounds is None or register.optional:
            continue
        try:
            value = register.decode(
                bus.read_block(unit, register.fc, register.address, register.words, timing_of(profile))
            )
            explains += bounds[0] <= Decimal(value) <= bounds[1]
        except DeviceException:
            whole = False
        except NotAvailable:
            continue
    return explains, whole
