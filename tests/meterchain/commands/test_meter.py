"""`meterbridge meter`: by the node's claim alone, to the owner that it names, once."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.meterchain.commands.conftest import Operator, balance, claim_file
from tests.meterchain.conftest import Signer

from meterchain import site as steps
from meterchain.accounts import Meter, MeterKind, MeterState, MeterStatus, Role, UserType, fetch
from meterchain.commands.meter import app
from meterchain.ed25519 import possession_message
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import MeterAssignment
from meterchain.saved_account import load_account
from meterchain.site import Site
from meterchain.units import InstallId, Mwh

RATED = ("--max-export-w", 5_000, "--max-import-w", 10_000)


@pytest.fixture
def node(chain: EmbeddedChain, site: Site, authority: Keypair, funded: Callable[[str], Keypair]) -> Signer:
    """A node with a key and a registered owner, its meter not assigned yet."""
    owner = funded("alice")
    steps.register_user(chain, site, authority, owner.pubkey(), UserType.PROSUMER, Role.STUDENT)
    assignment = MeterAssignment(
        meter_id="METER_001", owner=owner.pubkey(), kind=MeterKind.BIDIRECTIONAL, max_export_w=5_000,
        max_import_w=10_000, resolution_mwh=1_000, baseline_export_mwh=Mwh(1_000_000),
        baseline_import_mwh=Mwh(7_000_000), serial="S-1", model="sdm120", building="",
    )  # fmt: skip
    return Signer(chain, site, assignment, Keypair.from_seed(bytes(31) + b"\t"), owner)


def test_a_meter_is_assigned_once_by_its_claim_at_the_price_that_was_told(
    operator: Operator, chain: EmbeddedChain, node: Signer, authority: Keypair, department: Path, tmp_path: Path
) -> None:
    asked = ("assign", claim_file(tmp_path, node), *RATED, "--authority", department, "--json")
    told = operator.run(app, *asked, "--dry-run")
    assert told.code == 0, told.err
    assert fetch(chain, node.site.programs, Meter, node.site.meter("METER_001")) is None
    before = balance(chain, authority)
    done = operator.run(app, *asked)
    assert done.code == 0, done.err
    spent = sum(step["fee_lamports"] + step["rent_lamports"] for step in told.document["sent"])
    assert before - balance(chain, authority) == spent
    assert [step["what"] for step in done.document["sent"]] == ["assign_meter", "init_meter_state"]
    assert done.document["meter_key"] == str(node.key.pubkey())
    assert (done.document["baseline_export_mwh"], done.document["state"]["seq"]) == (1_000_000, 0)
    assert operator.run(app, *asked).document["sent"] == []


def test_what_stays_as_it_was_assigned_is_said(
    operator: Operator, node: Signer, department: Path, tmp_path: Path
) -> None:
    claim = claim_file(tmp_path, node)
    assert operator.run(app, "assign", claim, *RATED, "--authority", department).code == 0
    again = operator.run(
        app, "assign", claim, "--max-export-w", 9_000, "--max-import-w", 10_000, "--authority", department
    )
    assert again.code == 0
    assert "METER_001 was assigned with max_export_w 5000, not 9000" in again.err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"owner": str(Keypair.from_seed(bytes(32)).pubkey())}, "proves nothing"),
        ({"meter_id": "METER_002"}, "proves nothing"),
        ({"domain": "00" * 8}, "proves nothing"),
        ({"install_id": 2}, "proves nothing"),
        ({"signature": "00" * 64}, "proves nothing"),
        ({"secret": 1}, "secret"),
        ({"serial": ""}, "serial"),
        ({"baseline_export_mwh": -1}, "baseline_export_mwh"),
        ({"public_key": "not a key"}, "public_key"),
    ],
)
def test_a_claim_that_was_changed_is_refused_before_it_costs_a_fee(
    operator: Operator, chain: EmbeddedChain, node: Signer, authority: Keypair, department: Path, tmp_path: Path,
    changes: dict[str, object], said: str,
) -> None:  # fmt: skip
    before = balance(chain, authority)
    wrong = operator.run(app, "assign", claim_file(tmp_path, node, **changes), *RATED, "--authority", department)
    assert wrong.code == 2
    assert said in wrong.err
    assert "meterbridge agent claim" in wrong.err
    assert balance(chain, authority) == before


def test_a_claim_for_another_site_is_told_from_a_forged_one(
    operator: Operator, node: Signer, department: Path, tmp_path: Path
) -> None:
    elsewhere = possession_message(bytes(8), "METER_001", node.owner.pubkey(), InstallId(1))
    signature = bytes(node.key.sign_message(elsewhere)).hex()
    claim = claim_file(tmp_path, node, domain="00" * 8, signature=signature)
    wrong = operator.run(app, "assign", claim, *RATED, "--authority", department)
    assert wrong.code == 2
    assert "the claim is for the site 0000000000000000, this chain holds" in wrong.err


def test_a_second_key_for_an_assigned_meter_is_refused(
    operator: Operator, node: Signer, department: Path, tmp_path: Path
) -> None:
    assert operator.run(app, "assign", claim_file(tmp_path, node), *RATED, "--authority", department).code == 0
    node.key = Keypair.from_seed(bytes(31) + b"\n")
    refused = operator.run(app, "assign", claim_file(tmp_path, node), *RATED, "--authority", department)
    assert refused.code == 4
    assert "assigned already" in refused.err


def test_a_file_that_is_no_claim_or_not_there_is_wrong_use(
    operator: Operator, department: Path, tmp_path: Path
) -> None:
    (tmp_path / "odd.json").write_text("[]")
    for name in ("odd.json", "none.json"):
        wrong = operator.run(app, "assign", tmp_path / name, *RATED, "--authority", department)
        assert wrong.code == 2
        assert name in wrong.err


def test_meters_are_listed_and_one_is_shown_and_saved(operator: Operator, meter: Signer, tmp_path: Path) -> None:
    saved = tmp_path / "meter.json"
    assert "METER_001" in operator.run(app, "show").out
    assert [each["meter_id"] for each in operator.run(app, "show", "--json").document["meters"]] == ["METER_001"]
    shown = operator.run(app, "show", "METER_001", "--save", saved)
    assert shown.code == 0
    assert "SDM120, serial S-METER_001, Building 4" in shown.out
    assert load_account(saved).address == meter.site.meter("METER_001")
    assert json.loads(saved.read_text())["account"]["owner"] == str(meter.site.programs.id("registry"))
    assert operator.run(app, "show", "METER_009").code == 2
    assert operator.run(app, "show", "meter 1").code == 2
    assert operator.run(app, "show", "--save", saved).code == 2


def test_the_registry_names_the_level_that_the_claim_names(
    operator: Operator, node: Signer, department: Path, tmp_path: Path
) -> None:
    told = {"key_level": "board", "read_at": 0, "port": "/dev/ttyUSB0", "unit": 1, "direction": "normal"}
    done = operator.run(
        app, "assign", claim_file(tmp_path, node, node=told), *RATED, "--authority", department, "--json"
    )
    assert [step["what"] for step in done.document["sent"]] == ["assign_meter + set_key_level", "init_meter_state"]
    assert done.document["key_level"] == "board"
    asked = ("key-level", "METER_001", "--authority", department)
    assert operator.run(app, *asked, "--json").document["key_level"] == "board"
    dry = operator.run(app, *asked, "file", "--dry-run", "--json").document
    assert dry["key_level"] == "board"
    stated = operator.run(app, *asked, "file", "--json").document
    assert (stated["key_level"], [step["what"] for step in stated["sent"]]) == ("file", ["set_key_level"])
    assert not operator.run(app, *asked, "file", "--json").document["sent"]
    assert "key level  file" in operator.run(app, "show", "METER_001").out


def test_a_level_that_nobody_stated_is_said_to_be_that(operator: Operator, meter: Signer) -> None:
    assert "not stated: run `meterbridge meter key-level METER_001 LEVEL`" in operator.run(app, "show", "METER_001").out
    assert operator.run(app, "key-level", "METER_001", "--json").document["key_level"] == "not stated"
    assert operator.run(app, "key-level", "METER_001", "vault").code == 2
    assert operator.run(app, "key-level", "METER_009", "file").code == 2


def test_a_meter_goes_into_maintenance_and_back(
    operator: Operator, chain: EmbeddedChain, meter: Signer, department: Path, wallet_of: Callable[[Keypair], Path]
) -> None:
    asked = ("status", "METER_001")
    assert operator.run(app, *asked).out.startswith("status  active since")
    by_owner = operator.run(app, *asked, "maintenance", "--authority", wallet_of(meter.owner), "--json")
    assert by_owner.document["status"] == "maintenance"
    refused = operator.run(app, *asked, "active", "--authority", wallet_of(meter.owner))
    assert refused.code == 4
    assert operator.run(app, *asked, "active", "--authority", department, "--json").document["status"] == "active"
    assert operator.run(app, *asked, "active", "--authority", department, "--json").document["sent"] == []
    found = fetch(chain, meter.site.programs, Meter, meter.site.meter("METER_001"))
    assert found is not None
    assert found.status is MeterStatus.ACTIVE


def test_a_meter_that_the_oracle_does_not_know_yet_says_what_to_run(
    operator: Operator, chain: EmbeddedChain, node: Signer, authority: Keypair
) -> None:
    steps.assign_meter(chain, node.site, authority, node.assignment, node.claim())
    assert fetch(chain, node.site.programs, MeterState, node.site.meter_state("METER_001")) is None
    assert "run `meterbridge meter assign` again" in operator.run(app, "show", "METER_001").out
