"""The IDL layer: instructions with their accounts, accounts, events by their program, whatever the spec allows."""

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from meterchain.chain import Receipt
from meterchain.idl import EVENT_TAG, Idl
from meterchain.idl_types import IdlError
from meterchain.programs import Programs
from meterchain.units import Lamports

PROGRAM = Pubkey.from_string("8SFqwqnq4whPhs8icwHA2hQg3hUoN1qrCLK1SBx3WKwe")
OTHER = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
SYSTEM = Pubkey.default()


def tag(kind: str, name: str) -> list[int]:
    return list(hashlib.sha256(f"{kind}:{name}".encode()).digest()[:8])


TARIFF: dict[str, Any] = {
    "name": "TariffParams",
    "type": {
        "kind": "struct",
        "fields": [{"name": "zone", "type": "u16"}, {"name": "label", "type": "string"}],
    },
}
CHANGED: dict[str, Any] = {
    "name": "Changed",
    "serialization": "bytemuck",
    "type": {"kind": "struct", "fields": [{"name": "zone", "type": "u16"}, {"name": "price", "type": "u64"}]},
}
RAW: dict[str, Any] = {
    "address": str(PROGRAM),
    "metadata": {"name": "tariffs", "version": "0.1.0", "spec": "0.1.0"},
    "instructions": [
        {
            "name": "set_tariff",
            "discriminator": tag("global", "set_tariff"),
            "accounts": [
                {
                    "name": "tariff",
                    "writable": True,
                    "pda": {
                        "seeds": [
                            {"kind": "const", "value": list(b"tariff")},
                            {"kind": "account", "path": "authority"},
                            {"kind": "arg", "path": "params.zone"},
                            {"kind": "arg", "path": "params.label"},
                        ]
                    },
                },
                {
                    "name": "index",
                    "pda": {
                        "seeds": [{"kind": "account", "path": "tariff"}],
                        "program": {"kind": "account", "path": "owner"},
                    },
                },
                {"name": "signers", "accounts": [{"name": "authority", "signer": True, "writable": True}]},
                {"name": "owner", "optional": True},
                {"name": "system_program", "address": str(SYSTEM)},
            ],
            "args": [{"name": "params", "type": {"defined": {"name": "TariffParams"}}}],
            "returns": "u64",
        },
        {
            "name": "by_content",
            "discriminator": tag("global", "by_content"),
            "accounts": [
                {"name": "meter"},
                {"name": "state", "pda": {"seeds": [{"kind": "account", "path": "meter.owner", "account": "Meter"}]}},
            ],
            "args": [],
        },
    ],
    "accounts": [{"name": "Changed", "discriminator": tag("account", "Changed")}],
    "events": [{"name": "Changed", "discriminator": tag("event", "Changed")}],
    "errors": [{"code": 6000, "name": "BadZone", "msg": "no such zone"}],
    "types": [TARIFF, CHANGED],
    "constants": [{"name": "ZONES", "type": "u16", "value": "7"}],
}
IDL = Idl.parse(json.dumps(RAW))
PARAMS = {"zone": 258, "label": "Süd"}
AUTHORITY = Pubkey.find_program_address([b"a"], PROGRAM)[0]
OWNER = Pubkey.find_program_address([b"o"], PROGRAM)[0]


def receipt(*logs: str, inner: tuple[tuple[Pubkey, bytes], ...] = ()) -> Receipt:
    return Receipt("", logs, 0, Lamports(0), inner_data=inner)


def changed(zone: int, price: int) -> bytes:
    return bytes(tag("event", "Changed")) + zone.to_bytes(2, "little") + price.to_bytes(8, "little")


def data_line(raw: bytes) -> str:
    return f"Program data: {base64.b64encode(raw).decode()}"


def test_accounts_are_resolved_through_constants_arguments_accounts_and_each_other() -> None:
    built = IDL.instruction("set_tariff", {"authority": AUTHORITY, "owner": OWNER}, {"params": PARAMS})
    tariff = Pubkey.find_program_address([b"tariff", bytes(AUTHORITY), b"\x02\x01", "Süd".encode()], PROGRAM)[0]
    index = Pubkey.find_program_address([bytes(tariff)], OWNER)[0]
    assert built.accounts == [
        AccountMeta(tariff, is_signer=False, is_writable=True),
        AccountMeta(index, is_signer=False, is_writable=False),
        AccountMeta(AUTHORITY, is_signer=True, is_writable=True),
        AccountMeta(OWNER, is_signer=False, is_writable=False),
        AccountMeta(SYSTEM, is_signer=False, is_writable=False),
    ]
    assert built.program_id == PROGRAM
    assert built.data == bytes(tag("global", "set_tariff")) + b"\x02\x01\x04\0\0\0S\xc3\xbcd"


def test_an_account_that_is_given_wins_over_the_idl() -> None:
    evil = Pubkey.find_program_address([b"evil"], PROGRAM)[0]
    given = {"authority": AUTHORITY, "owner": None, "tariff": evil, "index": evil, "system_program": evil}
    built = IDL.instruction("set_tariff", given, {"params": PARAMS})
    assert [meta.pubkey for meta in built.accounts] == [evil, evil, AUTHORITY, PROGRAM, evil]


def test_an_optional_account_left_out_is_the_program_itself_and_remaining_ones_follow() -> None:
    more = AccountMeta(OTHER, is_signer=False, is_writable=True)
    given = {"authority": AUTHORITY, "index": OTHER}
    built = IDL.instruction("set_tariff", given, {"params": PARAMS}, [more])
    assert built.accounts[3] == AccountMeta(PROGRAM, is_signer=False, is_writable=False)
    assert built.accounts[-1] == more


