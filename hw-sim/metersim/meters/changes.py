"""What happens to a meter: from `at_utc` (Unix seconds of the meters' world) on it is another one than it was.

    MeterPlan("sdm630", ..., changes=(RegisterReset(noon), Setting(one, "energy_units_prefix", 1)))

Changes apply in the order of their time.  What the meter held just before is carried on, unless the change says
otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from metersim.meters.integral import Flow

if TYPE_CHECKING:
    from metersim.meters.meter import MeterPlan


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happens to a meter at `at_utc`."""

    at_utc: float

    def applied(self, plan: "MeterPlan", held: Flow) -> "MeterPlan":
        """The plan from now on, of a meter that held `held` (mWh)."""
        return replace(plan, since_utc=self.at_utc, import_mwh=held.import_, export_mwh=held.export)


@dataclass(frozen=True, slots=True)
class RegisterReset(Change):
    """Somebody zeroes the energy registers: any master on the bus can, on some models."""

    def applied(self, plan: "MeterPlan", held: Flow) -> "MeterPlan":
        """From zero."""
        return Change.applied(self, plan, replace(held, import_=0, export=0))


@dataclass(frozen=True, slots=True)
class Restart(Change):
    """The meter restarts, and what it counted since it last saved its registers is gone."""

    forgets_import_mwh: int = 0
    forgets_export_mwh: int = 0

    def applied(self, plan: "MeterPlan", held: Flow) -> "MeterPlan":
        """A little less than it held."""
        import_mwh = max(0, held.import_ - self.forgets_import_mwh)
        export_mwh = max(0, held.export - self.forgets_export_mwh)
        return Change.applied(self, plan, replace(held, import_=import_mwh, export=export_mwh))


@dataclass(frozen=True, slots=True)
class OtherDevice(Change):
    """Another device of the same model is wired in the meter's place; registers in mWh."""

    serial: str = "99999999"
    import_mwh: int = 0
    export_mwh: int = 0
    settings: Mapping[str, int] = field(default_factory=dict)

    def applied(self, plan: "MeterPlan", held: Flow) -> "MeterPlan":
        """Its own serial number and registers, on the same address and speed."""
        shown = replace(held, import_=self.import_mwh, export=self.export_mwh)
        settings = {**plan.settings, **self.settings}
        return replace(Change.applied(self, plan, shown), serial=self.serial, settings=settings)


@dataclass(frozen=True, slots=True)
class Setting(Change):
    """A register of configuration or tamper evidence holds another value: a mode, a ratio, a counter."""

    register: str = ""
    value: int = 0

    def applied(self, plan: "MeterPlan", held: Flow) -> "MeterPlan":
        """With the setting; it counts on."""
        return replace(Change.applied(self, plan, held), settings={**plan.settings, self.register: self.value})


@dataclass(frozen=True, slots=True)
class WordOrderFlipped(Change):
    """Numbers of several registers are sent in the other word order: a switch on some models."""

    def applied(self, plan: "MeterPlan", held: Flow) -> "MeterPlan":
        """Flipped, or back again."""
        return replace(Change.applied(self, plan, held), flipped=not plan.flipped)


@dataclass(frozen=True, slots=True)
class CurrentReversed(Change):
    """A current transformer is turned round: what was import is counted as export, and the other way."""

    def applied(self, plan: "MeterPlan", held: Flow) -> "MeterPlan":
        """It counts on, backwards."""
        installation = replace(plan.installation, reversed=not plan.installation.reversed)
        return replace(Change.applied(self, plan, held), installation=installation)


CHANGES: Mapping[str, type[Change]] = {
    "register_reset": RegisterReset,
    "restart": Restart,
    "other_device": OtherDevice,
    "setting": Setting,
    "word_order_flipped": WordOrderFlipped,
    "current_reversed": CurrentReversed,
}
