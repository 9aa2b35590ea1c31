"""What a meter measures at a moment, by the names that profiles use: `voltage_l2`, `power`, `export_energy_l1` …

A name is a quantity and perhaps a phase.  Import is positive.  Every load has the same power factor, so that reactive
energy follows from the active one; voltages sway by the hour and sag with the load.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from metersim.meters.integral import WMS_PER_MWH, Flow

NOMINAL_V = 230.0
NOMINAL_HZ = 50.0
REACTIVE_SHARE = 0.25
"""Reactive over active power: a power factor of 0.970, inductive."""
_APPARENT_SHARE = math.hypot(1.0, REACTIVE_SHARE)
_PHASE = re.compile(r"(?P<quantity>\w+?)_l(?P<phase>[123])")
_SAG_V_PER_W = 0.000_5

Value = Decimal | float | int


@dataclass(frozen=True, slots=True)
class Moment:
    """One connection at one moment.

    `power` in W; `energy_mwh` what the registers hold, `partial_mwh` what came since they were last reset by hand, both
    as whole quanta; `total_mwh` is whatever this meter's "total" register means.
    """

    at_utc: float
    power: Flow
    energy_mwh: Flow
    partial_mwh: Flow
    total_mwh: int


def quantised(wms: Flow, start: Flow, quantum_mwh: int, modulus_mwh: int = 0) -> Flow:
    """Registers (mWh) that counted `wms` on top of `start` (mWh): whole quanta, a started one does not show."""

    def count(counted_wms: int, start_mwh: int) -> int:
        total = (start_mwh * WMS_PER_MWH + counted_wms) // (quantum_mwh * WMS_PER_MWH) * quantum_mwh
        return total % modulus_mwh if modulus_mwh else total

    return Flow(
        count(wms.import_, start.import_),
        count(wms.export, start.export),
        tuple(map(count, wms.phase_import, start.phase_import)),
        tuple(map(count, wms.phase_export, start.phase_export)),
    )


def measured(name: str, moment: Moment) -> Value | None:
    """The value of the register called `name`, in V, A, W, VA, var, Hz, degrees, or mWh and mvarh for energies.

    None if no such quantity is known here.
    """
    match = _PHASE.fullmatch(name)
    phase = int(match["phase"]) - 1 if match else None
    if phase is not None and phase >= len(moment.power.phase_import):
        return 0
    quantity = (match["quantity"] if match else name).removesuffix("_alt")
    find = _QUANTITIES.get(quantity)
    return None if find is None else find(moment, phase)


def _net_w(moment: Moment, phase: int | None) -> int:
    flow = moment.power
    return flow.import_ - flow.export if phase is None else flow.phase_import[phase] - flow.phase_export[phase]


def _voltage(moment: Moment, phase: int | None) -> float:
    sway = math.sin(math.tau * moment.at_utc / 3_600 + 2 * (phase or 0))
    return NOMINAL_V + 2.0 * sway - _SAG_V_PER_W * _net_w(moment, phase)


def _frequency(moment: Moment, _phase: int | None) -> float:
    return NOMINAL_HZ + 0.02 * math.sin(math.tau * moment.at_utc / 600)


def _apparent(moment: Moment, phase: int | None) -> float:
    return abs(_net_w(moment, phase)) * _APPARENT_SHARE


def _current(moment: Moment, phase: int | None) -> float:
    return _apparent(moment, phase) / _voltage(moment, phase)


def _reactive(moment: Moment, phase: int | None) -> float:
    return abs(_net_w(moment, phase)) * REACTIVE_SHARE


def _imported(flow: Flow, phase: int | None) -> int:
    return flow.import_ if phase is None else flow.phase_import[phase]


def _exported(flow: Flow, phase: int | None) -> int:
    return flow.export if phase is None else flow.phase_export[phase]


def _reactive_energy(moment: Moment, phase: int | None) -> int:
    return int((_imported(moment.energy_mwh, phase) + _exported(moment.energy_mwh, phase)) * REACTIVE_SHARE)


_QUANTITIES: dict[str, Callable[[Moment, int | None], Value]] = {
    "voltage": _voltage,
    "line_voltage": lambda m, p: math.sqrt(3) * _voltage(m, p),
    "frequency": _frequency,
    "power": _net_w,
    "import_power": lambda m, p: max(_net_w(m, p), 0),
    "export_power": lambda m, p: max(-_net_w(m, p), 0),
    "apparent_power": _apparent,
    "reactive_power": _reactive,
    "current": _current,
    "power_factor": lambda _m, _p: 1 / _APPARENT_SHARE,
    "phase_angle": lambda _m, _p: math.degrees(math.atan(REACTIVE_SHARE)),
    "import_energy": lambda m, p: _imported(m.energy_mwh, p),
    "export_energy": lambda m, p: _exported(m.energy_mwh, p),
    "total_energy": lambda m, _p: m.total_mwh,
    "net_energy": lambda m, _p: m.energy_mwh.import_ - m.energy_mwh.export,
    "import_reactive": _reactive_energy,
    "export_reactive": lambda _m, _p: 0,
    "total_reactive": _reactive_energy,
    "resettable_import": lambda m, p: _imported(m.partial_mwh, p),
    "import_partial": lambda m, p: _imported(m.partial_mwh, p),
    "resettable_export": lambda m, p: _exported(m.partial_mwh, p),
    "resettable_total": lambda m, p: _imported(m.partial_mwh, p) + _exported(m.partial_mwh, p),
}
