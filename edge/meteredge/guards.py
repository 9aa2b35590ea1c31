"""What may be signed: guards over pairs of readings, as pure functions.

Guard 4: at a slot's close the registers are read twice; the pair must agree within what the installation can have moved
in between and one quantum.  Guard 5: a register does not fall and does not rise faster than the rated power since the
last *signed* reading.  A breach is never signed: the slot stays open and a person sees why.

All energies are mWh, powers W, times seconds.  1 W for 1 s is 1000/3600 mWh.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from meterchain.units import Mwh


class Registers(Protocol):
    """The two cumulative registers of a meter at one instant, and the step in which they count."""

    @property
    def export_mwh(self) -> Mwh:
        """Energy fed in."""

    @property
    def import_mwh(self) -> Mwh:
        """Energy taken."""

    @property
    def quantum_mwh(self) -> int:
        """The larger step of the two registers."""


@dataclass(frozen=True)
class Rated:
    """What the installation can carry at most, per direction, from the site's configuration."""

    max_export_w: int
    max_import_w: int
    modulus_mwh: int = 0
    """Where the registers wrap to zero; 0 = never, or unknown."""


@dataclass(frozen=True)
class Breach:
    """Why a reading must not be signed."""

    guard: Literal[4, 5]
    kind: Literal["pair", "fell", "too_fast"]
    register: Literal["export", "import"]
    fact: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.fact}; {self.next_step}"


def most_mwh(power_w: int, seconds: float) -> int:
    """The most energy that `power_w` can move in that time, rounded up."""
    return max(0, -int(-power_w * max(0.0, seconds) * 1_000 // 3_600))


def pair_breach(first: Registers, second: Registers, seconds: float, rated: Rated) -> Breach | None:
    """Guard 4: why two readings `seconds` apart do not agree, or None if they do."""
    quantum = max(first.quantum_mwh, second.quantum_mwh)
    for name, old, new, power_w in _both(first, second, rated):
        moved = rise_mwh(old, new, rated.modulus_mwh)
        allowed = most_mwh(power_w, seconds) + quantum
        if moved is None or moved > allowed:
            return Breach(
                4,
                "pair",
                name,
                f"two readings {seconds:.1f} s apart differ: {name} {old} then {new} mWh, "
                f"at most {allowed} mWh can have moved",
                "the slot is read again; if it stays so, look for a second master, noise or a meter that restarts",
            )
    return None


def signed_breach(signed: Registers, reading: Registers, seconds: float, rated: Rated) -> Breach | None:
    """Guard 5: why a reading `seconds` after the last signed one cannot follow it, or None if it can."""
    quantum = max(signed.quantum_mwh, reading.quantum_mwh)
    for name, old, new, power_w in _both(signed, reading, rated):
        rise = rise_mwh(old, new, rated.modulus_mwh)
        allowed = most_mwh(power_w, seconds) + quantum
        if rise is None or (new < old and rise > allowed):
            return Breach(
                5,
                "fell",
                name,
                f"the {name} register fell from {old} mWh (signed) to {new} mWh",
                "after a restart of the meter the slot waits until the register passes the signed value; if the "
                "register was reset or the meter swapped, call the operator: the registry must be told",
            )
        if rise > allowed:
            return Breach(
                5,
                "too_fast",
                name,
                f"the {name} register rose by {rise} mWh in {seconds:.0f} s, "
                f"{power_w} W can move at most {allowed} mWh",
                "compare the display with this reading; if the display agrees, correct the rated power of the site",
            )
    return None


def rise_mwh(old: Mwh, new: Mwh, modulus_mwh: int) -> int | None:
    """How far a register rose, over its wrap if it has one; None if it fell (the Oracle's rule, programs.md)."""
    if new >= old:
        return new - old
    if modulus_mwh > 0 and old < modulus_mwh:
        return modulus_mwh - old + new
    return None


def _both(
    old: Registers, new: Registers, rated: Rated
) -> tuple[tuple[Literal["export", "import"], Mwh, Mwh, int], tuple[Literal["export", "import"], Mwh, Mwh, int]]:
    return (
        ("export", old.export_mwh, new.export_mwh, rated.max_export_w),
        ("import", old.import_mwh, new.import_mwh, rated.max_import_w),
    )
