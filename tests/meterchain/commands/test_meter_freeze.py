"""Two records of one number freeze their meter; another key lets it go on; what is no evidence costs nothing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.meterchain.commands.conftest import Operator, balance
from tests.meterchain.commands.test_meter_changes import NEW, Claims, claims  # noqa: F401 - a fixture
from tests.meterchain.conftest import NewMeter, Signer

from meterchain import instructions
from meterchain.accounts import UserStatus
from meterchain.commands.meter import app
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import SignedRecord
from meterchain.record import Record
from meterchain.units import Mwh


def record_file(folder: Path, name: str, signed: SignedRecord) -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"record": signed.encoded.hex(), "signature": signed.signed.signature.hex()}))
    return path


def contradicting(meter: Signer, signed: SignedRecord) -> SignedRecord:
    """The same number, another register."""
    other = replace(Record.decode(signed.encoded), export_mwh=Mwh(1_400_000)).encode()
    return SignedRecord(other, meter.signature(other))


@pytest.fixture
def evidence(meter: Signer, tmp_path: Path) -> tuple[Path, Path]:
    first = meter.sign(1_300_000, 7_000_000)
    return record_file(tmp_path, "first", first), record_file(tmp_path, "second", contradicting(meter, first))


def test_evidence_freezes_a_meter_once_and_only_another_key_lets_it_go_on(
    operator: Operator, chain: EmbeddedChain, meter: Signer, evidence: tuple[Path, Path], claims: Claims,  # noqa: F811
    department: Path,
) -> None:  # fmt: skip
    asked = ("equivocation", *evidence, "--authority", department, "--json")
    assert operator.run(app, *asked, "--dry-run").code == 0
    assert not meter.state().frozen
    done = operator.run(app, *asked)
    assert done.code == 0, done.err
    assert done.document["state"]["frozen"]
    assert operator.run(app, *asked).document["sent"] == []
    clearing = ("clear-freeze", "METER_001", "--authority", department, "--json")
    early = operator.run(app, *clearing)
    assert (early.code, "meter rotate-key" in early.err) == (4, True)
    chain.advance(60)
    assert operator.run(app, "rotate-key", claims(NEW, 1), "--authority", department).code == 0
    assert operator.run(app, *clearing).code == 0
    assert not meter.state().frozen
    assert operator.run(app, *clearing).document["sent"] == []


def test_a_frozen_meter_out_of_service_is_cleared_and_its_owner_paid_in_one_transaction(
    operator: Operator, chain: EmbeddedChain, meter: Signer, authority: Keypair, department: Path, tmp_path: Path
) -> None:
    programs, owner = meter.site.programs, meter.owner.pubkey()
    signed = meter.sign(1_300_000, 7_000_000)
    chain.send(instructions.submit_meter_data(programs, authority.pubkey(), [signed], position=0), [authority])
    pair = (record_file(tmp_path, "one", signed), record_file(tmp_path, "two", contradicting(meter, signed)))
    by = ("--authority", department, "--json")
    assert operator.run(app, "equivocation", *pair, *by).code == 0
    assert operator.run(app, "status", "METER_001", "decommissioned", *by).code == 0
    for status in (UserStatus.SUSPENDED, UserStatus.ACTIVE):
        chain.send([instructions.set_user_status(programs, authority.pubkey(), owner, status)], [authority])
        done = operator.run(app, "clear-freeze", "METER_001", *by)
        if status is UserStatus.SUSPENDED:
            assert (done.code, f"user status {owner} active" in done.err) == (4, True)
    assert done.code == 0, done.err
    assert [sent["what"] for sent in done.document["sent"]] == ["clear_freeze + process_energy_data"]
    assert (meter.state().frozen, meter.state().unminted_mwh, meter.state().minted_mwh) == (False, 0, 300_000)


def test_what_proves_nothing_is_told_before_it_costs_a_fee(
    operator: Operator, chain: EmbeddedChain, meter: Signer, new_meter: NewMeter, evidence: tuple[Path, Path],
    authority: Keypair, department: Path, tmp_path: Path,
) -> None:  # fmt: skip
    other_meter = record_file(tmp_path, "other", new_meter("METER_002").sign(1_300_000, 7_000_000))
    first = json.loads(evidence[0].read_text())
    (tmp_path / "forged.json").write_text(json.dumps(json.loads(evidence[1].read_text()) | {"signature": "00" * 64}))
    assert first["record"] != json.loads(evidence[1].read_text())["record"]
    before = balance(chain, authority)
    for pair in ((evidence[0], evidence[0]), (evidence[0], other_meter), (evidence[0], tmp_path / "forged.json")):
        wrong = operator.run(app, "equivocation", *pair, "--authority", department)
        assert wrong.code == 2
        assert "contradict" in wrong.err or "not signed by" in wrong.err
    assert balance(chain, authority) == before
    assert not meter.state().frozen
