"""The annotated agent.toml, written from the configuration's schema: every key is in it, with what it is for.

What the schema asks for and cannot know is written as `""`, so that `agent check` names each value that is still to be
filled in.  A key that may be left out stands behind a `#`, with its default or an example.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from types import NoneType
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from meteredge import config

_WIDTH = 100


def annotated_config() -> str:
    """The text of a new /etc/meterbridge/agent.toml."""
    said = _field_docstrings()
    lines = ['# The agent of one meter.  Fill in what is ""; then `meterbridge agent check`.', ""]
    for name, info in config.AgentConfig.model_fields.items():
        table = _table_of(info)
        if table is None:
            lines += [f"{info.alias or name} = {_toml(_example(info))}", ""]
            continue
        default = None if info.is_required() else info.default
        left_out = not info.is_required() and default is None
        lines += _comment(_sentence(inspect.getdoc(table) or ""))
        lines.append(f"{'# ' if left_out else ''}[{info.alias or name}]")
        for key, field in table.model_fields.items():
            if _table_of(field) is not None:  # of each of several meters: docs/agent.md
                continue
            lines += _entry(key, field, said.get((table.__name__, key), ""), default, left_out=left_out)
        lines.append("")
    return "\n".join(lines)


def _entry(key: str, field: FieldInfo, said: str, table: BaseModel | None, *, left_out: bool) -> Iterator[str]:
    yield from _comment(said)
    value = getattr(table, key) if table is not None else None if field.is_required() else field.default
    if value is not None:
        yield f"{'# ' if left_out or table is None else ''}{key} = {_toml(value)}"
        return
    example = _example(field)
    if not field.is_required():
        yield f"# {key} = {_toml(example)}"
    elif isinstance(example, str):
        yield f'{"# " if left_out else ""}{key} = ""    # for example {_toml(example)}'
    else:
        yield f"{'# ' if left_out else ''}{key} = {_toml(example)}"


def _table_of(info: FieldInfo) -> type[BaseModel] | None:
    kinds = [kind for kind in (info.annotation, *get_args(info.annotation)) if kind is not NoneType]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _example(info: FieldInfo) -> object:
    """The first example of a field; that of an optional one stands inside its union; a literal is its own."""
    if info.examples:
        return info.examples[0]
    for part in get_args(info.annotation):
        if not isinstance(part, type) and not hasattr(part, "__metadata__"):
            return part
        for mark in getattr(part, "__metadata__", ()):
            if isinstance(mark, FieldInfo) and mark.examples:
                return mark.examples[0]
    raise AssertionError(f"{info}: a key without a default needs an example in the schema")


def _field_docstrings() -> dict[tuple[str, str], str]:
    """The text below each field in the source of the schema, by table and key."""
    found = {}
    for table in ast.parse(inspect.getsource(config)).body:
        if not isinstance(table, ast.ClassDef):
            continue
        for field, text in zip(table.body, table.body[1:], strict=False):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=key)), ast.Expr(value=ast.Constant(value=str(words))):
                    found[table.name, key] = " ".join(words.split())
    return found


def _sentence(docstring: str) -> str:
    """`[site]: which deployment …` without the name in front."""
    words = " ".join(docstring.split()).partition(": ")[2] or docstring
    return words[:1].upper() + words[1:]


def _comment(words: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(words, _WIDTH)]


def _toml(value: object) -> str:
    """A string, a number or a boolean as TOML; JSON's spelling is TOML's for these."""
    return json.dumps(value, ensure_ascii=False)
