"""Direction: a load of known size is switched on, and what the meter shows is written down."""

from collections.abc import Callable
from dataclasses import dataclass

from meteredge.clock import Clock
from meteredge.doctor.checks.direction import LEAST_SHARE
from meteredge.doctor.facts import Found, LoadStep, Unknown
from meteredge.reader import Reading

LOOK_EVERY_S = 1.0
RISE_WITHIN_S = 120.0
"""After the step: a register that counts in 10 Wh needs 18 s at 2 kW."""
QUANTA = 2
"""So many steps of a register are no accident of rounding."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be switched on."""

    name: str
    load_w: float
    wait_s: float
    """How long the technician may take to switch it on."""


def watch_load(read: Callable[[], Reading], load: Load, clock: Clock, tell: Callable[[str], None]) -> Found[LoadStep]:
    """Ask for the load, wait for its step of power, then for the registers.  Raises BusError."""
    first = read()
    if first.power_w is None:
        return Unknown("this model's reading has no power: direction cannot be proved by a load")
    tell(f"{first.power_w:,.0f} W now; switch the {load.name} ({load.load_w:,.0f} W) on, within {load.wait_s:.0f} s")
    asked_at = clock.monotonic()
    last = first
    while clock.monotonic() - asked_at < load.wait_s:
        clock.sleep(LOOK_EVERY_S)
        last = read()
        if abs(_power(last) - first.power_w) >= LEAST_SHARE * load.load_w:
            tell(f"{_power(last):,.0f} W: seen; leave it on, the registers are watched")
            last, stepped = _watch_registers(read, last, clock)
            break
    else:
        stepped = last
    return LoadStep(
        name=load.name,
        load_w=load.load_w,
        before_w=first.power_w,
        after_w=_power(last),
        export_rise_mwh=last.export_mwh - stepped.export_mwh,
        import_rise_mwh=last.import_mwh - stepped.import_mwh,
        waited_s=clock.monotonic() - asked_at,
    )


def _watch_registers(read: Callable[[], Reading], stepped: Reading, clock: Clock) -> tuple[Reading, Reading]:
    """The last reading and the first after the step: apart by some steps of a register, or by RISE_WITHIN_S."""
    last, until = stepped, clock.monotonic() + RISE_WITHIN_S
    while clock.monotonic() < until:
        clock.sleep(LOOK_EVERY_S)
        last = read()
        rises = (last.export_mwh - stepped.export_mwh, last.import_mwh - stepped.import_mwh)
        if max(rises) >= QUANTA * last.quantum_mwh:
            break
    return last, stepped


def _power(reading: Reading) -> float:
    return reading.power_w or 0.0
