"""Maps without a fixed place, scales that stand in registers, and profiles that are like another one."""

import dataclasses
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from meteredge.bus import Bus
from meteredge.bus_errors import BusError, DeviceException, RequestRefused
from meteredge.clock import VirtualClock
from meteredge.plan import plan_reading
from meteredge.profiles import MapNotFound, Profile, ProfileError, Register, energy_of, find_parts, load, names
from meteredge.profiles.folder import read_profile
from meteredge.profiles.register import EXPONENTS
from meteredge.profiles.search import Found, Search
from meteredge.reader import Implausible, Reader, WrongModel, WrongSettings
from metersim.bus.fault import Request
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.timeline import Timeline
from metersim.bus.wire import Wire
from metersim.meters.image import Place
from metersim.meters.installation import Installation
from metersim.meters.meter import Meter, MeterPlan, MeterPlanError

NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z
LINE = Line(9_600)
MARKER = (0x5375, 0x6E53)
SEARCH = Search.model_validate(
    {
        "fc": 3,
        "marker": MARKER,
        "bases": (40_000, 0, 50_000),
        "parts": {
            "common": {"id": 1, "length": 66, "usual": 40_002},
            "meter": {"id": 203, "length": 105, "usual": 40_070},
        },
    }
)
SEARCHED = [name for name in names() if load(name).search]

Held = dict[str, Decimal | float | int | str]


# --- finding the parts


class Map:
    """Words at some addresses, and what was asked of them."""

    def __init__(self, base: int, parts: Iterable[tuple[int, int]]) -> None:
        words = list(MARKER)
        for number, length in parts:
            words += [number, length, *[0] * length]
        self.words = {base + at: word for at, word in enumerate([*words, 0xFFFF, 0])}
        self.asked: list[tuple[int, int]] = []

    def read(self, address: int, count: int) -> tuple[int, ...] | None:
        self.asked.append((address, count))
        wanted = range(address, address + count)
        return tuple(self.words[at] for at in wanted) if all(at in self.words for at in wanted) else None


@pytest.mark.parametrize("base", [40_000, 0, 50_000])
def test_parts_are_found_wherever_the_marker_stands(base: int) -> None:
    found = find_parts(SEARCH, Map(base, [(1, 66), (203, 105)]).read)
    assert found == {"common": Found(base + 2, 66), "meter": Found(base + 70, 105)}


def test_other_parts_are_walked_over_and_a_shorter_one_moves_what_follows() -> None:
    found = find_parts(SEARCH, Map(0, [(1, 65), (160, 48), (203, 105), (203, 105)]).read)
    assert found["meter"] == Found(2 + 67 + 50, 105)


def test_the_usual_place_costs_two_questions_of_different_lengths() -> None:
    there = Map(40_000, [(1, 66), (203, 105)])
    find_parts(SEARCH, there.read)
    assert there.asked == [(40_000, 4), (40_070, 2)]


@pytest.mark.parametrize(
    ("parts", "base", "told"),
    [
        ([(1, 66), (201, 105)], 40_000, r"has the parts 1, 201, but not 203 \(meter\)"),
        ([(203, 105)], 40_000, r"but not 1 \(common\)"),
        ([(1, 66), (203, 105)], 30_000, "its marker 5375 6E53 is not there"),
        ([(7, 0)] * 100, 40_000, "but not"),
    ],
)
def test_what_is_missing_is_named(parts: list[tuple[int, int]], base: int, told: str) -> None:
    with pytest.raises(MapNotFound, match=told):
        find_parts(SEARCH, Map(base, parts).read)


def test_a_header_that_leads_behind_the_last_address_ends_the_search() -> None:
    there = Map(50_000, [(1, 66)])
    there.words[50_003] = 0xFFF0
    with pytest.raises(MapNotFound, match="has the parts 1, but not"):
        find_parts(SEARCH, there.read)


# --- on the wire


