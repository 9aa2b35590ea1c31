"""What has to agree before a meter is enrolled; each refusal beside the same case without its cause."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from solders.pubkey import Pubkey
from tests.meteredge.doctor.facts import healthy, sick
from tests.meteredge.node import BASELINE_EXPORT, BASELINE_IMPORT
from tests.meterprov.life.house import METER, Papers

from meterchain.claim import Claim, ClaimError, read_claim
from meterchain.units import Mwh
from meteredge.doctor.checks import judge as judge_node
from meteredge.doctor.facts import Facts, LoadStep
from meteredge.doctor.sheet import Verdict
from meteredge.profiles import load
from meterprov.life.judgement import Case, Shown, Vouched, a_display, certainty, judge, phases
from meterprov.life.papers import SheetError, read_sheet
from meterprov.site_file import load_site

SEEN = Vouched(
    direction_by="N. Technician",
    display_export=Shown(BASELINE_EXPORT, 1_000),
    display_import=Shown(BASELINE_IMPORT, 1_000),
)
SOMEBODY = Pubkey.from_string("7iLnNGkZnKCuQjT9KG3QxXYvQy8aUz4XCyjpLxNJofhy")


def failed(papers: Papers, claim: Claim | None = None, **vouched: object) -> list[str]:
    """Names of the checks that refuse the claim."""
    site = load_site(papers.site_file)
    meter = site.meter(METER)
    case = Case(claim or papers.claim(), site, meter, load(meter.profile), replace(SEEN, **vouched))  # type: ignore[arg-type]
    return [check.name for check in judge(case) if check.verdict is Verdict.FAIL]


@pytest.mark.parametrize(
    ("name", "vouched"),
    [
        ("direction", {"direction_by": None}),
        ("display_export", {"display_export": None}),
        ("display_import", {"display_import": None}),
        ("display_export", {"display_export": a_display("5.002")}),
        ("display_import", {"display_import": a_display("70.00")}),
        ("serial", {"no_serial": True}),
        ("owner", {"owner": SOMEBODY}),
    ],
)
def test_what_nobody_vouches_for_is_refused(papers: Papers, name: str, vouched: dict[str, object]) -> None:
    assert failed(papers, **vouched) == [name]
    assert failed(papers) == []


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("serial", {"serial": "10000002"}),
        ("serial", {"serial": "label:10000001"}),
        ("model", {"model": "eastron-sdm630"}),
        ("model", {"register_modulus_mwh": 10**12}),
        ("display_export", {"baseline_export_mwh": 4_000_000}),
        ("display_import", {"baseline_import_mwh": 8_000_000}),
        ("place", {"node": None}),
    ],
)
def test_a_claim_that_was_changed_on_its_way_is_refused(papers: Papers, name: str, changes: dict[str, object]) -> None:
    claim = read_claim(papers.claim_file(None, **changes))
    assert failed(papers, claim) == [name]
    assert failed(papers, read_claim(papers.claim_file())) == []


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [("place", "port", "/dev/ttyUSB9"), ("place", "unit", 2), ("direction", "direction", "reversed")],
)
def test_a_node_that_reads_otherwise_than_the_site_says_is_refused(
    papers: Papers, name: str, key: str, value: object
) -> None:
    node = json.loads(papers.claim_file().read_text())["node"]
    assert failed(papers, read_claim(papers.claim_file(None, node=node | {key: value}))) == [name]
    assert failed(papers, read_claim(papers.claim_file(None, node=node))) == []


@pytest.mark.parametrize("change", [{"owner": str(SOMEBODY)}, {"install_id": 2}, {"domain": "77" * 8}])
def test_what_is_under_the_signature_cannot_be_changed(papers: Papers, change: dict[str, object]) -> None:
    with pytest.raises(ClaimError, match="proves nothing"):
        read_claim(papers.claim_file(None, **change))
    assert read_claim(papers.claim_file()) == papers.claim()


def test_a_claim_for_another_site_or_install_is_refused(papers: Papers) -> None:
    assert failed(papers, papers.claim(install=2)) == ["proof"]
    papers.change_site("0011223344556677", "77" * 8)
    assert failed(papers) == ["proof"]


def test_a_site_file_without_an_owner_needs_one_at_enrolment(papers: Papers) -> None:
    papers.change_site(f'owner = "{papers.owner}"', "")
    assert failed(papers) == ["owner"]
    assert failed(papers, owner=SOMEBODY) == ["owner"]
    assert failed(papers, owner=papers.owner) == []


def test_the_display_is_compared_by_its_last_digit_and_by_what_can_have_flowed_since(papers: Papers) -> None:
    claim = papers.claim().model_copy(update={"baseline_export_mwh": 5_049_999})
    assert failed(papers, claim, display_export=a_display("5.0")) == []
    assert failed(papers, claim, display_export=a_display("5.00")) == ["display_export"]
    assert failed(papers, claim, display_export=a_display("5.100")) == ["display_export"]
    assert failed(papers, claim, display_export=a_display("5.100"), display_after_s=60) == []
    assert failed(papers, claim, display_export=a_display("5.040"), display_after_s=3_600) == ["display_export"]


def test_a_display_is_read_exactly() -> None:
    assert a_display("877.5") == Shown(Mwh(877_500_000), 100_000)
    assert a_display("877") == Shown(Mwh(877_000_000), 1_000_000)
    for odd in ("", "much", "-1", "1e-9", "NaN"):
        with pytest.raises(typer.BadParameter):
            a_display(odd)


def test_the_doctor_s_sheet_proves_the_direction_or_forbids_the_meter(papers: Papers) -> None:
    step = LoadStep("kettle", 2_000, 100, 2_100, 0, 30_000, 60)
    good = replace(healthy(), load_step=step)
    assert failed(papers, sheet=sheet(papers, good), direction_by=None) == []
    assert failed(papers, sheet=sheet(papers, healthy()), direction_by=None) == ["direction"], "no load was switched"
    bad = replace(healthy(), load_step=replace(step, after_w=-1_900))
    assert failed(papers, sheet=sheet(papers, bad)) == ["direction"], "nobody's word stands against the sheet"
    shared = replace(good, wire=sick("wire", strangers=("01 04 0000 0002",)).wire)
    assert failed(papers, sheet=sheet(papers, shared)) == ["second_master"]


def test_only_the_sheet_of_this_very_node_is_taken(papers: Papers) -> None:
    with pytest.raises(SheetError, match="take the right node's"):
        sheet(papers, replace(healthy(), meter_id="METER_002"))
    (papers.folder / "sheet.json").write_text("[]")
    with pytest.raises(SheetError, match="doctor --json"):
        read_sheet(papers.folder / "sheet.json", METER)
    with pytest.raises(SheetError, match="cannot be read"):
        read_sheet(papers.folder / "none.json", METER)


def test_a_meter_in_the_mode_that_counts_export_as_import_is_refused(papers: Papers) -> None:
    papers.change_site('phase_accounting = "vector"', 'phase_accounting = "per_phase"')
    papers.is_a("em340")
    papers.other_meter(values={"measurement_mode": 0.0})
    assert failed(papers) == ["mode"]
    papers.other_meter(values={})
    assert failed(papers) == ["mode"]
    papers.other_meter(values={"measurement_mode": 1.0})
    assert failed(papers) == []


def test_phases_must_be_added_as_on_the_site_and_unknown_ones_are_warned_of(papers: Papers) -> None:
    site, claim, profile = load_site(papers.site_file), papers.claim(), load("iem3155")
    meter = site.meter(METER)
    other = meter.model_copy(update={"phase_accounting": "per_phase"})
    for known, here, verdict in (
        ("vector", meter, Verdict.PASS),
        ("per_phase", meter, Verdict.FAIL),
        ("unknown", meter, Verdict.WARN),
        ("unknown", other, Verdict.FAIL),
    ):
        case = Case(claim, site, here, profile.model_copy(update={"phase_accounting": known}), SEEN)
        assert phases(case).verdict is verdict


def test_what_nobody_has_confirmed_of_a_model_is_warned_of_and_refuses_nothing(papers: Papers) -> None:
    site = load_site(papers.site_file)
    meter = site.meter(METER)
    profile = load("dtsu666")
    found = certainty(Case(papers.claim(), site, meter, profile, SEEN))
    assert found.verdict is Verdict.WARN
    assert len(profile.warnings()) > 1
    assert all(doubt in found.fact for doubt in profile.warnings())


def test_a_number_read_off_the_plate_is_confirmed_by_whoever_enrols(papers: Papers) -> None:
    papers.is_a("ddsu666")
    papers.other_meter(serial=None)
    claim = papers.claim(label="10000001")
    assert failed(papers, claim) == ["serial"]
    assert failed(papers, claim, no_serial=True) == []
    assert failed(papers, papers.claim(label="10000002"), no_serial=True) == ["serial"]


def sheet(papers: Papers, facts: Facts):  # noqa: ANN201
    path: Path = papers.folder / "sheet.json"
    path.write_text(json.dumps(judge_node(facts).document()))
    return read_sheet(path, METER)
