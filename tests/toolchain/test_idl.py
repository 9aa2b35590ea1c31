"""Joining the framework's printed parts into one IDL."""

import json

import pytest

from toolchain.idl import IdlError, join

PROGRAM = {
    "address": "",
    "metadata": {"name": "alpha", "version": "0.1.0", "spec": "0.1.0"},
    "instructions": [
        {"name": "zulu", "discriminator": [1, 2, 3, 4, 5, 6, 7, 8], "accounts": [], "args": []},
        {"name": "alfa", "discriminator": [8, 7, 6, 5, 4, 3, 2, 1], "accounts": [], "args": []},
    ],
    "accounts": [{"name": "Meter", "discriminator": [9] * 8}, {"name": "Config", "discriminator": [8] * 8}],
    "types": [{"name": "Meter", "type": {"kind": "struct", "fields": []}}],
}


def part(name: str, body: object) -> str:
    text = body if isinstance(body, str) else json.dumps(body)
    return f"---- some::test stdout ----\n--- IDL begin {name} ---\n{text}\n--- IDL end {name} ---\n"


def event(name: str) -> dict[str, object]:
    kind = {"name": name, "type": {"kind": "struct", "fields": []}}
    return {"event": {"name": name, "discriminator": [1] * 8}, "types": [kind]}


def constant(name: str) -> dict[str, object]:
    return {"name": name, "type": "u64", "value": "1"}


WHOLE = [
    part("address", "11111111111111111111111111111112"),
    part("program", PROGRAM),
    part("event", event("Signed")),
    part("event", event("Credited")),
    part("errors", [{"code": 6001, "name": "B"}, {"code": 6000, "name": "A"}]),
    part("const", constant("SECOND")),
    part("const", constant("FIRST")),
]


def test_all_parts_come_together() -> None:
    idl = json.loads(join("running 7 tests\n" + "".join(WHOLE)))
    assert idl["address"] == "11111111111111111111111111111112"
    assert [entry["name"] for entry in idl["events"]] == ["Credited", "Signed"]
    assert [entry["name"] for entry in idl["types"]] == ["Credited", "Meter", "Signed"]
    assert [entry["name"] for entry in idl["constants"]] == ["FIRST", "SECOND"]
    assert [entry["code"] for entry in idl["errors"]] == [6000, 6001]


def test_instructions_keep_the_order_of_the_program() -> None:
    assert [entry["name"] for entry in json.loads(join("".join(WHOLE)))["instructions"]] == ["zulu", "alfa"]


def test_the_text_does_not_depend_on_the_order_of_printing() -> None:
    assert join("".join(reversed(WHOLE))) == join("".join(WHOLE))


def test_a_list_of_numbers_stands_on_one_line() -> None:
    assert '"discriminator": [1, 2, 3, 4, 5, 6, 7, 8]' in join("".join(WHOLE))


def test_a_type_that_two_events_bring_stands_once() -> None:
    shared = {"name": "Shared", "type": {"kind": "struct", "fields": []}}
    one, two = event("One"), event("Two")
    one["types"], two["types"] = [shared], [shared]
    idl = json.loads(join("".join(WHOLE[:2]) + part("event", one) + part("event", two)))
    assert [entry["name"] for entry in idl["types"]] == ["Meter", "Shared"]


def test_one_name_with_two_meanings_is_an_error() -> None:
    other = {"name": "Meter", "type": {"kind": "struct", "fields": [{"name": "x", "type": "u8"}]}}
    with pytest.raises(IdlError, match="Meter stands in the IDL twice"):
        join("".join(WHOLE[:2]) + part("event", event("One") | {"types": [other]}))


def test_output_without_a_program_is_an_error() -> None:
    with pytest.raises(IdlError, match="idl-build"):
        join("running 0 tests\n")


def test_a_part_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(IdlError, match="unknown part 'novelty'"):
        join("".join(WHOLE) + part("novelty", {}))


def test_an_account_whose_fixed_address_is_a_path_is_an_error() -> None:
    account = {"name": "authority", "address": "governance.engineering_authority"}
    program = PROGRAM | {"instructions": [{"name": "alfa", "accounts": [account], "args": []}]}
    with pytest.raises(IdlError, match="constraint ="):
        join(WHOLE[0] + part("program", program))


def test_an_alias_that_no_field_names_is_left_out_and_one_that_is_named_stays() -> None:
    """The framework prints `PodU64` beside the u64 that fields are of; anchorpy3 reads no IDL with an alias."""
    named = {"defined": {"name": "Used"}}
    alias = {"kind": "type", "alias": "u64"}
    types = [
        {"name": "Meter", "type": {"kind": "struct", "fields": [{"name": "a", "type": {"array": [named, 2]}}]}},
        {"name": "Used", "type": alias},
        {"name": "PodU64", "type": alias},
    ]
    idl = json.loads(
        join(part("address", "11111111111111111111111111111112") + part("program", PROGRAM | {"types": types}))
    )
    assert [entry["name"] for entry in idl["types"]] == ["Meter", "Used"]
