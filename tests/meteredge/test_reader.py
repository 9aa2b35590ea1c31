"""The reader against simulated meters on the simulated wire: what it returns is what the meter held."""

import math
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meteredge.bus import SILENCE_S, Bus
from meteredge.bus_errors import BusError, DeviceException, NoReply
from meteredge.clock import VirtualClock
from meteredge.profiles import Profile, load, names
from meteredge.profiles.schema import ResponseMs
from meteredge.reader import Implausible, OtherMeter, Reader, Reading, WrongModel, WrongSettings
from metersim.bus.bank import RegisterBank
from metersim.bus.faults import BitFlip, Echo, Fault, LateReply, LeadZero, Silence
from metersim.bus.line import Line
from metersim.bus.memory_port import MemoryPort
from metersim.bus.timeline import Timeline
from metersim.bus.wire import Wire
from metersim.meters.installation import Installation
from metersim.meters.meter import Meter, MeterPlan

NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z
LINE = Line(9_600)


class Site:
    """One simulated meter and a reader for it, on a virtual clock."""

    def __init__(
        self,
        name: str,
        *faults: Fault,
        read_as: str | None = None,
        serial: str | None = None,
        held: dict[str, Decimal | float | int | str] | None = None,
        seed: int = 1,
    ) -> None:
        self.profile = load(name)
        self.held = held if held is not None else {}
        plan = MeterPlan(
            name,
            Installation(seed=3, phases=max(self.profile.phases), pv_peak_w=5_000),
            LINE,
            since_utc=NOON - 7_200,
            import_mwh=1_234_560_000,
            export_mwh=987_650_000,
            settings=self.held,
        )
        self.meter: Meter = plan.build()
        self.clock = VirtualClock(NOON)
        self.wire = Wire(LINE, [self.meter], faults=faults, seed=seed)
        self.wire.timeline = Timeline(NOON, 0.0, 1.0)
        self.bus = Bus(MemoryPort(self.wire, self.clock), self.clock)
        self.reader = Reader(self.bus, 1, load(read_as or name), self.clock, serial)

    def held_between(self, start_utc: float, reading: Reading) -> bool:
        """Whether the meter held both registers at some moment since `start_utc`."""
        first, last = self.meter.moment(start_utc).energy_mwh, self.meter.moment(self.clock.utc()).energy_mwh
        return (first.export <= reading.export_mwh <= last.export or not self.profile.export_registers) and (
            first.import_ <= reading.import_mwh <= last.import_ or not self.profile.import_registers
        )


@pytest.mark.parametrize("name", names())
def test_a_reading_is_what_the_meter_holds(name: str) -> None:
    site = Site(name)
    reading = site.reader.read()
    assert site.held_between(NOON, reading)
    ratio = math.prod(reading.values[name] for name in site.profile.scale_by)
    assert reading.quantum_mwh == site.profile.energy_quantum_wh * 1_000 * Decimal(ratio)
    assert 0 < reading.at_monotonic <= site.clock.monotonic()


def test_a_meter_is_given_as_long_as_its_profile_says_and_500_ms_where_that_says_nothing() -> None:
    usual = load("sdm120")
    assert "response_ms" not in usual.model_fields_set
    slow = usual.model_copy(update={"response_ms": ResponseMs(max=900)})
    for profile, delay_s, answers in ((usual, 0.45, True), (usual, 0.6, False), (slow, 0.85, True), (slow, 1.0, False)):
        site = Site("sdm120", LateReply(delay_s))
        reader = Reader(site.bus, 1, profile, site.clock)
        with nullcontext() if answers else pytest.raises(NoReply):
            assert site.held_between(NOON, reader.read())


@pytest.mark.parametrize("name", names())
def test_a_pair_of_readings_costs_no_time_out_and_no_silence(name: str) -> None:
    site = Site(name)
    site.reader.place()
    placed = site.bus.counts()["replies"]
    one, other = site.reader.read_twice()
    counts = site.bus.counts()
    assert (counts["settled"], counts["no_reply"]) == (1, 0)
    assert counts["replies"] - placed == 2 * len(site.reader.plan.blocks)
    assert other.at_monotonic > one.at_monotonic
    assert other.export_mwh >= one.export_mwh


def test_values_come_with_the_energy() -> None:
    reading = Site("sdm630").reader.read()
    assert 200 < reading.values["voltage_l1"] < 260
    assert reading.power_w == reading.values["power"]
    assert reading.serial == "10000001"


# --- which meter


