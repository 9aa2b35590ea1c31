"""Finding and reading the files of `meters/`, or a site's own file."""

import difflib
import tomllib
from decimal import Decimal
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from meteredge.profiles.errors import ProfileError
from meteredge.profiles.schema import Profile

_TABLES = ("registers", "identity", "config", "tamper")


def names() -> tuple[str, ...]:
    """The names of all shipped profiles, sorted."""
    return tuple(
        sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml"))
    )


def load(name: str) -> Profile:
    """The profile of that name or alias (upper and lower case alike), or of the file that a path ending in .toml names.

    Raises ProfileError, which names the nearest profiles if there is none, and the key if the file is not right.
    """
    if name.endswith(".toml"):
        return read_profile(Path(name))
    wanted = name.lower()
    if wanted in names():
        return read_profile(_folder() / f"{wanted}.toml")
    known: dict[str, str] = {}
    for profile in names():
        known |= dict.fromkeys((profile, *_parse(_folder() / f"{profile}.toml").get("aliases", [])), profile)
    if wanted in known:
        return read_profile(_folder() / f"{known[wanted]}.toml")
    near = difflib.get_close_matches(wanted, known, n=3) or sorted(names())
    raise ProfileError(f"no profile {name!r}; there is {', '.join(near)} (docs/profiles.md says how to add one)")


def read_profile(path: Path | Traversable) -> Profile:
    """Read and check one file.  Its name without .toml is the profile's name.  Raises ProfileError."""
    table = _parse(path)
    if table.pop("schema", None) != 1:
        raise ProfileError(f"{path}: schema is not 1; the first line of a profile is `schema = 1`")
    if "name" in table:
        raise ProfileError(f"{path}: the file's name is the profile's name; take the key `name` out")
    table = _with_base(path, table)
    table["name"] = path.name.removesuffix(".toml")
    _fill_registers(path, table)
    try:
        return Profile.model_validate(table)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, line['loc'])) or 'profile'}: {line['msg']}" for line in error.errors()]
        raise ProfileError(f"{path}: " + "; ".join(lines)) from None


def _with_base(path: Path | Traversable, table: dict[str, Any], passed: tuple[str, ...] = ()) -> dict[str, Any]:
    """The table on top of the shipped profile that it is like, without what names that.  Raises ProfileError."""
    if "like" not in table:
        return table
    like = table.pop("like")
    if like not in names() or like in passed:
        raise ProfileError(f"{path}: there is no profile {like!r} to be like; there is {', '.join(names())}")
    base_path = _folder() / f"{like}.toml"
    base = _with_base(base_path, _parse(base_path), (*passed, like))
    return _merged({key: value for key, value in base.items() if key not in ("schema", "aliases")}, table)


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`base` with what `own` says instead; tables are merged key by key."""
    both = {
        key: _merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in own.items()
    }
    return base | both


def _fill_registers(path: Path | Traversable, table: dict[str, Any]) -> None:
    """Give each register what the profile says for all of them: name, word order, status, invalid marks, its place."""
    starts = _usual_starts(table)
    for section in _TABLES:
        registers = table.get(section, {})
        for name, entry in registers.items():
            if not isinstance(entry, dict):
                raise ProfileError(f"{path}: {section}.{name} is not a table like {{ fc = 4, address = 0x0000, … }}")
            if "name" in entry:
                raise ProfileError(f"{path}: {section}.{name}: the key is the register's name; take `name` out")
            entry["name"] = name
            entry.setdefault("word_order", table.get("word_order", "msw"))
            entry.setdefault("status", table.get("status"))
            marks = table.get("invalid", {})
            if isinstance(marks, dict) and "invalid" not in entry and entry.get("type") in marks:
                entry["invalid"] = [marks[entry["type"]]]
            if "invalid_msw" in table and entry.get("type") in ("s32", "u32"):
                entry.setdefault("invalid_msw", table["invalid_msw"])
            if entry.get("part") in starts and isinstance(entry.get("address"), int):
                entry["address"] += starts[entry["part"]]


def _usual_starts(table: dict[str, Any]) -> dict[str, int]:
    """Where the parts of a searched map usually lie; what is not as it should be is left to the schema's check."""
    search = table.get("search")
    parts = search.get("parts") if isinstance(search, dict) else None
    return {
        name: part["usual"]
        for name, part in (parts.items() if isinstance(parts, dict) else ())
        if isinstance(part, dict) and isinstance(part.get("usual"), int)
    }


def _parse(path: Path | Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        raise ProfileError(f"{path}: no such file; give a profile's name or the path of its .toml file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: not TOML: {error}") from None


def _folder() -> Traversable:
    return files("meteredge.profiles") / "meters"