def site(name: str, held: Held | None = None, read_as: str | None = None, unit: int = 1) -> tuple[Meter, Reader]:
    """A simulated meter and a reader for it; `read_as` is the profile of the reader."""
    profile = load(name)
    plan = MeterPlan(
        name,
        Installation(seed=3, phases=max(profile.phases), pv_peak_w=5_000),
        LINE,
        unit=unit,
        since_utc=NOON - 7_200,
        import_mwh=1_234_560_000,
        export_mwh=987_650_000,
        settings=held if held is not None else {},
    )
    meter, clock = plan.build(), VirtualClock(NOON)
    wire = Wire(LINE, [meter], timeline=Timeline(NOON, 0.0, 0.0))
    return meter, Reader(Bus(MemoryPort(wire, clock), clock), unit, load(read_as or name), clock)


def like(tmp_path: Path, name: str, text: str) -> str:
    path = tmp_path / "made.toml"
    path.write_text(f'schema = 1\nlike = "{name}"\n{text}')
    return str(path)


@pytest.mark.parametrize("base", [0, 50_000])
@pytest.mark.parametrize("name", SEARCHED)
def test_a_meter_is_read_wherever_its_map_begins(name: str, base: int) -> None:
    profile = load(name)
    assert profile.search is not None
    meter, _ = site(name)
    moved = Meter(
        meter.plan, profile.moved({part: at.usual - 40_000 + base for part, at in profile.search.parts.items()})
    )
    clock = VirtualClock(NOON)
    wire = Wire(LINE, [moved], timeline=Timeline(NOON, 0.0, 0.0))
    reader = Reader(Bus(MemoryPort(wire, clock), clock), 1, profile, clock)
    assert reader.identify() == "10000001"
    assert reader.read().export_mwh == moved.moment(NOON).energy_mwh.export


def test_a_meter_with_another_part_before_its_own_is_read(tmp_path: Path) -> None:
    parts = "[search.parts]\nother = { id = 160, length = 50, usual = 40070 }\nmeter = { usual = 40122 }\n"
    meter, reader = site(like(tmp_path, "sunspec-203", parts), read_as="sunspec-203")
    assert reader.read().import_mwh == meter.moment(NOON).energy_mwh.import_
    assert reader.profile.registers["model_id"].address == 40_122


def test_a_meter_of_another_model_is_refused() -> None:
    with pytest.raises(WrongModel, match=r"has the parts 1, 201, but not 203"):
        site("sunspec-201", read_as="sunspec-203")[1].identify()


def test_a_meter_without_the_marker_is_refused() -> None:
    with pytest.raises(WrongModel, match="no map begins at 40000, 0, 50000"):
        site("pac2200", read_as="sunspec-203")[1].read()


@dataclasses.dataclass(frozen=True)
class Refusing:
    """A station that answers everything with one exception."""

    code: int
    unit: int = 1
    turnaround_s: float = 0.01

    def answer(self, request: Request) -> bytes:
        return bytes([request.pdu[0] | 0x80, self.code])


@pytest.mark.parametrize(("code", "error"), [(2, WrongModel), (6, DeviceException)])
def test_only_a_meter_that_lacks_the_addresses_is_another_model(code: int, error: type[BusError]) -> None:
    clock = VirtualClock(NOON)
    bus = Bus(MemoryPort(Wire(LINE, [Refusing(code)]), clock), clock)
    with pytest.raises(error):
        Reader(bus, 1, load("sunspec-203"), clock).identify()


def test_a_part_that_is_too_short_for_its_registers_is_refused(tmp_path: Path) -> None:
    short = like(tmp_path, "sunspec-203", "[search.parts.meter]\nlength = 60\n")
    with pytest.raises(WrongModel, match="meter has 60 words, events lies behind them"):
        site(short, {"model_length": 60}, read_as="sunspec-203")[1].read()