def test_the_serial_number_tells_the_meter() -> None:
    assert Site("sdm120").reader.identify() == "10000001"


def test_a_meter_without_serial_number_is_known_by_its_label_only() -> None:
    site = Site("dtsu666")
    assert site.reader.identify() is None
    assert site.reader.read().serial is None


def test_another_serial_number_is_another_meter() -> None:
    with pytest.raises(OtherMeter, match="meter 10000001 answers, 4711 belongs here"):
        Site("sdm630", serial="4711").reader.read()


def test_a_meter_that_is_swapped_while_we_read_is_noticed() -> None:
    held: dict[str, Decimal | float | int | str] = {"serial_number": 5}
    site = Site("sdm630", held=held)
    assert site.reader.read().serial == "5"
    held["serial_number"] = 6
    with pytest.raises(OtherMeter, match="nothing is signed"):
        site.reader.read()


def test_another_model_is_noticed_by_its_code() -> None:
    with pytest.raises(WrongModel, match="a SDM120-Modbus"):
        Site("sdm120", held={"meter_code": 0x70}).reader.identify()


def test_a_profile_of_another_maker_is_refused_by_the_meter() -> None:
    with pytest.raises(DeviceException):
        Site("dtsu666", read_as="sdm630").reader.read()


# --- settings that change the meaning


def test_a_meter_that_counts_megawatt_hours_is_refused() -> None:
    with pytest.raises(WrongSettings, match="energy_units_prefix is 1"):
        Site("sdm630", held={"energy_units_prefix": 1}).reader.read()


def test_transformer_ratios_multiply_what_is_signed() -> None:
    plain, ratio = Site("dtsu666").reader.read(), Site("dtsu666", held={"ct_ratio": 40}).reader.read()
    assert abs(ratio.export_mwh - plain.export_mwh) <= 40 * plain.quantum_mwh
    assert ratio.quantum_mwh == 40 * plain.quantum_mwh


def test_a_ratio_that_changes_is_tampering() -> None:
    held: dict[str, Decimal | float | int | str] = {"ct_ratio": 40}
    site = Site("dtsu666", held=held)
    site.reader.read()
    held["ct_ratio"] = 80
    with pytest.raises(WrongSettings, match="ct_ratio was 40 and is 80"):
        site.reader.read()


# --- plausibility

BANK = """
schema = 1
maker = "Maker"
model = "Model"
phases = [{phases}]
status = "single"
identity_level = "label"
{more}
import_energy = "import_energy"
export_energy = "export_energy"
proof = {proof}
[registers]
voltage_l1 = {{ fc = 3, address = 0, words = 1, type = "u16", unit = "V", invalid = [0xFFFF] }}
voltage_l2 = {{ fc = 3, address = 1, words = 1, type = "u16", unit = "V" }}
frequency = {{ fc = 3, address = 2, words = 1, type = "u16", scale = 0.1, unit = "Hz" }}
import_energy = {{ fc = 3, address = 3, words = 2, type = "f32", unit = "kWh" }}
export_energy = {{ fc = 3, address = 5, words = 2, type = "f32", unit = "kWh" }}
"""


def bank_reader(
    tmp_path: Path,
    words: tuple[int, ...],
    phases: int = 3,
    more: str = "",
    config: str = "",
    clock: VirtualClock | None = None,
) -> Reader:
    more += '\nphase_accounting = "vector"' if phases == 3 else ""
    path = tmp_path / "bank.toml"
    path.write_text(BANK.format(phases=phases, more=more, proof='["voltage_l1", "voltage_l2", "frequency"]') + config)
    profile: Profile = load(str(path))
    clock = clock or VirtualClock(NOON)
    bus = Bus(MemoryPort(Wire(LINE, [RegisterBank(words)]), clock), clock)
    return Reader(bus, 1, profile, clock)


KWH_1 = (0x3F80, 0)
KWH_MINUS_1 = (0xBF80, 0)


def test_plausible_mains_pass(tmp_path: Path) -> None:
    reading = bank_reader(tmp_path, (230, 231, 500, *KWH_1, *KWH_1)).read()
    assert (reading.import_mwh, reading.export_mwh) == (1_000_000, 1_000_000)


