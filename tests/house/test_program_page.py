"""docs/programs.md and docs/trading.md say what the committed IDLs and the Rust sources say: no instruction, account,
error, event or parameter is missing, none is invented, and every byte of every account stands where the pages put it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / "docs" / name).read_text("utf-8") for name in ("programs.md", "trading.md")}
SOURCES = ROOT / "programs"
TITLES = {
    "governance": "Governance",
    "registry": "Registry",
    "oracle": "Oracle",
    "energy_token": "Energy Token",
    "trading": "Trading",
}
PARTS = {"EpochEnergy": "oracle", "Clear": "trading", "Order": "trading", "Seat": "trading", "HistoryEntry": "trading"}
"""Layouts of what lies inside accounts, and in whose IDL they are."""
ROWS = {"Book": "BOOK", "Seats": "SEATS", "History": "HISTORY"}
"""Accounts with rows behind their header, and what their constants begin with."""
OWN_SINGLETONS = re.compile(r'^"\w+"$')
SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i64": 8, "pubkey": 32}


@dataclass(frozen=True)
class Table:
    """One table of a page, with the heading of level 2 (trading.md is one chapter) and the nearest heading above it."""

    chapter: str
    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip().replace("`", "") for cell in line.strip().strip("|").split("|"))


def page_of(program: str) -> str:
    return PAGES["trading.md" if program == "trading" else "programs.md"]


def tables(page: str, whole: str = "") -> Iterator[Table]:
    """`whole`: the one chapter that the page is."""
    chapter = heading = ""
    block: list[str] = []
    for line in [*page.splitlines(), ""]:
        if line.startswith("|"):
            block.append(line)
            continue
        if block:
            yield Table(whole or chapter, heading, cells(block[0]), tuple(cells(row) for row in block[2:]))
            block = []
        if line.startswith("#"):
            heading = line.lstrip("# ")
            chapter = heading if line.startswith("## ") else chapter


TABLES = (*tables(PAGES["programs.md"]), *tables(PAGES["trading.md"], TITLES["trading"]))


@cache
def idl(program: str) -> dict[str, Any]:
    return dict(json.loads((SOURCES / "meterchain" / "idl" / f"{program}.json").read_text("utf-8")))


def types(program: str) -> Mapping[str, Any]:
    return {definition["name"]: definition["type"] for definition in idl(program)["types"]}


def rows_of(chapter: str, first_column: str) -> tuple[tuple[str, ...], ...]:
    (table,) = [table for table in TABLES if table.chapter == chapter and table.columns[0] == first_column]
    return table.rows


def rows_of_both(first_column: str) -> list[tuple[str, ...]]:
    """Of the two tables that begin with this column, one on each page."""
    first, second = [table for table in TABLES if table.columns[0] == first_column]
    return [*first.rows, *second.rows]


def size_of(kind: Any, known: Mapping[str, Any]) -> int:  # noqa: ANN401
    if isinstance(kind, str):
        return SIZES[kind]
    ((word, inner),) = kind.items()
    if word == "array":
        return size_of(inner[0], known) * int(inner[1])
    body = known[inner["name"]]
    if body["kind"] == "type":
        return size_of(body["alias"], known)
    return sum(size_of(field["type"], known) for field in body["fields"])


def spelled(kind: Any, known: Mapping[str, Any]) -> str:  # noqa: ANN401
    if isinstance(kind, str):
        return "key" if kind == "pubkey" else kind
    ((word, inner),) = kind.items()
    if word == "array":
        return f"[{spelled(inner[0], known)}; {inner[1]}]"
    body = known[inner["name"]]
    return spelled(body["alias"], known) if body["kind"] == "type" else str(inner["name"])


def defined_in(kind: Any) -> Iterator[str]:  # noqa: ANN401
    """Names of the types that `kind` is made of."""
    if isinstance(kind, dict):
        ((word, inner),) = kind.items()
        if word == "defined":
            yield inner["name"]
        else:
            yield from defined_in(inner[0] if word == "array" else inner)


def layout(name: str, known: Mapping[str, Any], at: int) -> Iterator[tuple[str, str, str]]:
    for field in known[name]["fields"]:
        yield str(at), field["name"], spelled(field["type"], known)
        at += size_of(field["type"], known)


def layouts_on_the_page() -> dict[str, Table]:
    return {re.split(r"\W", table.heading)[0]: table for table in TABLES if table.columns[:2] == ("at", "field")}


@pytest.mark.parametrize("program", TITLES)
def test_every_instruction_stands_on_the_page_with_its_arguments(program: str) -> None:
    calls = [
        f"{instruction['name']}({', '.join(argument['name'] for argument in instruction['args'])})"
        for instruction in idl(program)["instructions"]
    ]
    assert sorted(row[0] for row in rows_of(TITLES[program], "instruction")) == sorted(calls)


def test_every_instruction_of_trading_stands_on_its_page_with_its_accounts() -> None:
    def shown(account: Mapping[str, Any]) -> str:
        marks = "\\*" * account.get("signer", False) + "+" * account.get("writable", False)
        return f"{account['name']}{marks}"

    there = {shape["name"]: ", ".join(map(shown, shape["accounts"])) for shape in idl("trading")["instructions"]}
    assert {row[0]: row[1] for row in rows_of(TITLES["trading"], "call")} == there


def test_the_rows_behind_a_header_lie_where_the_page_of_trading_says() -> None:
    constants = {constant["name"]: int(constant["value"]) for constant in idl("trading")["constants"]}
    shown = {row[0]: (int(row[1]), int(row[2])) for row in rows_of(TITLES["trading"], "account")}
    assert shown == {name: (constants[f"{word}_ROWS_AT"], constants[f"{word}_ROW"]) for name, word in ROWS.items()}


@pytest.mark.parametrize("program", TITLES)
def test_every_error_stands_on_the_page_with_its_number(program: str) -> None:
    errors = [(str(error["code"]), error["name"]) for error in idl(program)["errors"]]
    rows = rows_of(TITLES[program], "number")
    assert [row[:2] for row in rows] == errors
    assert all(row[2] and row[3] for row in rows)


@pytest.mark.parametrize("program", TITLES)
def test_every_event_stands_on_the_page_with_its_fields(program: str) -> None:
    known = types(program)
    events = {
        event["name"]: ", ".join(field["name"] for field in known[event["name"]]["fields"])
        for event in idl(program)["events"]
    }
    assert {row[0]: row[1] for row in rows_of(TITLES[program], "event")} == events


@pytest.mark.parametrize("program", TITLES)
def test_every_account_type_has_its_layout_and_size_on_the_page(program: str) -> None:
    known, shown = types(program), layouts_on_the_page()
    for account in idl(program)["accounts"]:
        name = account["name"]
        table = shown[name]
        assert [row[:3] for row in table.rows] == list(layout(name, known, 8)), name
        size = 8 + size_of({"defined": {"name": name}}, known)
        assert re.fullmatch(rf"{name}, of \w+: {size} bytes", table.heading), f"{name} has {size} bytes"


@pytest.mark.parametrize("name", PARTS)
def test_what_lies_inside_an_account_has_its_layout_on_the_page(name: str) -> None:
    known, table = types(PARTS[name]), layouts_on_the_page()[name]
    assert [row[:3] for row in table.rows] == list(layout(name, known, 0))
    assert f": {size_of({'defined': {'name': name}}, known)} bytes" in table.heading


def test_no_layout_is_of_an_account_that_no_program_has() -> None:
    accounts = {account["name"] for program in TITLES for account in idl(program)["accounts"]}
    assert set(layouts_on_the_page()) == accounts | PARTS.keys()


@pytest.mark.parametrize("program", TITLES)
def test_every_type_that_an_argument_a_return_value_or_an_event_has_is_named_on_its_page(program: str) -> None:
    kinds = [argument["type"] for shape in idl(program)["instructions"] for argument in shape["args"]]
    kinds += [shape["returns"] for shape in idl(program)["instructions"] if "returns" in shape]
    kinds += [field["type"] for event in idl(program)["events"] for field in types(program)[event["name"]]["fields"]]
    page = page_of(program)
    for name in {name for kind in kinds for name in defined_in(kind)}:
        if types(program)[name]["kind"] == "struct":
            assert f"`{name}`" in page, name
            assert all(re.search(rf"\b{field['name']}\b", page) for field in types(program)[name]["fields"]), name


@pytest.mark.parametrize("program", TITLES)
def test_the_ids_on_the_page_are_those_of_the_idls(program: str) -> None:
    shown = [
        row[1]
        for table in TABLES
        if table.columns == ("program", "development id")
        for row in table.rows
        if row[0] == program
    ]
    assert shown == [idl(program)["address"]]


def test_the_addresses_of_singletons_follow_from_their_seeds() -> None:
    singletons = [row for row in rows_of_both("PDA") if OWN_SINGLETONS.match(row[2])]
    assert len(singletons) == 9
    for name, program, seed, address in singletons:
        owner = Pubkey.from_string(idl(program)["address"])
        assert str(Pubkey.find_program_address([seed.strip('"').encode()], owner)[0]) == address, name


def test_every_seed_of_the_sources_stands_in_the_table_of_addresses() -> None:
    shown = {(row[1], re.findall(r'"(\w+)"', row[2])[0]) for row in rows_of_both("PDA")}
    there = {
        (program, seed)
        for program in TITLES
        for seed in re.findall(r'_SEED: &\[u8\] = b"(\w+)";', (SOURCES / program / "interface/src/lib.rs").read_text())
    }
    assert shown == there


def test_every_parameter_has_its_number_default_and_bounds_on_the_page() -> None:
    source = (SOURCES / "governance/interface/src/params.rs").read_text("utf-8")
    table = source.partition("pub const PARAMS")[2].partition("];")[0]
    there: list[tuple[str, ...]] = []
    for line in (line for line in table.splitlines() if line.strip().startswith("Param")):
        value, _, comment = line.partition("//")
        default, least, most = [f"{int(n.replace('_', '')):,}" for n in re.findall(r"\b[\d_]+\b", value)]
        or_off = ", or 0" if "zero_is_off: true" in value else ""
        there.append((str(len(there)), comment.split()[0], default, f"{least}..{most}{or_off}"))
    assert len(there) == int(re.findall(r"PARAMS: \[Param; (\d+)\]", source)[0])
    assert [row[:4] for row in rows_of("Governance", "id")] == there


def test_every_pause_bit_stands_on_the_page() -> None:
    source = (SOURCES / "governance/interface/src/lib.rs").read_text("utf-8")
    bits = [(bit, name) for name, bit in re.findall(r"pub const (\w+): u32 = 1 << (\d+);", source)]
    assert [row[:2] for row in rows_of("Pause bits", "bit")] == bits


def test_every_error_that_a_record_can_meet_is_one_of_the_oracles() -> None:
    named = {name for row in rows_of("Oracle", "step") for name in re.findall(r"\w+", row[2])}
    assert named <= {error["name"] for error in idl("oracle")["errors"]}


def test_the_page_says_not_raised_yet_of_exactly_those_errors_that_no_source_raises() -> None:
    for program, title in TITLES.items():
        rust = [path for path in (SOURCES / program / "src").rglob("*.rs") if path.name != "errors.rs"]
        raised = "\n".join(path.read_text("utf-8") for path in rust)
        idle = {row[1] for row in rows_of(title, "number") if "not raised yet" in row[2]}
        mapped = {"NotTopLevel", "SignatureMissing"}  # by `From<Flaw>`, in errors.rs
        unused = {row[1] for row in rows_of(title, "number") if f"Error::{row[1]}" not in raised} - mapped
        assert idle == unused, program