def test_a_part_that_becomes_another_one_while_we_read_is_not_believed() -> None:
    held: Held = {"model_id": 203}
    _, reader = site("sunspec-203", held)
    reader.read()
    held["model_id"] = 204
    with pytest.raises(Implausible, match="model_id holds 204, this model has 203"):
        reader.read()


# --- scales in registers


@pytest.mark.parametrize("name", SEARCHED)
def test_every_value_is_asked_for_together_with_its_scale(name: str) -> None:
    profile = load(name)
    for block in plan_reading(profile).blocks:
        inside = {register.name for register in block.registers}
        wanted = inside & {*profile.energy_registers, *profile.proof}
        assert {profile.register(r).scale_from for r in wanted} - {""} <= inside


def test_a_scale_that_changes_between_two_readings_changes_nothing_but_the_step() -> None:
    held: Held = {"energy_sf": 0}
    meter, reader = site("sunspec-203", held)
    fine = reader.read()
    held["energy_sf"] = 2
    coarse = reader.read()
    assert (fine.quantum_mwh, coarse.quantum_mwh) == (1_000, 100_000)
    assert fine.import_mwh == meter.moment(NOON).energy_mwh.import_
    assert abs(coarse.import_mwh - fine.import_mwh) <= 50_000


@pytest.mark.parametrize("scale", ["energy_sf", "frequency_sf", "voltage_sf"])
@pytest.mark.parametrize("exponent", [-0x8000, 11])
def test_without_its_scale_nothing_is_believed(scale: str, exponent: int) -> None:
    _, reader = site("sunspec-203")
    block = reader.plan.blocks[0]
    words = [0] * block.words
    at = reader.profile.register(scale).address - block.address
    words[at] = exponent & 0xFFFF
    assert not {r.scale_from for r in block.readable(words)} & {scale}
    names_of = {r.name for r in block.readable(words)}
    assert not {r.name for r in reader.profile.all_registers() if r.scale_from == scale} & names_of


def raw_without_a_scale(profile: Profile, register: Register, value_of: Callable[[Place], object]) -> Register:
    """A meter that lacks a scale still answers the words that it would scale."""
    exponent = value_of(Place("registers", profile.register(register.scale_from))) if register.scale_from else 0
    assert isinstance(exponent, int)
    return register.scaled(exponent if exponent in EXPONENTS else 0) if register.scale_from else register


def test_energy_without_its_scale_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    held: Held = {"energy_sf": -0x8000}
    reader = site("sunspec-203", held)[1]
    monkeypatch.setattr("metersim.meters.image.scaled", raw_without_a_scale)
    with pytest.raises(Implausible, match="export_energy holds a value without its scale"):
        reader.read()


def test_a_register_whose_scale_is_not_known_is_not_decoded() -> None:
    entry = load("sunspec-203").registers["import_energy"]
    with pytest.raises(ProfileError, match="its scale stands in energy_sf"):
        entry.decode((0, 1))
    with pytest.raises(ProfileError, match="its scale stands in energy_sf"):
        energy_of(entry, (0, 1), Decimal(1))
    with pytest.raises(ProfileError, match="no power of ten"):
        entry.scaled(11)
    assert energy_of(entry.scaled(1), (0, 7), Decimal(1)).mwh == 70_000
    assert entry.scaled(-1).encode(Decimal("12.3")) == (0, 123)


# --- likeness


def test_a_profile_that_is_like_another_says_only_what_differs() -> None:
    one, other = load("dtsu666"), load("dtsu666-401e")
    assert (one.energy_registers, other.energy_registers) == (
        ("import_energy", "export_energy"),
        ("import_energy_alt", "export_energy_alt"),
    )
    assert one.registers["voltage_l1"] == other.registers["voltage_l1"]
    assert other.registers["import_energy_alt"].address == 0x401E
    assert one.facts["scale_by"] == other.facts["scale_by"]
    assert not set(one.aliases) & set(other.aliases)


def test_a_map_with_a_fixed_place_is_not_moved() -> None:
    with pytest.raises(ProfileError, match="fixed place"):
        load("sdm120").moved({})