def test_what_is_missing_or_unknown_is_named() -> None:
    with pytest.raises(IdlError, match="needs account tariff"):
        IDL.instruction("set_tariff", {}, {"params": PARAMS})
    with pytest.raises(IdlError, match="needs account index"):
        IDL.instruction("set_tariff", {"authority": AUTHORITY}, {"params": PARAMS})
    with pytest.raises(IdlError, match="no account payer"):
        IDL.instruction("set_tariff", {"payer": AUTHORITY}, {"params": PARAMS})
    with pytest.raises(IdlError, match=r"takes \(params\)"):
        IDL.instruction("set_tariff", {"authority": AUTHORITY}, {"zone": 1})
    with pytest.raises(IdlError, match="no instruction 'nope'"):
        IDL.instruction("nope", {})
    with pytest.raises(IdlError, match="needs account state"):
        IDL.instruction("by_content", {"meter": OWNER})


def test_an_instruction_decodes_to_what_it_was_built_from() -> None:
    built = IDL.instruction("set_tariff", {"authority": AUTHORITY, "owner": OWNER}, {"params": PARAMS})
    assert IDL.decode_instruction(bytes(built.data)) == ("set_tariff", {"params": PARAMS})
    with pytest.raises(IdlError, match="not an instruction of tariffs"):
        IDL.decode_instruction(bytes(8))


def test_an_account_decodes_and_another_is_named() -> None:
    fields = {"zone": 3, "price": 2**40}
    raw = IDL.encode_account("Changed", fields)
    assert IDL.decode_account("Changed", raw + b"a slab's tail") == fields
    with pytest.raises(IdlError, match="of an unknown type"):
        IDL.decode_account("Changed", bytes(8) + raw[8:])
    with pytest.raises(IdlError, match="no account type"):
        IDL.decode_account("Meter", raw)
    with pytest.raises(IdlError, match="data end"):
        IDL.decode_account("Changed", raw[:-1])


def test_events_are_those_of_this_program_alone() -> None:
    mine, theirs = changed(1, 10), changed(2, 20)
    logs = (
        f"Program {PROGRAM} invoke [1]",
        "Program log: Instruction: SetTariff",
        f"Program {OTHER} invoke [2]",
        data_line(theirs),
        f"Program {OTHER} success",
        data_line(mine),
        f"Program log: Program {PROGRAM} invoke [9]",
        f"Program {PROGRAM} consumed 10 of 20 compute units",
        f"Program {PROGRAM} success",
        data_line(theirs),
    )
    assert [event.fields for event in IDL.events(receipt(*logs))] == [{"zone": 1, "price": 10}]


def test_events_by_self_cpi_are_found_and_foreign_calls_are_not() -> None:
    inner = ((PROGRAM, EVENT_TAG + changed(1, 10)), (OTHER, EVENT_TAG + changed(2, 20)), (PROGRAM, changed(3, 30)))
    assert [event.fields["zone"] for event in IDL.events(receipt(inner=inner))] == [1]
    assert hashlib.sha256(b"anchor:event").digest()[:8][::-1] == EVENT_TAG


def test_an_unknown_event_is_passed_over() -> None:
    logs = (f"Program {PROGRAM} invoke [1]", data_line(b"12345678rest"), f"Program {PROGRAM} success")
    assert IDL.events(receipt(*logs)) == []


@given(st.binary(max_size=60))
def test_any_logged_bytes_are_an_event_or_nothing_or_refused_cleanly(raw: bytes) -> None:
    logs = (f"Program {PROGRAM} invoke [1]", data_line(changed(1, 1)[:8] + raw), f"Program {PROGRAM} success")
    try:
        (event,) = IDL.events(receipt(*logs))
    except IdlError:
        assert len(raw) < 10
        return
    assert event.name == "Changed"


def test_return_values_decode_by_the_idl() -> None:
    assert IDL.decode_return("set_tariff", (5).to_bytes(8, "little")) == 5
    with pytest.raises(IdlError, match="returns nothing"):
        IDL.decode_return("by_content", b"")


def test_errors_and_constants_are_listed() -> None:
    assert IDL.errors[6000] == ("BadZone", "no such zone")
    assert IDL.constants["ZONES"] == "7"


@pytest.mark.parametrize("text", ["[]", "{}", json.dumps(RAW | {"metadata": {"spec": "0.2.0"}})])
def test_another_spec_is_refused(text: str) -> None:
    with pytest.raises(IdlError, match=r"spec 0\.1\.0"):
        Idl.parse(text)


def test_the_committed_idls_have_anchor_s_discriminators_and_error_numbers(built: Programs) -> None:
    for name in built:
        raw = built[name].raw
        assert raw["metadata"]["name"] == name
        for shape in raw["instructions"]:
            assert shape["discriminator"] == tag("global", shape["name"]), f"{name}.{shape['name']}"
        for shape in raw["accounts"]:
            assert shape["discriminator"] == tag("account", shape["name"])
        for shape in raw.get("events", []):
            assert shape["discriminator"] == tag("event", shape["name"])
        assert [error["code"] for error in raw["errors"]] == list(range(6000, 6000 + len(raw["errors"])))


def test_every_account_type_of_the_committed_idls_can_be_laid_out(built: Programs) -> None:
    for name in built:
        idl = built[name]
        for shape in idl.raw["accounts"]:
            raw = idl.discriminator(shape["name"]) + bytes(16_384)
            fields = idl.decode_account(shape["name"], raw)
            assert idl.encode_account(shape["name"], fields) == raw[: len(idl.encode_account(shape["name"], fields))]
