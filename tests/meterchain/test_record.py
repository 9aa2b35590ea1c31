"""The record codec and the shared vectors of tests/vectors/records.json, which a Rust unit test reads as well."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey, VerifyKey

from meterchain.record import (
    Reason,
    Record,
    RecordError,
    StatusFlags,
    TimeStatus,
    decode_meter_id,
    encode_meter_id,
    record_digest,
)
from meterchain.units import InstallId, Mwh, Seq, Slot, UnixTime

VECTORS: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parents[1] / "vectors/records.json").read_text())
METER_IDS = st.from_regex(r"[A-Z0-9_-]{1,16}", fullmatch=True)
U64 = st.integers(0, 2**64 - 1)
I64 = st.integers(-(2**63), 2**63 - 1)
RECORDS = st.builds(
    Record,
    domain=st.binary(min_size=8, max_size=8),
    meter_id=METER_IDS,
    install_id=st.integers(0, 2**32 - 1).map(InstallId),
    seq=U64.map(Seq),
    epoch=I64.map(Slot),
    ts=I64.map(UnixTime),
    export_mwh=U64.map(Mwh),
    import_mwh=U64.map(Mwh),
    prev=st.binary(min_size=16, max_size=16),
    reason=st.sampled_from(Reason),
    time_status=st.sampled_from(TimeStatus),
    status_flags=st.integers(0, 255).map(StatusFlags),
)


def from_vector(fields: dict[str, Any]) -> Record:
    number = {name: int(value) for name, value in fields.items() if name not in TEXT}
    return Record(
        domain=bytes.fromhex(fields["domain"]),
        meter_id=fields["meter_id"],
        install_id=InstallId(number["install_id"]),
        seq=Seq(number["seq"]),
        epoch=Slot(number["epoch"]),
        ts=UnixTime(number["ts"]),
        export_mwh=Mwh(number["export_mwh"]),
        import_mwh=Mwh(number["import_mwh"]),
        prev=bytes.fromhex(fields["prev"]),
        reason=Reason(fields["reason"]),
        time_status=TimeStatus(fields["time_status"]),
        status_flags=StatusFlags(number["status_flags"]),
    )


TEXT = {"domain", "meter_id", "prev", "reason", "time_status"}


@pytest.mark.parametrize("vector", VECTORS["records"], ids=lambda vector: str(vector["name"]))
def test_a_vector_s_fields_make_its_bytes_and_its_bytes_its_fields(vector: dict[str, Any]) -> None:
    record, encoded = from_vector(vector["fields"]), bytes.fromhex(vector["encoded"])
    assert record.encode() == encoded
    assert Record.decode(encoded) == record
    assert record_digest(encoded).hex() == vector["digest"]


@pytest.mark.parametrize("vector", VECTORS["records"], ids=lambda vector: str(vector["name"]))
def test_a_vector_s_signature_is_its_key_s(vector: dict[str, Any]) -> None:
    key, encoded = SigningKey(bytes.fromhex(vector["seed"])), bytes.fromhex(vector["encoded"])
    assert bytes(key.verify_key).hex() == vector["public_key"]
    assert key.sign(encoded).signature.hex() == vector["signature"]
    VerifyKey(bytes.fromhex(vector["public_key"])).verify(encoded, bytes.fromhex(vector["signature"]))


def test_the_vectors_name_every_reason_time_status_and_flag() -> None:
    records = [from_vector(vector["fields"]) for vector in VECTORS["records"]]
    assert {record.reason for record in records} == set(Reason)
    assert {record.time_status for record in records} == set(TimeStatus)
    assert any(record.status_flags == StatusFlags(255) for record in records)


def test_the_second_vector_names_the_first_by_its_digest() -> None:
    first, second = VECTORS["records"][:2]
    assert second["fields"]["prev"] == first["digest"][:32]


@pytest.mark.parametrize("vector", VECTORS["rejected"], ids=lambda vector: str(vector["name"]))
def test_bytes_that_are_no_record_are_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        Record.decode(bytes.fromhex(vector["encoded"]))


@given(RECORDS)
def test_a_record_survives_its_bytes(record: Record) -> None:
    assert Record.decode(record.encode()) == record


@given(st.binary(min_size=96, max_size=96) | RECORDS.map(Record.encode), st.integers(0, 95), st.integers(0, 255))
def test_what_decodes_encodes_to_the_same_bytes(encoded: bytes, at: int, byte: int) -> None:
    changed = encoded[:at] + bytes([byte]) + encoded[at + 1 :]
    try:
        record = Record.decode(changed)
    except RecordError:
        return
    assert record.encode() == changed


@given(METER_IDS)
def test_a_meter_id_survives_its_sixteen_bytes(meter_id: str) -> None:
    assert decode_meter_id(encode_meter_id(meter_id)) == meter_id


@pytest.mark.parametrize("meter_id", ["", "meter_001", "METER 1", "METÉR", "A" * 17, "A\0B", "METER_001\n"])
def test_a_meter_id_has_1_to_16_capitals_digits_underscores_and_dashes(meter_id: str) -> None:
    with pytest.raises(RecordError, match="1 to 16"):
        encode_meter_id(meter_id)


@pytest.mark.parametrize(
    "change",
    [{"seq": 2**64}, {"export_mwh": -1}, {"install_id": 2**32}, {"ts": 2**63}, {"domain": b"short"}, {"prev": b""}],
)
def test_a_value_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    record = from_vector(VECTORS["records"][0]["fields"])
    with pytest.raises(RecordError):
        dataclasses.replace(record, **change).encode()
