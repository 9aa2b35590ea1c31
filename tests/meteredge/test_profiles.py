"""The folder of profiles, as one table; and the arithmetic that turns words into values and energy."""

import math
import struct
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterchain.units import MWH_PER_KWH
from meteredge.plan import Block, plan_identity, plan_reading
from meteredge.profiles import NotAvailable, Profile, ProfileError, Register, energy_of, load, names
from meteredge.profiles.folder import read_profile
from meteredge.transceiver import crc_is_right

MINIMAL = """
schema = 1
maker = "Maker"
model = "Model"
phases = [1]
status = "single"
identity_level = "label"
import_energy = "import_energy"
export_energy = "export_energy"
proof = ["voltage"]
[registers]
voltage = { fc = 4, address = 0, words = 1, type = "u16", scale = 0.1, unit = "V" }
import_energy = { fc = 4, address = 1, words = 2, type = "u32", scale = 0.01, unit = "kWh" }
export_energy = { fc = 4, address = 3, words = 2, type = "u32", scale = 0.01, unit = "kWh" }
"""


def made(tmp_path: Path, text: str) -> Profile:
    path = tmp_path / "made.toml"
    path.write_text(text)
    return read_profile(path)


def register(**fields: object) -> Register:
    return Register.model_validate(
        {"name": "r", "fc": 4, "address": 0, "word_order": "msw", "status": "single", **fields}, strict=False
    )


def reading_blocks(profile: Profile) -> tuple[Block, ...]:
    return (*plan_reading(profile).blocks, *plan_identity(profile))


# --- the folder


@pytest.mark.parametrize("name", names())
def test_every_profile_reads_and_says_where_its_facts_come_from(name: str) -> None:
    profile = load(name)
    assert profile.src
    assert profile.sources
    assert profile.energy_registers


@pytest.mark.parametrize(
    "called",
    [
        *("sdm120", "sdm230", "sdm630", "sdm72d-m-v1", "sdm72d-m-v2", "dtsu666", "dtsu666-401e", "ddsu666"),
        *("em24", "em340", "b21", "b23", "iem3155", "pac2200", "pzem-004t"),
        *("sunspec-101", "sunspec-102", "sunspec-103", "sunspec-201", "sunspec-202", "sunspec-203", "sunspec-204"),
    ],
)
def test_the_meters_that_people_have_are_there(called: str) -> None:
    assert load(called).energy_registers


def test_no_alias_names_two_profiles() -> None:
    called = [alias for name in names() for alias in (name, *load(name).aliases)]
    assert len(called) == len(set(called))


@pytest.mark.parametrize("name", names())
def test_every_alias_finds_its_profile(name: str) -> None:
    for alias in load(name).aliases:
        assert load(alias.upper()).name == name


@pytest.mark.parametrize("name", names())
def test_wire_vectors_decode_as_the_source_says(name: str) -> None:
    profile = load(name)
    for vector in profile.vectors:
        reply = bytes.fromhex(vector.response)
        assert crc_is_right(reply)
        assert not vector.request or crc_is_right(bytes.fromhex(vector.request))
        block = struct.unpack(f">{reply[2] // 2}H", reply[3:-2])
        for register_name, value in vector.decodes.items():
            entry = profile.register(register_name)
            start = 0 if vector.address is None else entry.address - vector.address
            words = block if vector.address is None else block[start : start + entry.words]
            got = profile.decode(register_name, words)
            assert isinstance(got, Decimal | int)
            assert math.isclose(got, Decimal(value), rel_tol=1e-6)
            assert profile.encode(register_name, got) == words


def test_a_frame_with_a_right_crc_may_answer_another_question() -> None:
    reply = bytes.fromhex("01 03 04 00 00 05 8D 39 06")
    assert crc_is_right(reply)
    assert register(type="u32", words=2).decode(struct.unpack(">2H", reply[3:-2])) == 1421


@pytest.mark.parametrize("name", names())
def test_every_register_decodes_what_it_encodes(name: str) -> None:
    profile = load(name)
    for entry in (r.scaled(-1) if r.scale_from else r for r in profile.all_registers()):
        for value in (0, 1, 50, 230):
            try:
                words = entry.encode(str(value) if entry.type in ("ascii", "utf8") else value)
            except ProfileError:
                continue
            assert len(words) == entry.words
            got = entry.decode(words)
            if isinstance(got, str):
                assert got == str(value)
            else:
                assert abs(got - value) <= abs(entry.scale)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("baud", [1200, 9600, 115_200])