def test_a_dead_phase_is_allowed_while_another_lives(tmp_path: Path) -> None:
    bank_reader(tmp_path, (230, 0, 500, *KWH_1, *KWH_1)).read()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((0, 0, 500, *KWH_1, *KWH_1), "every other phase"),
        ((230, 60, 500, *KWH_1, *KWH_1), "voltage_l2 holds 60 V"),
        ((230, 230, 30, *KWH_1, *KWH_1), "frequency holds 3 Hz"),
        ((0xFFFF, 230, 500, *KWH_1, *KWH_1), "nothing that can be read"),
        ((230, 230, 500, *KWH_1, *KWH_MINUS_1), "cannot hold -1"),
        ((230, 230, 500, 0x7FC0, 0, *KWH_1), "the meter answered nan"),
    ],
)
def test_what_no_mains_has_is_not_believed(tmp_path: Path, words: tuple[int, ...], told: str) -> None:
    with pytest.raises(Implausible, match=told):
        bank_reader(tmp_path, words).read()


@pytest.mark.parametrize("words", [(0, 0, 500, *KWH_1, *KWH_1), (230, 230, 500, *KWH_1, *KWH_MINUS_1)])
def test_a_block_that_is_not_believed_is_followed_by_silence(tmp_path: Path, words: tuple[int, ...]) -> None:
    clock = VirtualClock(NOON)
    reader = bank_reader(tmp_path, words, clock=clock)
    with pytest.raises(Implausible):
        reader.read()
    refused_at = clock.monotonic()
    with pytest.raises(Implausible):
        reader.read()
    assert clock.monotonic() - refused_at >= SILENCE_S


def test_one_phase_has_no_dead_phase(tmp_path: Path) -> None:
    with pytest.raises(Implausible, match="voltage_l1 holds 0 V"):
        bank_reader(tmp_path, (0, 230, 500, *KWH_1, *KWH_1), phases=1).read()


def test_a_meter_with_its_words_turned_is_not_believed(tmp_path: Path) -> None:
    source = (Path(__file__).parents[2] / "edge/meteredge/profiles/meters/eastron-sdm630.toml").read_text()
    turned = tmp_path / "turned.toml"
    turned.write_text(source.replace('word_order = "msw"', 'word_order = "lsw"', 1))
    with pytest.raises(Implausible, match="register order"):
        Site(str(turned), read_as="sdm630").reader.read()


def test_a_ratio_of_zero_is_refused(tmp_path: Path) -> None:
    config = '\n[config]\nratio = { fc = 3, address = 7, words = 1, type = "u16" }\n'
    with pytest.raises(WrongSettings, match="set the transformer ratio"):
        bank_reader(tmp_path, (230, 230, 500, *KWH_1, *KWH_1, 0), 1, 'scale_by = ["ratio"]', config).read()


# --- faults on the wire


def test_a_silent_meter_is_told() -> None:
    with pytest.raises(NoReply):
        Site("sdm630", Silence()).reader.read()


@pytest.mark.parametrize("name", ["sdm120", "sdm630", "dtsu666", "em24", "sunspec-203"])
@settings(max_examples=25, deadline=None)
@given(
    faults=st.lists(
        st.one_of(
            st.builds(LateReply, st.sampled_from([0.1, 0.45, 0.52, 0.7, 1.1, 1.6]), st.floats(0.1, 0.9)),
            st.builds(Silence, st.floats(0.1, 0.5)),
            st.builds(BitFlip, st.sampled_from([0.0005, 0.005])),
            st.builds(LeadZero, st.sampled_from([1, 2]), st.floats(0.1, 0.9)),
            st.just(Echo()),
        ),
        min_size=1,
        max_size=3,
    ),
    seed=st.integers(0, 1_000_000),
)
def test_whatever_happens_on_the_wire_a_reading_is_what_the_meter_held(
    name: str, faults: list[Fault], seed: int
) -> None:
    site = Site(name, *faults, seed=seed)
    for _ in range(6):
        try:
            reading = site.reader.read()
        except BusError:
            continue
        assert site.held_between(NOON, reading)
        assert reading.serial in (None, "10000001")


def test_a_meter_that_sits_the_other_way_round_is_read_turned() -> None:
    straight, site = Site("sdm120"), Site("sdm120")
    site.reader = Reader(site.bus, 1, site.profile, site.clock, reversed_=True)
    held, turned = straight.reader.read(), site.reader.read()
    assert (turned.export_mwh, turned.import_mwh) == (held.import_mwh, held.export_mwh)
    assert turned.power_w == pytest.approx(-(held.power_w or 0.0))
    assert turned.export_mwh != turned.import_mwh
    assert turned.values["import_energy"] == pytest.approx(held.values["import_energy"])
