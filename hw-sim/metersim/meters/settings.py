"""What a meter's identity, configuration and tamper registers hold: serial number, address, how its port is set."""

from meteredge.profiles import Profile, Register
from metersim.bus.line import Line
from metersim.meters.image import TEXT, Value


def setting(profile: Profile, register: Register, *, serial: str, unit: int, line: Line) -> Value:
    """What a register holds that does not measure: what the profile demands, the port's settings, or the factory's."""
    name = register.name
    if register.expect:
        return register.expect[0]
    if name in profile.require:
        return profile.require[name]
    if name == "serial_number":
        return serial if register.type in TEXT else int(serial)
    if register.type in TEXT:
        return profile.model[: 2 * register.words]
    if name == "modbus_address":
        return unit
    if register.usual is not None:
        return register.usual
    if name in profile.scale_by:
        return 1
    if register.values:
        return _code(register, line)
    return register.range[0] if register.range else 0


def _code(register: Register, line: Line) -> int:
    """The code that says how the port is set, or the one that is marked as the factory's, or the first."""
    port = {str(line.baud), line.character}
    for code, meaning in register.values.items():
        if str(meaning) in port:
            return code
    factory = (code for code, meaning in register.values.items() if "default" in str(meaning))
    return next(factory, next(iter(register.values)))