def test_a_plan_stays_within_the_meters_limits(name: str, baud: int) -> None:
    profile = load(name)
    for block in (*plan_reading(profile, baud).blocks, *plan_identity(profile, baud)):
        assert block.words <= profile.max_registers
        assert not (profile.even_requests and (block.address % 2 or block.words % 2))
        covered = {at for r in block.registers for at in range(r.address, r.end)}
        assert profile.holes == "zero" or covered == set(range(block.address, block.address + block.words))
        assert not any(r.write_only for r in block.registers)


@pytest.mark.parametrize("name", names())
def test_a_plan_reads_energy_proof_serial_and_settings(name: str) -> None:
    profile = load(name)
    read = {r.name for block in plan_reading(profile).blocks for r in block.registers}
    assert {*profile.energy_registers, *profile.proof, *profile.require, *profile.scale_by} <= read
    assert (profile.identity_level == "label") or "serial_number" in read


@pytest.mark.parametrize("name", names())
def test_three_phase_meters_say_how_they_add_phases(name: str) -> None:
    profile = load(name)
    assert (profile.phase_accounting is None) == (profile.phases == (1,))


@pytest.mark.parametrize("name", names())
def test_nothing_resettable_is_billed(name: str) -> None:
    profile = load(name)
    assert not any(profile.registers[r].never_bill for r in profile.energy_registers)
    assert all(r.never_bill for r in profile.registers.values() if "resettable" in r.name or "total_energy" in r.name)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("em24", {"max_registers": 11}),
        ("em340", {"max_registers": 50, "require": {"measurement_mode": 1}}),
        ("sdm230", {"max_registers": 60, "min_gap_ms": 60}),
        ("sdm630", {"max_registers": 80, "require": {"energy_units_prefix": 0}}),
        ("sdm72d-m", {"max_registers": 60, "min_gap_ms": 500, "identity_level": "label"}),
        ("sdm72d-m-v2", {"max_registers": 60, "min_gap_ms": 500, "identity_level": "register"}),
        ("dtsu666", {"identity_level": "label"}),
        ("ddsu666", {"identity_level": "label"}),
        ("pzem-004t", {"identity_level": "label", "general_address": 248}),
    ],
)
def test_what_misled_others_about_a_model_stands_in_its_profile(name: str, facts: dict[str, object]) -> None:
    profile = load(name)
    assert {key: getattr(profile, key) for key in facts} == facts


def test_a_general_address_and_words_of_64_bits_are_the_only_ones_of_their_kind() -> None:
    profiles = [load(name) for name in names()]
    assert [p.name for p in profiles if p.general_address] == ["peacefair-pzem-004t-v3"]
    assert {load("pac2200").registers[name].type for name in load("pac2200").energy_registers} == {"f64"}


def test_what_nobody_confirmed_is_told_to_the_one_who_enrols() -> None:
    told = "\n".join(load("dtsu666").warnings())
    assert "register import_energy is conflict" in told
    assert "phase_accounting = unknown is unconfirmed" in told
    assert "no serial number on the wire" in told
    assert "scale_by is unconfirmed" in told
    assert "register serial_number is single" in "\n".join(load("sdm230").warnings())
    assert "min_gap_ms" not in "\n".join(load("sdm630").warnings())


# --- the schema


def test_a_profile_of_a_site_is_read_by_its_path(tmp_path: Path) -> None:
    made(tmp_path, MINIMAL)
    assert load(str(tmp_path / "made.toml")).name == "made"


