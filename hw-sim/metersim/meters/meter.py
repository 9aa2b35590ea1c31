"""A simulated meter: a station whose registers follow its profile and whose energies follow its installation.

It answers as the real ones do: exception 1 for a function that its map does not use, 2 for an address that is not
there or an odd one where only even ones are allowed, 3 for more registers than it gives at once; silence if the master
did not leave it the gap that it needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from meteredge.profiles import Profile, load
from metersim.bus.bank import read_registers
from metersim.bus.fault import Request
from metersim.bus.line import Line
from metersim.meters.changes import Change
from metersim.meters.electrics import Moment, measured, quantised
from metersim.meters.image import MWH_PER_UNIT, Image, Place, Value
from metersim.meters.installation import Installation
from metersim.meters.integral import Accounting, Flow, Integral
from metersim.meters.settings import setting

HIGHEST_OWN_UNIT = 247
UNSIGNED = ("u16", "u32", "u64", "acc32")
"""Registers that cannot show a direction: they hold the magnitude."""
USUAL_LINE = Line(9_600, "8N1")
USUAL_TURNAROUND_S = 0.02
"""Where the profile does not say how soon a meter answers."""


class MeterPlanError(ValueError):
    """A meter that cannot be built as planned."""


@dataclass(frozen=True, slots=True)
class MeterPlan:
    """A meter to be built, here or in another process.

    `profile` is a name or alias; `line` how its port is set; `since_utc` (Unix seconds) when its installation began to
    count, on top of `import_mwh` and `export_mwh`.  `settings` overrule what registers of identity, config and tamper
    hold.  `turnaround_s` None means as the profile says.  `accounting` matters where the profile does not know it;
    `modulus_mwh`, where the registers wrap, overrules the profile's.  `changes` happen to it later.
    """

    profile: str
    installation: Installation
    line: Line = USUAL_LINE
    unit: int = 1
    serial: str = "10000001"
    since_utc: float = 0.0
    import_mwh: int = 0
    export_mwh: int = 0
    accounting: Accounting = "vector"
    turnaround_s: float | None = None
    with_optional: bool = False
    settings: Mapping[str, Value] = field(default_factory=dict)
    modulus_mwh: int | None = None
    flipped: bool = False
    changes: tuple[Change, ...] = ()

    def build(self) -> "Meter":
        """The meter.  Raises ProfileError, and MeterPlanError if meter and installation do not fit together."""
        return Meter(self, load(self.profile))


class Meter:
    """One meter on the wire."""

    def __init__(self, plan: MeterPlan, profile: Profile) -> None:
        phases = plan.installation.phases
        if phases not in profile.phases:
            raise MeterPlanError(f"{profile.model} has {profile.phases} phases, the installation {phases}")
        if plan.unit > HIGHEST_OWN_UNIT and plan.unit != profile.general_address:
            raise MeterPlanError(f"unit {plan.unit} is no address of a {profile.model}; it has 1 to {HIGHEST_OWN_UNIT}")
        self.plan = plan
        self.profile = profile
        self._image = Image(profile, with_optional=plan.with_optional, flipped=plan.flipped)
        accounting = plan.accounting
        if profile.phase_accounting in ("vector", "per_phase"):
            accounting = profile.phase_accounting
        self._integral = Integral(plan.installation, accounting)
        self._step_mwh = max(1, int(profile.energy_quantum_wh * 1_000))
        self._quantum_mwh = max(1, int(self._step_mwh * self._ratio()))
        self._start = Flow(plan.import_mwh, plan.export_mwh, *_shares(plan, phases))
        self._modulus_mwh = profile.register_modulus_mwh if plan.modulus_mwh is None else plan.modulus_mwh
        self._became: list[tuple[float, Meter]] = []
        for change in sorted(plan.changes, key=lambda change: change.at_utc):
            held = self.moment(change.at_utc).energy_mwh
            before = self.at(change.at_utc).plan
            after = change.applied(replace(before, changes=()), held)
            self._became.append((change.at_utc, Meter(after, profile)))

    def at(self, at_utc: float) -> "Meter":
        """The meter as it is at `at_utc`, after the changes that have happened by then."""
        found = self
        for since, meter in self._became:
            if since <= at_utc:
                found = meter
        return found

    @property
    def unit(self) -> int:
        """Its Modbus address."""
        return self.plan.unit

    @property
    def turnaround_s(self) -> float:
        """Seconds from the end of a request to its reply."""
        if self.plan.turnaround_s is not None:
            return self.plan.turnaround_s
        typical = self.profile.response_ms.typical
        return USUAL_TURNAROUND_S if typical is None else typical / 1_000

    def answer(self, request: Request) -> bytes | None:
        """The reply's PDU; None if the gap before the request was too short for this model."""
        if request.quiet_s < self.profile.min_gap_ms / 1_000:
            return None
        now = self.at(request.utc_s)
        if now is not self:
            return now.answer(request)
        moment = self.moment(request.utc_s)
        return read_registers(
            request.pdu,
            lambda function, address, count: self._image.read(
                function, address, count, lambda place: self.value(place, moment)
            ),
        )

    def moment(self, at_utc: float) -> Moment:
        """What this meter measures and holds at `at_utc` (Unix seconds)."""
        now = self.at(at_utc)
        if now is not self:
            return now.moment(at_utc)
        counted = self._integral.energy_wms(self.plan.since_utc, at_utc)
        nothing = Flow(0, 0, (0,) * len(counted.phase_import), (0,) * len(counted.phase_export))
        energy = quantised(counted, self._start, self._quantum_mwh, self._modulus_mwh)
        return Moment(
            at_utc=at_utc,
            power=self._integral.power_w(at_utc),
            energy_mwh=energy,
            partial_mwh=quantised(counted, nothing, self._quantum_mwh, self._modulus_mwh),
            total_mwh=self._total(energy),
        )

    def held_mwh(self, at_utc: float) -> Flow:
        """What its energy registers hold at `at_utc`, mWh: the part of `moment` that costs least."""
        now = self.at(at_utc)
        if now is not self:
            return now.held_mwh(at_utc)
        counted = self._integral.energy_wms(self.plan.since_utc, at_utc)
        return quantised(counted, self._start, self._quantum_mwh, self._modulus_mwh)

    def value(self, place: Place, moment: Moment) -> Value:
        """What a register shows; energies in mWh, everything else in the register's unit."""
        now = self.at(moment.at_utc)
        if now is not self:
            return now.value(place, moment)
        name = place.register.name
        if place.table != "registers":
            return self._setting(name, place)
        if name in self.profile.energy_registers:
            return self._billed(name, moment)
        value = measured(name, moment)
        if value is None:
            return self._setting(name, place)
        return -value if place.register.type in UNSIGNED and value < 0 else value

    def _billed(self, name: str, moment: Moment) -> int:
        """A register that is billed: in a total that is kept in several, the later ones hold an equal share each."""
        imports = self.profile.import_registers
        names, total = (
            (imports, moment.energy_mwh.import_)
            if name in imports
            else (self.profile.export_registers, moment.energy_mwh.export)
        )
        total = int(total / self._ratio())
        share = total // (len(names) * self._step_mwh) * self._step_mwh
        return share if name != names[0] else total - share * (len(names) - 1)

    def _ratio(self) -> Fraction:
        """What the energy registers are multiplied by to give energy: the transformers' ratios."""
        ratio = Fraction(1)
        for name in self.profile.scale_by:
            ratio *= Fraction(Decimal(str(self._setting(name, Place("config", self.profile.config[name])))))
        return ratio

    def _total(self, energy: Flow) -> int:
        """What `total_energy` means follows a switch on some meters; without one it is the sum."""
        mode = self.profile.config.get("measurement_mode")
        code = None if mode is None else self._setting(mode.name, Place("config", mode))
        if code == 1:
            return energy.import_
        return energy.import_ - energy.export if code == 3 else energy.import_ + energy.export

    def _setting(self, name: str, place: Place) -> Value:
        if name in self.plan.settings:
            return self.plan.settings[name]
        value = setting(self.profile, place.register, serial=self.plan.serial, unit=self.plan.unit, line=self.plan.line)
        factor = MWH_PER_UNIT.get(place.register.unit)
        return value if factor is None or isinstance(value, str) else value * factor


def _shares(plan: MeterPlan, phases: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The phases' part of the registers at the start: alike."""
    return (plan.import_mwh // phases,) * phases, (plan.export_mwh // phases,) * phases
