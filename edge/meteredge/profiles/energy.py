"""Energy as whole milliwatt-hours, rounded to the nearest step of the meter.

A register holds a count of the meter's own quantum.  Where it is sent as a float, that is the nearest float to the
count: rounding it to the *nearest* quantum gives the count back, rounding it down loses a quantum on half of the
readings.  Above 16,384 kWh one step of an f32 is larger than 1 Wh; then the float's own step is all that is known, and
the float is taken as it is, to the nearest mWh.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from meterchain.units import Mwh
from meteredge.profiles.codec import nearest
from meteredge.profiles.errors import NotAvailable, ProfileError

if TYPE_CHECKING:
    from meteredge.profiles.register import Register

UNIT_MWH = {"Wh": 1_000, "kWh": 1_000_000, "MWh": 1_000_000_000}
"""Units of energy registers, in mWh."""

_MANTISSA_BITS = {"f32": 24, "f64": 53}
_LOWEST_EXPONENT = {"f32": -125, "f64": -1021}


@dataclass(frozen=True)
class Energy:
    """A register's energy and the step in which it counts at this height."""

    mwh: Mwh
    quantum_mwh: int


def energy_of(register: "Register", words: Sequence[int], quantum_wh: Decimal, factor: Decimal = Decimal(1)) -> Energy:
    """The energy in a register's words, times `factor` (transformer ratios).

    Raises NotAvailable for an invalid or a negative value, ProfileError if the register's unit is not energy.
    """
    if register.unit not in UNIT_MWH:
        raise ProfileError(f"{register.name}: {register.unit!r} is no unit of energy")
    value = register.decode(tuple(words))
    if isinstance(value, str):
        raise ProfileError(f"{register.name}: text is no energy")
    if value < 0:
        raise NotAvailable(f"{register.name}: an energy register cannot hold {value} {register.unit}")
    unit = UNIT_MWH[register.unit] * _exact(factor)
    exact = Fraction(value) * unit
    scale = abs(_exact(register.scale))
    if register.type not in _MANTISSA_BITS:
        return Energy(Mwh(nearest(exact)), max(1, math.ceil(scale * unit)))
    step = float_step(Fraction(value) / _exact(register.scale), register.type) * scale * unit
    quantum = _exact(quantum_wh) * 1_000 * _exact(factor)
    if step > quantum:
        return Energy(Mwh(nearest(exact)), max(1, math.ceil(step)))
    return Energy(Mwh(nearest(nearest(exact / quantum) * quantum)), max(1, math.ceil(quantum)))


@lru_cache(maxsize=256)
def _exact(constant: Decimal) -> Fraction:
    """A number of a profile: there are few, and each reading wants them."""
    return Fraction(constant)


def float_step(raw: Fraction, kind: str) -> Fraction:
    """The distance from `raw` to the next float of that type."""
    _, exponent = math.frexp(abs(float(raw)))
    return Fraction(2) ** (max(exponent, _LOWEST_EXPONENT[kind]) - _MANTISSA_BITS[kind])