THREE_PHASES = ["import_energy_l1", "import_energy_l2", "import_energy_l3"]
A_KWH = '{ fc = 4, address = 90, words = 2, type = "f32", unit = "kWh" }'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MINIMAL.replace("maker", "makr"), "makr"),
        (MINIMAL.replace('unit = "V"', 'unit = "V", adress = 1'), "adress"),
        (MINIMAL.replace("schema = 1", "schema = 2"), "schema is not 1"),
        (MINIMAL.replace('"voltage"]', '"tension"]'), "'tension' is not in [registers]"),
        (MINIMAL.replace("fc = 4, address = 0", "fc = 6, address = 0"), "function code 6 cannot read a register"),
        (MINIMAL.replace('words = 1, type = "u16"', 'words = 2, type = "u16"'), "a u16 has 1 words"),
        (MINIMAL.replace("phases = [1]", "phases = [3]"), "phase_accounting"),
        (MINIMAL.replace('identity_level = "label"', 'identity_level = "register"'), "serial_number"),
        (MINIMAL.replace('unit = "kWh" }', 'unit = "kWh", never_bill = "resettable" }', 1), "must never be billed"),
        (MINIMAL.replace('unit = "kWh" }', 'unit = "W" }', 1), "is not energy"),
        (
            MINIMAL.replace('import_energy = "import_energy"', f"import_energy = {{ sum = {THREE_PHASES} }}").replace(
                "[registers]", "[registers]\n" + "\n".join(f"{name} = {A_KWH}" for name in THREE_PHASES)
            ),
            "'import_energy_l1' is of one phase",
        ),
        (MINIMAL.replace("phases = [1]", 'phases = [1]\nsrc = ["rumour"]'), "rumour"),
        (MINIMAL.replace("phases = [1]", "phases = [1]\nrequire = { mode = 1 }"), "'mode' is not a readable register"),
        (MINIMAL.replace("phases = [1]", 'phases = [1]\nfacts = { colour = { status = "single" } }'), "colour"),
        (
            MINIMAL.replace('import_energy = "import_energy"', "").replace('export_energy = "export_energy"', ""),
            "neither",
        ),
        (MINIMAL.replace('unit = "V"', 'unit = "V", scale_from = "voltage_sf"'), "no scale register"),
        (MINIMAL.replace('unit = "V"', 'unit = "V", scale_from = "import_energy"'), "no scale register"),
        (MINIMAL.replace('unit = "V"', 'unit = "V", part = "meter"'), "not in [search.parts]"),
        (MINIMAL.replace("schema = 1", 'schema = 1\nlike = "acme-em1"'), "no profile 'acme-em1' to be like"),
        ("schema = ", "not TOML"),
    ],
)
def test_a_mistake_in_a_profile_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ProfileError, match=r"made\.toml") as caught:
        made(tmp_path, text)
    assert told in str(caught.value)


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(ProfileError, match="sdm630"):
        load("sdm360")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ProfileError, match="no such file"):
        load("/nowhere/meter.toml")


def test_an_unknown_register_is_named() -> None:
    with pytest.raises(ProfileError, match="has no register 'volts'"):
        load("sdm120").decode("volts", (0, 0))


# --- words and values

INTEGERS = ["u16", "s16", "u32", "s32", "u64", "s64"]


@given(st.sampled_from(INTEGERS), st.sampled_from(["msw", "lsw"]), st.data())
def test_integers_survive_both_ways(kind: str, order: str, data: st.DataObject) -> None:
    bits = int(kind[1:])
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if kind[0] == "s" else (0, (1 << bits) - 1)
    raw = data.draw(st.integers(low, high))
    entry = register(type=kind, words=bits // 16, word_order=order, scale=Decimal("0.01"))
    assert entry.decode(entry.encode(raw * Decimal("0.01"))) == raw * Decimal("0.01")


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(["msw", "lsw"]))
def test_floats_survive_both_ways(value: float, order: str) -> None:
    entry = register(type="f32", words=2, word_order=order)
    assert entry.decode(entry.encode(value)) == Decimal(value)


def test_word_order_turns_words_and_not_bytes() -> None:
    assert register(type="u32", words=2, word_order="lsw").encode(0x12345678) == (0x5678, 0x1234)
    assert register(type="u32", words=2, word_order="msw").encode(0x12345678) == (0x1234, 0x5678)


def test_a_meter_with_the_low_word_first_decodes_as_its_source_says() -> None:
    reply = bytes.fromhex("01 04 14 08 D1 00 6C 00 00 00 F4 00 00 00 26 00 00 01 F4 00 64 00 00 51 34")
    assert crc_is_right(reply)
    words = struct.unpack(">10H", reply[3:-2])
    assert register(type="u16", words=1, scale=Decimal("0.1")).decode(words[:1]) == Decimal("225.7")
    current = register(type="u32", words=2, word_order="lsw", scale=Decimal("0.001"))
    assert current.decode(words[1:3]) == Decimal("0.108")
    energy = register(type="u32", words=2, word_order="lsw", scale=Decimal("0.001"), unit="kWh")
    assert energy_of(energy, words[5:7], Decimal(1)).mwh == 38_000


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_float_that_is_no_number_is_not_available(value: float) -> None:
    entry = register(type="f32", words=2)
    with pytest.raises(NotAvailable):
        entry.decode(entry.encode(value))