# --- what a profile demands


def test_a_meter_that_counts_export_as_import_is_refused() -> None:
    with pytest.raises(WrongSettings, match="measurement_mode is 0, energy can only be read while it is 1"):
        site("em340", {"measurement_mode": 0})[1].read()


@pytest.mark.parametrize("model_id", [330, 340, 338, 348])
def test_a_sister_model_with_another_map_is_refused(model_id: int) -> None:
    with pytest.raises(WrongModel, match=f"model_id is {model_id}"):
        site("em340", {"model_id": model_id})[1].identify()


def test_a_meter_of_the_same_family_is_taken() -> None:
    assert site("em340", {"model_id": 346})[1].identify() == "10000001"
    assert site("b24", {"model_id": 0x42323420})[1].identify() == "10000001"


def test_a_family_member_with_fewer_phases_is_refused() -> None:
    with pytest.raises(WrongModel, match="model_id is 1110585632"):
        site("b23", {"model_id": 0x42323120})[1].identify()


def test_a_counter_of_changed_parameters_that_moves_is_tampering() -> None:
    held: Held = {"relevant_parameter_changes": 4}
    _, reader = site("pac2200", held)
    reader.read()
    held["relevant_parameter_changes"] = 5
    with pytest.raises(WrongSettings, match="relevant_parameter_changes was 4 and is 5"):
        reader.read()


def test_both_tariffs_are_added() -> None:
    meter, reader = site("pac2200")
    reading = reader.read()
    tariffs = [reading.values[f"import_energy_t{tariff}"] for tariff in (1, 2)]
    assert min(tariffs) > 0
    assert reading.import_mwh == meter.moment(NOON).energy_mwh.import_
    assert sum(tariffs) * 1_000_000 == pytest.approx(reading.import_mwh)


def test_a_general_address_is_asked_only_where_the_model_has_one() -> None:
    meter, reader = site("pzem-004t", unit=0xF8)
    assert reader.read().import_mwh == meter.moment(NOON).energy_mwh.import_
    clock = VirtualClock(NOON)
    bus = Bus(MemoryPort(Wire(LINE, []), clock), clock)
    with pytest.raises(RequestRefused, match="unit 248 is no address of a SDM120"):
        Reader(bus, 0xF8, load("sdm120"), clock)
    with pytest.raises(MeterPlanError, match="unit 248 is no address"):
        dataclasses.replace(MeterPlan("sdm120", Installation(seed=1)), unit=0xF8).build()


def told_of(profile: Profile) -> str:
    return "\n".join(profile.warnings())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sdm72d-m-v1", "holes = zero is unconfirmed"),
        ("dtsu666-401e", "register import_energy_alt is single"),
        ("em24", "default is unconfirmed"),
        ("em340", "phase_accounting = per_phase is single"),
        ("b23", "register serial_number is single"),
        ("iem3155", "default is unconfirmed"),
        ("pac2200", "energy_quantum_wh = 1 is unconfirmed"),
        ("pzem-004t", "not for settlement: import only"),
        ("sunspec-203", "search is single"),
        ("sunspec-101", "register_modulus_mwh = 0 is unconfirmed"),
    ],
)
def test_what_is_not_sure_is_shown_at_enrolment(name: str, told: str) -> None:
    assert told in told_of(load(name))


@pytest.mark.parametrize("name", names())
def test_no_profile_hides_a_doubtful_fact(name: str) -> None:
    profile = load(name)
    doubtful = [key for key in profile.facts if profile.facts[key].status != "confirmed"]
    assert all(any(line.startswith(key) for line in profile.warnings()) for key in doubtful)


def test_a_site_may_be_like_a_shipped_profile(tmp_path: Path) -> None:
    own = read_profile(Path(like(tmp_path, "eastron-sdm120", "default = { baud = 9600 }\n")))
    assert (own.name, own.default.baud, own.default.address, own.aliases) == ("made", 9_600, 1, ())
