"""Join what the framework prints with the feature `idl-build` into one Anchor IDL (spec 0.1.0), as the Anchor CLI does.

Each `#[program]`, `#[event]`, `#[error_code]`, `#[constant]` and the id print a part of their own:

    --- IDL begin event ---
    {"event": {...}, "types": [...]}
    --- IDL end event ---

Lists are sorted by name and every type stands once, so that the same sources give the same text.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

PART = re.compile(r"--- IDL begin (\w+) ---\n(.*?)\n--- IDL end \1 ---", re.S)
NUMBERS = re.compile(r"\[\s+-?\d+(?:,\s+-?\d+)*\s+\]")
"""A list of numbers as `json` indents it; bytes are easier to read, and to compare, on one line."""
ADDRESS = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}")
KEYS = ("address", "metadata", "docs", "instructions", "accounts", "events", "errors", "types", "constants")
"""The order of the file; a key that is not here is an error, since a newer framework may mean something new by it."""


class IdlError(Exception):
    """The printed parts make no IDL; the message says which part is missing or unknown."""


def join(printed: str) -> str:
    """The text of the IDL file, from the whole output of the printing tests.  Raises IdlError."""
    idl: dict[str, Any] | None = None
    events: list[Any] = []
    errors: list[Any] = []
    constants: list[Any] = []
    types: list[Any] = []
    address = ""
    for name, body in PART.findall(printed):
        if name == "address":
            address = body.strip()
        elif name == "program":
            idl = json.loads(body)
        elif name == "event":
            part = json.loads(body)
            events.append(part["event"])
            types += part.get("types", [])
        elif name == "errors":
            errors += json.loads(body)
        elif name == "const":
            constants.append(json.loads(body))
        else:
            raise IdlError(f"the framework printed an unknown part {name!r}")
    if idl is None or not address:
        raise IdlError("the framework printed no program: does the crate have `idl-build` and a #[program]?")
    idl["address"] = address
    idl["events"] = _by_name(idl.get("events", []) + events)
    idl["errors"] = sorted(idl.get("errors", []) + errors, key=lambda error: int(error["code"]))
    idl["constants"] = _by_name(idl.get("constants", []) + constants)
    idl["types"] = _by_name(_without_unused_aliases(idl, idl.get("types", []) + types))
    idl["accounts"] = _by_name(idl.get("accounts", []))
    for instruction in idl.get("instructions", []):
        _check_addresses(instruction)
    unknown = set(idl) - set(KEYS)
    if unknown:
        raise IdlError(f"the IDL has unknown keys: {', '.join(sorted(unknown))}")
    text = json.dumps({key: idl[key] for key in KEYS if key in idl}, indent=1, ensure_ascii=False)
    return NUMBERS.sub(lambda found: " ".join(found[0].split()).replace("[ ", "[").replace(" ]", "]"), text) + "\n"


def _without_unused_aliases(idl: dict[str, Any], types: list[Any]) -> list[Any]:
    """Leave out `Pod…` and the like that no field names: the framework prints them beside the plain type that it uses.

    anchorpy3 knows no aliases, and nobody needs these.
    """
    used = set(_names_in([idl, types]))
    return [entry for entry in types if entry["type"].get("kind") != "type" or entry["name"] in used]


def _names_in(part: object) -> Iterator[str]:
    """Names of the types that fields, arguments and return values in this part are of."""
    if isinstance(part, dict):
        defined = part.get("defined")
        if isinstance(defined, dict) and "name" in defined:
            yield defined["name"]
        for value in part.values():
            yield from _names_in(value)
    elif isinstance(part, list):
        for value in part:
            yield from _names_in(value)


def _check_addresses(instruction: dict[str, Any]) -> None:
    """Raises IdlError where an account's fixed address is none: `address = other.field` in Rust prints the path."""
    for account in instruction["accounts"]:
        address = account.get("address")
        if address is not None and not ADDRESS.fullmatch(address):
            raise IdlError(
                f"{instruction['name']}.{account['name']} has the address {address!r}, at which other clients fail: "
                "say `constraint =` instead of `address =`"
            )


def _by_name(entries: list[Any]) -> list[Any]:
    """Sorted by name, equal entries once.  Raises IdlError if one name has two meanings."""
    found: dict[str, Any] = {}
    for entry in entries:
        name = entry["name"]
        if found.setdefault(name, entry) != entry:
            raise IdlError(f"{name} stands in the IDL twice with different content")
    return [found[name] for name in sorted(found)]