def test_marks_for_no_value_are_not_values() -> None:
    with pytest.raises(NotAvailable):
        register(type="s32", words=2, invalid=[0x7FFFFFFF]).decode((0x7FFF, 0xFFFF))
    with pytest.raises(NotAvailable):
        register(type="s32", words=2, word_order="lsw", invalid_msw=0x7FFF).decode((0x1234, 0x7FFF))


@pytest.mark.parametrize(
    ("kind", "words", "value"), [("u16", 1, 65_536), ("u16", 1, -1), ("s16", 1, 32_768), ("f32", 2, 1e39)]
)
def test_a_value_that_does_not_fit_is_refused(kind: str, words: int, value: float) -> None:
    with pytest.raises(ProfileError, match="does not fit"):
        register(type=kind, words=words).encode(value)


def test_text_loses_its_padding_and_the_zeros_between() -> None:
    assert register(type="ascii", words=3).decode((0x4142, 0x3100, 0)) == "AB1"
    assert register(type="ascii", words=3).decode((0x0041, 0x0042, 0x0031)) == "AB1"


# --- energy

KWH = register(type="f32", words=2, unit="kWh")


@given(st.integers(0, 16_383_999))
def test_a_float_gives_back_the_watt_hours_that_the_meter_counted(wh: int) -> None:
    energy = energy_of(KWH, KWH.encode(Decimal(wh) / 1000), Decimal(1))
    assert (energy.mwh, energy.quantum_mwh) == (wh * 1000, 1000)


@given(st.integers(16_384_000, 99_999_999))
def test_where_a_float_is_coarser_than_the_meter_it_is_taken_to_the_nearest_milliwatt_hour(wh: int) -> None:
    words = KWH.encode(Decimal(wh) / 1000)
    energy = energy_of(KWH, words, Decimal(1))
    value = KWH.decode(words)
    assert not isinstance(value, str)
    assert abs(energy.mwh - Fraction(value) * MWH_PER_KWH) <= Fraction(1, 2)
    assert abs(energy.mwh - wh * 1000) <= energy.quantum_mwh
    assert energy.quantum_mwh > 1000


@given(
    st.floats(0, 1e8, width=32), st.floats(0, 1e8, width=32), st.sampled_from([Decimal("0.1"), Decimal(1), Decimal(10)])
)
def test_a_larger_register_never_becomes_less_energy(one: float, other: float, quantum_wh: Decimal) -> None:
    low, high = sorted((one, other))
    assert energy_of(KWH, KWH.encode(low), quantum_wh).mwh <= energy_of(KWH, KWH.encode(high), quantum_wh).mwh


def test_rounding_down_would_lose_a_quantum_where_nearest_does_not() -> None:
    words = KWH.encode(Decimal("12345.679"))
    assert KWH.decode(words) < Decimal("12345.679")
    assert energy_of(KWH, words, Decimal(1)).mwh == 12_345_679_000


def test_integer_energy_is_exact() -> None:
    entry = register(type="u64", words=4, scale=Decimal("0.01"), unit="kWh")
    energy = energy_of(entry, entry.encode(Decimal("123456789.12")), Decimal(1))
    assert (energy.mwh, energy.quantum_mwh) == (123_456_789_120_000, 10_000)


def test_transformer_ratios_multiply_energy_and_its_quantum() -> None:
    energy = energy_of(KWH, KWH.encode(Decimal("1.25")), Decimal(10), Decimal(40))
    assert (energy.mwh, energy.quantum_mwh) == (50_000_000, 400_000)


def test_negative_energy_is_not_available() -> None:
    with pytest.raises(NotAvailable, match="cannot hold"):
        energy_of(KWH, KWH.encode(-1), Decimal(1))


# --- the documentation


def test_the_example_of_the_documentation_is_a_profile(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text()
    example = page.split("```toml\n", 2)[1].split("```")[0]
    profile = made(tmp_path, example)
    assert [(block.address, block.words) for block in plan_reading(profile).blocks] == [(0, 8), (0x100, 2)]


def test_the_documentation_names_every_key() -> None:
    page = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text()
    keys = {*Profile.model_fields, *Register.model_fields} - {"name"}
    assert {
        key for key in keys if f"`{key}`" not in page and f"{key} = " not in page and f"[{key}]" not in page
    } == set()
