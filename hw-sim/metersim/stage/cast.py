"""Who is on stage: meters, what is connected behind them, and what their owners are.  All of it comes from the seed.

Owners are fictional: a role and a wallet, nothing else.
"""

import hashlib
import random
from dataclasses import dataclass

from solders.keypair import Keypair

from meterchain.accounts import Role
from meteredge.profiles import load
from metersim.bus.line import Line
from metersim.meters.installation import Installation
from metersim.meters.loads import LoadKind
from metersim.meters.meter import MeterPlan

PROFILES = ("sdm120", "sdm630", "dtsu666")
"""The models on stage, in turn."""
FASTEST_BAUD = 19_200
WITHOUT_PV_EVERY = 5
"""One meter in so many has no PV plant behind it."""
AMPERES, VOLTS = 63, 230
"""The main fuse, per phase: what an installation can carry at most."""


@dataclass(frozen=True, slots=True)
class Part:
    """One meter with its owner: what the site registers and what stands on the bus."""

    meter_id: str
    role: Role
    plan: MeterPlan
    rated_w: int
    """What the connection can carry, in either direction."""

    @property
    def makes_energy(self) -> bool:
        """Whether there is a PV plant behind the meter."""
        return self.plan.installation.pv_peak_w > 0


def meter_id(number: int) -> str:
    """METER_001 is number 1."""
    return f"METER_{number:03}"


def cast(meters: int, seed: int, since_utc: float) -> tuple[Part, ...]:
    """`meters` parts; their installations count from `since_utc` (Unix seconds), on top of registers with some use."""
    return tuple(_part(number, seed, since_utc) for number in range(1, meters + 1))


def wallet(seed: int, who: str) -> Keypair:
    """A wallet for the stage; it is as secret as the seed, so good for chains that live as long as a demo."""
    return Keypair.from_seed(hashlib.sha256(f"metersim stage {seed} {who}".encode()).digest())


def _part(number: int, seed: int, since_utc: float) -> Part:
    name = PROFILES[(number - 1) % len(PROFILES)]
    profile = load(name)
    phases = max(profile.phases)
    chance = random.Random(f"part {seed} {number}")
    role = Role.STUDENT if number % 2 else Role.FACULTY
    kind: LoadKind = "lab" if role is Role.FACULTY and phases > 1 else "household"
    peak_w = 0 if number % WITHOUT_PV_EVERY == WITHOUT_PV_EVERY - 1 else phases * chance.randrange(900, 2_600)
    quantum_mwh = int(profile.energy_quantum_wh * 1_000)
    plan = MeterPlan(
        name,
        Installation(seed=seed * 1_000 + number, weather_seed=seed, phases=phases, load=kind, pv_peak_w=peak_w),
        Line(max(baud for baud in profile.baud if baud <= FASTEST_BAUD)),
        serial=str(10_000_000 + number),
        since_utc=since_utc,
        import_mwh=chance.randrange(10_000, 900_000) * quantum_mwh,
        export_mwh=chance.randrange(10_000, 900_000) * quantum_mwh if peak_w else 0,
    )
    return Part(meter_id(number), role, plan, phases * AMPERES * VOLTS)
