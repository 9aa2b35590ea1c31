"""The meter and the bridge by what they answer, through whatever bus there is."""

from dataclasses import replace

from meteredge.block_bus import BlockBus
from meteredge.bus import timing_of
from meteredge.bus_errors import BusError
from meteredge.config import MeterTable
from meteredge.doctor.facts import BridgeFacts, MeterFacts
from meteredge.doctor.gather.port import trouble_of
from meteredge.profiles import NotAvailable, PhaseAccounting, Profile, Register
from meteredge.reader import Reader, Reading


def meter_facts(reader: Reader, table: MeterTable, profile: Profile, site_adds: PhaseAccounting | None) -> MeterFacts:
    """Identify and read it once; what goes wrong is a fact.  `site_adds`: how the site adds phases."""
    facts = MeterFacts(
        profile=profile.name,
        model=f"{profile.maker} {profile.model}",
        phases=max(profile.phases),
        phase_accounting=profile.phase_accounting and (profile.phases_added(table.phase_accounting) or "unknown"),
        unit=table.unit,
        identity_level=profile.identity_level,
        expected_serial=table.serial,
        require=dict(profile.require),
        doubts=profile.warnings(),
        direction=table.direction,
        site_phase_accounting=site_adds,
    )
    try:
        serial = reader.identify()
        return with_reading(replace(facts, serial=serial), reader.read(), profile)
    except BusError as error:
        return replace(facts, trouble=trouble_of(error))


def with_reading(facts: MeterFacts, reading: Reading, profile: Profile) -> MeterFacts:
    """The facts with what was read."""
    settings = {name: register for name, register in profile.config.items() if name in reading.values}
    return replace(
        facts,
        serial=reading.serial or facts.serial,
        export_mwh=reading.export_mwh,
        import_mwh=reading.import_mwh,
        power_w=reading.power_w,
        values=dict(reading.values),
        settings={name: _in_words(register, reading.values[name]) for name, register in settings.items()},
    )


def bridge_facts(bus: BlockBus, unit: int, profile: Profile) -> BridgeFacts:
    """The bridge's registers, each by itself: they never reach the wire."""
    values: dict[str, float | str] = {}
    try:
        for register in (*profile.registers.values(), *profile.identity.values(), *profile.tamper.values()):
            words = bus.read_block(unit, register.fc, register.address, register.words, timing_of(profile))
            try:
                value = register.decode(words)
            except NotAvailable:
                continue
            values[register.name] = value if isinstance(value, str) else float(value)
    except BusError as error:
        return BridgeFacts(unit, values, trouble_of(error))
    return BridgeFacts(unit, values)


def _in_words(register: Register, value: float) -> str:
    named = register.values.get(int(value)) if value.is_integer() else None
    return str(named) if named is not None else f"{value:g}"
