"""Changes at a meter: by the node's claim, once, and never over records that would be lost."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.meterchain.commands.conftest import Operator, balance
from tests.meterchain.conftest import NewMeter, Signer

from meterchain import instructions, pdas
from meterchain.accounts import KeyIndex, Meter, MeterStatus, fetch
from meterchain.commands.meter import app
from meterchain.ed25519 import possession_message
from meterchain.embedded import EmbeddedChain
from meterchain.units import InstallId, Mwh

NEW = Keypair.from_seed(bytes(31) + b"\t")
MODULUS = 100_000_000_000

Claims = Callable[..., Path]


@pytest.fixture
def claims(meter: Signer, tmp_path: Path) -> Claims:
    """`claims(key, install, …)`: what a node with that key prints for METER_001."""

    def make(key: Keypair, install: int, **changes: object) -> Path:
        wanted = meter.assignment
        owner = changes.get("owner", wanted.owner)
        message = possession_message(meter.site.domain, wanted.meter_id, owner, InstallId(install))  # type: ignore[arg-type]
        claim = {
            "schema": 1,
            "meter_id": wanted.meter_id,
            "owner": str(wanted.owner),
            "domain": meter.site.domain.hex(),
            "install_id": install,
            "public_key": str(key.pubkey()),
            "signature": bytes(key.sign_message(message)).hex(),
            "model": wanted.model,
            "serial": wanted.serial,
            "resolution_mwh": wanted.resolution_mwh,
            "baseline_export_mwh": 3_000,
            "baseline_import_mwh": 4_000,
        }
        path = tmp_path / f"claim-{install}-{key.pubkey()}.json"
        path.write_text(
            json.dumps(claim | {name: str(value) if name == "owner" else value for name, value in changes.items()})
        )
        return path

    return make


def node_status(folder: Path, **changes: object) -> Path:
    """What `meterbridge agent status --json` prints on the node of METER_001."""
    meter = {
        "meter_id": "METER_001", "codes": {}, "records": {"closed": 0, "final": 2, "refused": 1}, "last_seq": 3,
        "install_id": 1,
    }  # fmt: skip
    document = {"schema": 2, "running": True, "pid": 7, "bus": {}, "timezone": "UTC", "meters": [meter | changes]}
    path = folder / "status.json"
    path.write_text(json.dumps(document))
    return path


def now(meter: Signer) -> Meter:
    found = fetch(meter.chain, meter.site.programs, Meter, meter.site.meter("METER_001"))
    assert found is not None
    return found


def set_status(meter: Signer, authority: Keypair, status: MeterStatus) -> None:
    step = instructions.set_meter_status(meter.site.programs, authority.pubkey(), "METER_001", status)
    meter.chain.send([step], [authority])


def test_a_key_is_rotated_once_at_the_price_that_was_told_and_the_old_one_retired(
    operator: Operator, chain: EmbeddedChain, meter: Signer, claims: Claims, authority: Keypair, department: Path
) -> None:
    asked = ("rotate-key", claims(NEW, 1), "--authority", department, "--json")
    told = operator.run(app, *asked, "--dry-run")
    assert told.code == 0, told.err
    assert now(meter).meter_key == meter.key.pubkey()
    before = balance(chain, authority)
    done = operator.run(app, *asked)
    assert done.code == 0, done.err
    spent = sum(step["fee_lamports"] + step["rent_lamports"] for step in told.document["sent"])
    assert before - balance(chain, authority) == spent
    assert (done.document["meter_key"], done.document["install_id"]) == (str(NEW.pubkey()), 1)
    old = fetch(chain, meter.site.programs, KeyIndex, pdas.key_index(meter.site.programs, meter.key.pubkey()))
    assert old is not None
    assert old.retired_at > 0
    assert operator.run(app, *asked).document["sent"] == []


def test_a_key_that_was_a_meter_s_before_is_not_taken_again(
    operator: Operator, meter: Signer, new_meter: NewMeter, claims: Claims, department: Path
) -> None:
    other = new_meter("METER_002").key
    refused = operator.run(app, "rotate-key", claims(other, 1), "--authority", department)
    assert refused.code == 4
    assert "--new-key" in refused.err
    assert operator.run(app, "rotate-key", claims(NEW, 1), "--authority", department).code == 0
    back = operator.run(app, "rotate-key", claims(meter.key, 1), "--authority", department)
    assert back.code == 4
    assert now(meter).meter_key == NEW.pubkey()


@pytest.mark.parametrize(
    ("verb", "install", "changes", "code", "said"),
    [
        ("rotate-key", 2, {}, 2, "this needs 1"),
        ("rotate-key", 1, {"serial": "S-2"}, 4, "meterbridge meter replace"),
        ("rotate-key", 1, {"owner": NEW.pubkey()}, 2, "agent claim --owner"),
        ("replace", 3, {}, 2, "this needs 2"),
        ("replace", 2, {}, 4, "meter status METER_001 maintenance"),
        ("rebase", 2, {}, 4, "another key"),
    ],
)
def test_a_claim_that_does_not_fit_the_meter_is_refused_before_it_costs_a_fee(
    operator: Operator, chain: EmbeddedChain, claims: Claims, authority: Keypair, department: Path,
    verb: str, install: int, changes: dict[str, object], code: int, said: str,
) -> None:  # fmt: skip
    before = balance(chain, authority)
    wrong = operator.run(app, verb, claims(NEW, install, **changes), "--authority", department)
    assert wrong.code == code
    assert said in wrong.err
    assert balance(chain, authority) == before


def test_a_meter_is_replaced_once_with_the_new_device_s_limits_in_one_transaction(
    operator: Operator, chain: EmbeddedChain, meter: Signer, claims: Claims, authority: Keypair, department: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    set_status(meter, authority, MeterStatus.MAINTENANCE)
    claim = claims(NEW, 2, serial="S-2", resolution_mwh=10_000, register_modulus_mwh=MODULUS)
    asked = ("replace", claim, "--node-status", node_status(tmp_path), "--max-export-w", 6_000,
             "--final-export", "1.5", "--authority", department, "--json")  # fmt: skip
    told = operator.run(app, *asked, "--dry-run")
    assert told.code == 0, told.err
    assert now(meter).install_id == 1
    before = balance(chain, authority)
    done = operator.run(app, *asked)
    assert done.code == 0, done.err
    spent = sum(step["fee_lamports"] + step["rent_lamports"] for step in told.document["sent"])
    assert before - balance(chain, authority) == spent
    assert [step["what"] for step in done.document["sent"]] == ["replace_meter + set_meter_limits"]
    found = now(meter)
    assert (found.meter_key, found.serial, found.install_id) == (NEW.pubkey(), "S-2", 2)
    assert (found.status, found.baseline_export_mwh) == (MeterStatus.ACTIVE, 3_000)
    limits = (found.max_export_w, found.max_import_w, found.resolution_mwh, found.register_modulus_mwh)
    assert limits == (6_000, 10_000, 10_000, MODULUS)
    assert operator.run(app, *asked).document["sent"] == []
    other = operator.run(app, "replace", claim, "--force", "--max-export-w", 7_000, "--authority", department)
    assert other.code == 0
    assert "meterbridge meter limits" in other.err


def test_a_new_device_whose_registers_are_beyond_the_old_modulus_fits_all_the_same(
    operator: Operator, meter: Signer, claims: Claims, authority: Keypair, department: Path
) -> None:
    small = ("limits", "METER_001", "--modulus-mwh", 10_000_000, "--authority", department)
    assert operator.run(app, *small).code == 0
    set_status(meter, authority, MeterStatus.MAINTENANCE)
    claim = claims(NEW, 2, serial="S-2", baseline_export_mwh=20_000_000)
    done = operator.run(app, "replace", claim, "--force", "--authority", department, "--json")
    assert done.code == 0, done.err
    assert [step["what"] for step in done.document["sent"]] == ["set_meter_limits + replace_meter"]
    assert (now(meter).register_modulus_mwh, now(meter).baseline_export_mwh) == (0, 20_000_000)


def test_a_compromised_meter_is_replaced_and_its_accrual_s_end_is_said(
    operator: Operator, meter: Signer, claims: Claims, authority: Keypair, department: Path
) -> None:
    set_status(meter, authority, MeterStatus.COMPROMISED)
    done = operator.run(app, "replace", claims(NEW, 2), "--force", "--authority", department)
    assert done.code == 0, done.err
    assert "forfeited" in done.err
    assert (now(meter).status, now(meter).forfeit_install) == (MeterStatus.ACTIVE, 2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"records": {"closed": 3, "held": 1, "final": 2}}, "3 closed, 1 held"),
        ({"meter_id": "METER_002"}, "of METER_002"),
        ({"install_id": None}, "install None"),
    ],
)
@pytest.mark.parametrize("verb", ["replace", "rebase"])
def test_what_the_node_has_not_delivered_is_not_lost_by_another_install(
    operator: Operator, meter: Signer, claims: Claims, authority: Keypair, department: Path, tmp_path: Path,
    verb: str, changes: dict[str, object], said: str,
) -> None:  # fmt: skip
    set_status(meter, authority, MeterStatus.MAINTENANCE)
    claim = claims(NEW if verb == "replace" else meter.key, 2)
    refused = operator.run(
        app, verb, claim, "--node-status", node_status(tmp_path, **changes), "--authority", department
    )
    assert refused.code == 4
    assert said in refused.err
    silent = operator.run(app, verb, claim, "--authority", department)
    assert silent.code == 4
    assert "--force" in silent.err
    assert now(meter).install_id == 1


def test_a_status_older_than_the_chain_says_nothing(
    operator: Operator, meter: Signer, claims: Claims, authority: Keypair, department: Path, tmp_path: Path
) -> None:
    submit = instructions.submit_meter_data(
        meter.site.programs, authority.pubkey(), [meter.sign(1_001_000, 7_000_000)], position=0
    )
    meter.chain.send(submit, [authority])
    set_status(meter, authority, MeterStatus.MAINTENANCE)
    old = node_status(tmp_path, last_seq=None, records={})
    refused = operator.run(app, "replace", claims(NEW, 2), "--node-status", old, "--authority", department)
    assert refused.code == 4
    assert "the chain has 1 already" in refused.err


def test_a_node_status_that_is_none_or_given_with_force_is_wrong_use(
    operator: Operator, claims: Claims, department: Path, tmp_path: Path
) -> None:
    (tmp_path / "odd.json").write_text('{"records": 1}')
    for name in ("odd.json", "none.json"):
        asked = ("replace", claims(NEW, 2), "--node-status", tmp_path / name, "--authority", department)
        wrong = operator.run(app, *asked)
        assert wrong.code == 2
        assert name in wrong.err
    assert operator.run(app, *asked, "--force").code == 2
    assert operator.run(app, "replace", claims(NEW, 2), "--final-import", "0.0000001").code == 2


def test_a_meter_counts_from_its_claim_s_registers_once_and_stays_in_maintenance(
    operator: Operator, meter: Signer, claims: Claims, authority: Keypair, department: Path, tmp_path: Path
) -> None:
    asked = ("rebase", claims(meter.key, 2), "--reason", 4, "--authority", department, "--json")
    active = operator.run(app, *asked, "--force")
    assert active.code == 4
    assert "maintenance" in active.err
    set_status(meter, authority, MeterStatus.MAINTENANCE)
    drained = (*asked, "--node-status", node_status(tmp_path))
    assert operator.run(app, *drained, "--dry-run").code == 0
    assert now(meter).install_id == 1
    done = operator.run(app, *drained)
    assert done.code == 0, done.err
    found = now(meter)
    assert (found.install_id, found.baseline_export_mwh, found.baseline_import_mwh) == (2, 3_000, 4_000)
    assert (found.status, found.meter_key) == (MeterStatus.MAINTENANCE, meter.key.pubkey())
    assert operator.run(app, *drained).document["sent"] == []
    assert now(meter).install_id == 2


def test_limits_are_shown_and_only_what_is_given_changes_once(
    operator: Operator, meter: Signer, department: Path
) -> None:
    assert "5,000 W export, 10,000 W import" in operator.run(app, "limits", "METER_001").out
    asked = ("limits", "METER_001", "--max-import-w", 20_000, "--modulus-mwh", MODULUS, "--authority", department)
    assert operator.run(app, *asked, "--dry-run").code == 0
    assert now(meter).max_import_w == 10_000
    done = operator.run(app, *asked, "--json").document
    assert [step["what"] for step in done["sent"]] == ["set_meter_limits"]
    found = now(meter)
    assert (found.max_export_w, found.max_import_w, found.register_modulus_mwh) == (5_000, 20_000, Mwh(MODULUS))
    assert operator.run(app, *asked, "--json").document["sent"] == []
    assert operator.run(app, "limits", "METER_001", "--max-import-w", 1_000_001).code == 2
    assert operator.run(app, "limits", "METER_001", "--modulus-mwh", 1, "--authority", department).code == 4
    assert operator.run(app, "limits", "METER_009").code == 2
