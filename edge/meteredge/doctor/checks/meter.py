"""Is it the meter that belongs here, set as its profile needs, and is what it shows to be believed?"""

from meteredge.doctor.checks.known import known
from meteredge.doctor.facts import Facts, Found, MeterFacts, Unknown
from meteredge.doctor.sheet import Check, Line

LABEL = "label:"
"""Before a serial number in the registry that a person read off the meter."""

_ANSWERS = Line("meter", "meter", "meter")
_SERIAL = Line("meter", "serial", "serial number")
_MODE = Line("meter", "mode", "mode registers")
_PHASES = Line("meter", "phases", "phase accounting")
_CERTAINTY = Line("meter", "certainty", "what is not confirmed")


def _meter(facts: Facts) -> Found[MeterFacts]:
    return facts.meter


@known(_ANSWERS, _meter)
def answers(facts: Facts, meter: MeterFacts) -> Check:
    """The meter answers as its profile says."""
    if meter.trouble and meter.trouble.kind not in {"other_meter", "wrong_settings"}:
        return _ANSWERS.failed(meter.trouble.fact, meter.trouble.next_step)
    registry = _registry_model(facts)
    if registry and registry != meter.profile[: len(registry)]:
        return _ANSWERS.warned(
            f"the profile is {meter.profile}, the registry has {registry}",
            "correct `profile` in [meter], or have the operator correct the registry",
        )
    if meter.export_mwh is None or meter.import_mwh is None:
        return _ANSWERS.passed(f"{meter.model} answers as unit {meter.unit}")
    power = "" if meter.power_w is None else f", {meter.power_w:,.0f} W"
    return _ANSWERS.passed(
        f"{meter.model}, unit {meter.unit}: export {meter.export_mwh / 1e6:,.3f} kWh, "
        f"import {meter.import_mwh / 1e6:,.3f} kWh{power}"
    )


@known(_SERIAL, _meter)
def serial(facts: Facts, meter: MeterFacts) -> Check:
    """Its serial number is the configuration's and the registry's."""
    if meter.trouble and meter.trouble.kind == "other_meter":
        return _SERIAL.failed(meter.trouble.fact, meter.trouble.next_step)
    registered = None if isinstance(facts.chain, Unknown) or not facts.chain.meter else facts.chain.meter.serial
    if meter.identity_level == "label":
        if registered and not registered.startswith(LABEL):
            return _SERIAL.failed(
                f"this model has no serial number on the wire, the registry has {registered}",
                "this is another model than the one that was enrolled: call the operator",
            )
        plate = f"the registry has {registered.removeprefix(LABEL)}: " if registered else ""
        return _SERIAL.passed(f"none on the wire; {plate}compare it with the meter's plate")
    if meter.serial is None:
        return _SERIAL.left_out("the meter could not be read")
    if registered and registered != meter.serial:
        return _SERIAL.failed(
            f"meter {meter.serial} answers, the registry has {registered}",
            "nothing may be signed: call the operator, the registry must be told of the exchange",
        )
    if registered:
        return _SERIAL.passed(f"{meter.serial}, as in the registry")
    if meter.expected_serial:
        return _SERIAL.passed(f"{meter.serial}, as in the configuration")
    return _SERIAL.passed(f"{meter.serial}; not compared with the registry")


@known(_MODE, _meter)
def mode(_facts: Facts, meter: MeterFacts) -> Check:
    """Settings that change what energy means are as the profile requires."""
    if meter.trouble and meter.trouble.kind == "wrong_settings":
        return _MODE.failed(meter.trouble.fact, meter.trouble.next_step)
    if meter.trouble:
        return _MODE.left_out("the meter could not be read")
    shown = ", ".join(f"{name} = {value}" for name, value in meter.settings.items())
    if meter.require:
        return _MODE.passed(shown or "as required")
    return _MODE.passed(shown) if shown else _MODE.left_out("this model has none that change its energy")


@known(_PHASES, _meter)
def phases(_facts: Facts, meter: MeterFacts) -> Check:
    """How three phases are added is known, and is the site's way."""
    if meter.phases == 1:
        return _PHASES.left_out("one phase")
    if meter.phase_accounting == "unknown":
        return _PHASES.warned(
            f"nobody has found out how this model adds its phases ({meter.model})",
            "load one phase while another feeds in: netted (vector) or counted apart (per_phase)? Write it as "
            "`phase_accounting` into [meter], and tell the operator",
        )
    if meter.site_phase_accounting not in (None, meter.phase_accounting):
        return _PHASES.failed(
            f"added as {meter.phase_accounting}, the site as {meter.site_phase_accounting}: the same flow mints other "
            "amounts",
            "set the meter otherwise if it can be, or have the operator choose another model",
        )
    return _PHASES.passed(
        f"{meter.phase_accounting}: "
        + ("netted over the phases" if meter.phase_accounting == "vector" else "each phase counted by itself")
    )


@known(_CERTAINTY, _meter)
def certainty(_facts: Facts, meter: MeterFacts) -> Check:
    """What the profile claims without proof."""
    if meter.doubts:
        return _CERTAINTY.passed(
            f"{len(meter.doubts)} facts of the profile: {'; '.join(meter.doubts[:2])}"
            + ("; …" if len(meter.doubts) > 2 else "")
        )
    return _CERTAINTY.passed("every fact that money depends on is confirmed")


def _registry_model(facts: Facts) -> str | None:
    if isinstance(facts.chain, Unknown) or facts.chain.meter is None:
        return None
    return facts.chain.meter.model or None
