"""Direction, proved by a load: a reversed current transformer or a swapped supply side mints for consumption."""

from meteredge.doctor.facts import Facts, LoadStep, Unknown
from meteredge.doctor.sheet import Check, Line

LEAST_SHARE = 0.5
"""A step of power below this share of the load's plate is no proof."""
REVERSED = (
    "turn the current transformer round, or swap supply and load side; until then nothing of this meter may be signed"
)

_DIRECTION = Line("meter", "direction", "direction")


def direction(facts: Facts) -> Check:
    """The named load was seen with the right sign, and the register that belongs to it rose."""
    step = facts.load_step
    if isinstance(step, Unknown):
        return _DIRECTION.left_out(step.why)
    expected = "reversed" if _is_reversed(facts) else "normal"
    change = step.after_w - step.before_w
    shown = f"{step.name}: {step.before_w:,.0f} W, then {step.after_w:,.0f} W"
    if abs(change) < LEAST_SHARE * step.load_w:
        return _DIRECTION.failed(
            f"{shown} within {step.waited_s:.0f} s: no step of {step.load_w:,.0f} W",
            "is the load behind this meter, and was it switched on? Run it again with a larger one",
        )
    if change < 0:
        return _DIRECTION.failed(f"{shown}: what is used is counted as fed in ({expected} is configured)", REVERSED)
    rose, other = _rises(step)
    if rose <= 0:
        return _DIRECTION.failed(
            f"{shown}: the power has the right sign, but in {step.waited_s:.0f} s the register of its direction did "
            f"not rise ({other})",
            "leave the load on for longer (`--wait`); if it still does not, the profile names the wrong register",
        )
    return _DIRECTION.passed(f"{shown}; {other}")


def _rises(step: LoadStep) -> tuple[int, str]:
    """How far the register rose that the power after the step belongs to, and how that reads."""
    rise, name = (step.import_rise_mwh, "import") if step.after_w >= 0 else (step.export_rise_mwh, "export")
    return rise, f"{name} rose by {rise / 1000:,.1f} Wh"


def _is_reversed(facts: Facts) -> bool:
    return not isinstance(facts.meter, Unknown) and facts.meter.direction == "reversed"
