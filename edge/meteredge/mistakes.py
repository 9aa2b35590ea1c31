"""What is wrong with a TOML file, told to the person who wrote it: one line a mistake, all of them at once.

Each line names the file, the key as it stands there (`meters[METER_007].unit`), the fact and what to write instead.  A
value whose field is marked personal or secret is not repeated.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from meteredge.privacy import privacy_of, tables_in


class NotToml(Exception):
    """The file cannot be read, or is no TOML."""


def read_toml(path: Path, if_missing: str) -> dict[str, Any]:
    """The tables of the file at `path`.  Raises NotToml; `if_missing` is the next step if there is no file."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise NotToml(f"{path}: no such file; {if_missing}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise NotToml(f"{path}: cannot be read ({error})") from None
    return parse_toml(text, path)


def parse_toml(text: str, source: Path | str) -> dict[str, Any]:
    """The tables of a file whose text is at hand.  Raises NotToml."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotToml(f"{source}: not TOML: {error}") from None


def told(
    model: type[BaseModel],
    errors: Iterable[ErrorDetails],
    *,
    source: Path | str,
    table: Mapping[str, Any],
    annotated: str,
    write_instead: Mapping[str, str],
) -> list[str]:
    """A line for each mistake.

    `annotated` says where an annotated file is; `write_instead` says by the name of a key what its pattern asks for.
    """
    return [
        f"{source}: {line}"
        for each in errors
        for line in _explained(model, each, table, annotated, write_instead).splitlines()
    ]


def _explained(
    model: type[BaseModel],
    error: ErrorDetails,
    table: Mapping[str, Any],
    annotated: str,
    write_instead: Mapping[str, str],
) -> str:
    where = error["loc"]
    key = spelled(where, table)
    last = str(where[-1]) if where else ""
    match error["type"]:
        case "extra_forbidden":
            known = [info.alias or name for name, info in _fields_at(model, where[:-1]).items()]
            near = difflib.get_close_matches(last, known, n=1, cutoff=0.4)
            advice = f"did you mean {near[0]!r}?" if near else f"known here are {', '.join(known)}"
            return f"unknown key {key!r}; {advice}"
        case "missing":
            return f"{key!r} is missing; add it ({annotated})"
        case "string_pattern_mismatch" if last in write_instead:
            return f"{key!r} is {_quoted(model, error)}; write {write_instead[last]}"
        case "value_error":
            return f"{key!r}: {error['ctx']['error']}" if key else str(error["ctx"]["error"])
        case _:
            return f"{key!r} is {_quoted(model, error)}: {error['msg'][0].lower()}{error['msg'][1:]}"


def spelled(where: Sequence[str | int], table: Mapping[str, Any]) -> str:
    """A place in `table` as people name it: entries of a list by their `id`, else by their number from 1."""
    words = ""
    here: Any = table
    for part in where:
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = None
        if isinstance(part, int):
            name = here.get("id") if isinstance(here, Mapping) else None
            words += f"[{name if isinstance(name, str) else part + 1}]"
        else:
            words += f".{part}" if words else part
    return words


def _quoted(model: type[BaseModel], error: ErrorDetails) -> str:
    names = [part for part in error["loc"] if isinstance(part, str)]
    for depth, name in enumerate(names):
        info = _fields_at(model, names[:depth]).get(name)
        mark = privacy_of(info) if info is not None else None
        if mark in {"personal", "secret"}:
            return f"not what it should be (it is {mark}, and not repeated here)"
    if isinstance(error["input"], dict):
        return "a table"
    return "a list" if isinstance(error["input"], list) else repr(error["input"])


def _fields_at(model: type[BaseModel], where: Sequence[str | int]) -> dict[str, FieldInfo]:
    """The fields that the table at that place may have, by the names that stand in the file."""
    for part in where:
        if isinstance(part, int):
            continue
        found = next((i for n, i in model.model_fields.items() if (i.alias or n) == part), None)
        tables = tables_in(found.annotation) if found is not None else ()
        if not tables:
            return {}
        model = tables[0]
    return {info.alias or name: info for name, info in model.model_fields.items()}
