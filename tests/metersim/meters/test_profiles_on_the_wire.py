"""Every register of every profile goes over a simulated wire and comes back as what the meter holds: a table test."""

import pytest

from meteredge.profiles import Profile, Register, load, names
from metersim.bus import rtu
from metersim.bus.line import Line
from metersim.bus.wire import Wire
from metersim.meters.image import MWH_PER_UNIT, Place, places, scaled
from metersim.meters.installation import Installation
from metersim.meters.meter import Meter, MeterPlan

NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z
LINE = Line(9_600)


def meter_of(profile: str) -> Meter:
    phases = min(load(profile).phases)
    installation = Installation(seed=3, weather_seed=1, phases=phases, pv_peak_w=4_000)
    plan = MeterPlan(
        profile,
        installation,
        LINE,
        unit=17,
        since_utc=NOON - 7_200,
        import_mwh=1_234_560_000,
        export_mwh=987_650_000,
        with_optional=True,
    )
    return plan.build()


def ask(meter: Meter, function: int, address: int, count: int) -> bytes:
    """The reply's PDU to one request on a wire that has been quiet for long, at noon."""
    wire = Wire(LINE, [meter])
    wire.timeline = wire.timeline.__class__(NOON, 0.0, 0.0)
    pdu = bytes([function]) + address.to_bytes(2, "big") + count.to_bytes(2, "big")
    wire.transmit(0.0, rtu.frame(meter.unit, pdu))
    parts = rtu.unframe(bytes(symbol.value for symbol in wire.advance(10.0)))
    assert parts is not None
    assert parts[0] == meter.unit
    return parts[1]


def words_of(pdu: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(pdu[k : k + 2], "big") for k in range(2, len(pdu), 2))


def readable(profile: Profile) -> list[Place]:
    """The registers that a master can read, each at an address that no other one has taken; billed ones come first."""
    taken: set[tuple[int, int]] = set()
    found = []
    for place in sorted(places(profile), key=lambda place: place.register.name not in profile.energy_registers):
        register = place.register
        cells = {(register.fc, address) for address in range(register.address, register.end)}
        if not register.write_only and not cells & taken:
            found.append(place)
            taken |= cells
    return found


CASES = [(name, place) for name in names() for place in readable(load(name))]


@pytest.mark.parametrize(
    ("profile", "place"), CASES, ids=[f"{name} {place.table}.{place.register.name}" for name, place in CASES]
)
def test_a_register_comes_back_as_what_the_meter_holds(profile: str, place: Place) -> None:
    meter = meter_of(profile)
    moment = meter.moment(NOON)
    register = scaled(meter.profile, place.register, lambda scale: meter.value(scale, moment))
    pdu = ask(meter, register.fc, register.address, register.words)
    assert pdu[:2] == bytes([register.fc, 2 * register.words])
    decoded = meter.profile.decode(register, words_of(pdu))
    held = meter.value(place, moment)
    if isinstance(held, str):
        assert decoded == held
        return
    assert not isinstance(decoded, str)
    resolution = 0.0 if register.type.startswith("f") else float(abs(register.scale)) / 2
    expected = float(held) / MWH_PER_UNIT.get(register.unit, 1)
    assert float(decoded) == pytest.approx(expected, rel=2**-23, abs=resolution + 1e-9)


def exception_of(meter: Meter, function: int, address: int, count: int) -> int:
    pdu = ask(meter, function, address, count)
    assert pdu[0] == function | 0x80
    return pdu[1]


def first_energy(profile: Profile) -> Register:
    return profile.registers[profile.energy_registers[0]]


@pytest.mark.parametrize("name", names())
def test_more_registers_than_the_meter_gives_are_exception_3(name: str) -> None:
    meter = meter_of(name)
    energy = first_energy(meter.profile)
    assert exception_of(meter, energy.fc, energy.address, meter.profile.max_registers + 2) == rtu.ILLEGAL_VALUE


@pytest.mark.parametrize("name", names())
def test_an_address_that_the_map_does_not_have_is_exception_2(name: str) -> None:
    meter = meter_of(name)
    assert exception_of(meter, first_energy(meter.profile).fc, 0xFFF0, 2) == rtu.ILLEGAL_ADDRESS


@pytest.mark.parametrize("name", [name for name in names() if load(name).even_requests])
def test_a_meter_that_wants_even_requests_answers_odd_ones_with_exception_2(name: str) -> None:
    meter = meter_of(name)
    energy = first_energy(meter.profile)
    assert exception_of(meter, energy.fc, energy.address + 1, 2) == rtu.ILLEGAL_ADDRESS
    assert exception_of(meter, energy.fc, energy.address, 3) == rtu.ILLEGAL_ADDRESS


@pytest.mark.parametrize("name", names())
def test_writing_is_exception_1_or_silence(name: str) -> None:
    meter = meter_of(name)
    assert exception_of(meter, 6, 0, 0) == rtu.ILLEGAL_FUNCTION


@pytest.mark.parametrize("holes", ["zero", "exception"])
def test_a_hole_between_registers_answers_what_the_profile_says(holes: str) -> None:
    name = next(name for name in names() if load(name).holes == holes and has_a_hole(load(name)))
    meter = meter_of(name)
    address = first_hole(meter.profile)
    pdu = ask(meter, first_energy(meter.profile).fc, address, 2)
    assert (pdu[0] & 0x80 == 0) is (holes == "zero")


def has_a_hole(profile: Profile) -> bool:
    return first_hole(profile) >= 0


def first_hole(profile: Profile) -> int:
    """The first even address with two free registers between named ones of the energy's function code, or -1."""
    fc = first_energy(profile).fc
    taken = {a for r in profile.all_registers() if r.fc == fc for a in range(r.address, r.end)}
    free = (a for a in range(min(taken), max(taken), 2) if a not in taken and a + 1 not in taken)
    return next(free, -1)


def test_a_meter_that_needs_a_gap_is_silent_without_it() -> None:
    name = next(name for name in names() if load(name).min_gap_ms >= 60)
    meter = meter_of(name)
    energy = first_energy(meter.profile)
    request = rtu.frame(meter.unit, bytes([energy.fc]) + energy.address.to_bytes(2, "big") + b"\0\2")
    gap_s = meter.profile.min_gap_ms / 1_000
    wire = Wire(LINE, [meter])
    wire.transmit(0.0, request)
    replied_s = wire.advance(5.0)[-1].end_s
    wire.transmit(replied_s + gap_s / 2, request)
    assert wire.advance(replied_s + 5.0) == []
    wire.transmit(replied_s + 6.0, request)
    assert wire.advance(replied_s + 11.0) != []
