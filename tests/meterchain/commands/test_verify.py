"""`meterbridge verify`: a record and its signature, without a chain; and never mistaken for OCMF."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.meterchain.commands.conftest import Operator

from meterchain.commands.verify import app
from meterchain.embedded import EmbeddedChain
from meterchain.ocmf import NOTICE
from meterchain.record import Record, StatusFlags
from meterchain.saved_account import save_account

if TYPE_CHECKING:
    from tests.meterchain.conftest import NewMeter, Signer


@pytest.fixture
def saved(chain: EmbeddedChain, meter: "Signer", tmp_path: Path) -> Path:
    """The registry's account of METER_001."""
    (info,) = chain.accounts([meter.site.meter("METER_001")])
    assert info is not None
    save_account(tmp_path / "meter.json", info)
    return tmp_path / "meter.json"


@pytest.fixture
def write(meter: "Signer", tmp_path: Path) -> Callable[..., Path]:
    """`write(encoded)`: the record, signed by the meter, in a file."""

    def to_file(encoded: bytes, signature: bytes | None = None) -> Path:
        path = tmp_path / "record.json"
        signed = signature or meter.signature(encoded).signature
        path.write_text(json.dumps({"record": encoded.hex(), "signature": signed.hex(), "seq": 1}))
        return path

    return to_file


def failing(document: dict[str, object]) -> list[str]:
    checks = document["checks"]
    assert isinstance(checks, list)
    return [check["name"] for check in checks if not check["ok"]]


def test_a_good_record_is_shown_with_ocmf_s_words_and_not_as_ocmf(
    operator: Operator, meter: "Signer", saved: Path, write: Callable[..., Path]
) -> None:
    record = meter.sign(1_100_000, 7_000_001)
    asked = (write(record.encoded), "--account", saved, "--domain", meter.site.domain.hex())
    shown = operator.run(app, *asked)
    assert shown.code == 0, shown.out
    assert shown.out.startswith(NOTICE)
    assert "OCMF|" not in shown.out
    document = operator.run(app, *asked, "--json").document
    first, second = document["payload"]["RD"]
    assert (first["RI"], first["RV"], first["RU"], first["TX"], first["ST"]) == (
        "1-b:2.8.0", "1.100000", "kWh", "P", "G",
    )  # fmt: skip
    assert (second["RI"], second["RV"]) == ("1-b:1.8.0", "7.000001")
    assert first["TM"] == "2026-01-01T00:15:00,000+0000 S"
    assert document["payload"]["PG"] == "T1"
    assert document["signature"]["over"] == record.encoded.hex()
    assert document["ok"]


def test_without_the_domain_the_site_is_not_claimed_to_be_checked(
    operator: Operator, meter: "Signer", saved: Path, write: Callable[..., Path]
) -> None:
    shown = operator.run(app, write(meter.sign(1_100_000, 7_000_000).encoded), "--account", saved)
    assert shown.code == 0
    assert "of this site" not in shown.out
    assert "the site was not checked" in shown.err


def test_one_changed_bit_is_seen(operator: Operator, meter: "Signer", saved: Path, write: Callable[..., Path]) -> None:
    record = meter.sign(1_100_000, 7_000_000)
    forged = bytearray(record.encoded)
    forged[64] ^= 1
    shown = operator.run(app, write(bytes(forged), record.signed.signature), "--account", saved, "--json")
    assert shown.code == 1
    assert failing(shown.document) == ["signed by the meter's key"]


def test_another_meter_s_good_record_does_not_pass_for_this_one(
    operator: Operator, new_meter: "NewMeter", saved: Path, write: Callable[..., Path]
) -> None:
    other = new_meter("METER_002").sign(1_100_000, 7_000_000)
    shown = operator.run(app, write(other.encoded, other.signed.signature), "--account", saved, "--json")
    assert shown.code == 1
    assert failing(shown.document) == ["the record is this meter's", "signed by the meter's key"]


def test_records_that_can_move_no_money_or_are_out_of_place_are_named(
    operator: Operator, meter: "Signer", saved: Path, write: Callable[..., Path]
) -> None:
    meter.sign(1_100_000, 7_000_000)
    good = meter.last
    assert good is not None
    cases: list[tuple[Record, list[str]]] = [
        (dataclasses.replace(good, status_flags=StatusFlags.TEST), ["nothing in its flags forbids money"]),
        (dataclasses.replace(good, ts=good.epoch + 100), ["read when its slot ends"]),
        (dataclasses.replace(good, install_id=2), ["of the install that the account names"]),
        (dataclasses.replace(good, domain=bytes(8)), ["of this site"]),
    ]
    for record, expected in cases:
        asked = (write(record.encode()), "--account", saved, "--domain", meter.site.domain.hex(), "--json")
        assert failing(operator.run(app, *asked).document) == expected


def test_an_account_at_another_address_is_not_the_registry_s(
    operator: Operator, meter: "Signer", saved: Path, write: Callable[..., Path]
) -> None:
    document = json.loads(saved.read_text())
    document["pubkey"] = str(meter.owner.pubkey())
    saved.write_text(json.dumps(document))
    record = write(meter.sign(1_100_000, 7_000_000).encoded)
    assert failing(operator.run(app, record, "--account", saved, "--json").document) == [
        "the saved account is the registry's"
    ]
    document["account"]["owner"] = str(meter.owner.pubkey())
    saved.write_text(json.dumps(document))
    refused = operator.run(app, record, "--account", saved)
    assert refused.code == 4
    assert "it is no Meter" in refused.err


@pytest.mark.parametrize("text", ["", "{}", '{"record": "00"}', '{"record": "zz", "signature": "00"}', "[]"])
def test_a_file_without_a_record_is_wrong_use(operator: Operator, saved: Path, tmp_path: Path, text: str) -> None:
    odd = tmp_path / "odd.json"
    odd.write_text(text)
    assert operator.run(app, odd, "--account", saved).code == 2
    assert operator.run(app, tmp_path / "none.json", "--account", saved).code == 2


def test_a_file_without_an_account_is_wrong_use(
    operator: Operator, meter: "Signer", write: Callable[..., Path], tmp_path: Path
) -> None:
    record, odd = write(meter.sign(1_100_000, 7_000_000).encoded), tmp_path / "odd.json"
    odd.write_text('{"pubkey": "x"}')
    wrong = operator.run(app, record, "--account", odd)
    assert wrong.code == 2
    assert "meterbridge meter show ID --save FILE" in wrong.err
    assert operator.run(app, record, "--account", odd, "--domain", "12").code == 2
