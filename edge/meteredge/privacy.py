"""Who may see a field of a file: a mark on each field of its pydantic model, and the file with only the public left.

    class Wifi(BaseModel):
        ssid: Annotated[str, PERSONAL]
        psk: Annotated[str, SECRET]

A field that holds tables needs no mark, their fields do.  A field without a mark is never shown and never left out in
silence: `shown` raises.  The mark is in the model's JSON schema too, as "privacy".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

Privacy = Literal["public", "personal", "secret"]

PUBLIC: Any = Field(json_schema_extra={"privacy": "public"})
"""Anybody may see it."""
PERSONAL: Any = Field(json_schema_extra={"privacy": "personal"})
"""It tells something about a person or a place: not for those who only help to find a fault."""
SECRET: Any = Field(json_schema_extra={"privacy": "secret"})
"""Whoever has it can do something with it: never shown, not even in an error."""


class UnmarkedField(Exception):
    """A field has no mark, so nobody decided who may see it."""


def privacy_of(info: FieldInfo) -> Privacy | None:
    """The mark of a field, None if it has none."""
    extra = info.json_schema_extra
    mark = extra.get("privacy") if isinstance(extra, Mapping) else None
    return next((known for known in get_args(Privacy) if known == mark), None)


def tables_in(annotation: Any) -> tuple[type[BaseModel], ...]:  # noqa: ANN401
    """The models that a type is made of, through `| None`, lists and mappings."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(table for inner in get_args(annotation) for table in tables_in(inner))


def unmarked(model: type[BaseModel]) -> Iterator[str]:
    """Names of the fields of `model` and of its tables that have no mark, as `table.field`."""
    for name, info in model.model_fields.items():
        tables = tables_in(info.annotation)
        if not tables and privacy_of(info) is None:
            yield name
        for table in tables:
            yield from (f"{name}.{inner}" for inner in unmarked(table))


def shown(document: BaseModel) -> dict[str, Any]:
    """`document` as a mapping in which what is not public is replaced by a word.  Raises UnmarkedField."""
    table = type(document)
    return {
        info.alias or name: _shown(f"{table.__name__}.{name}", info, getattr(document, name))
        for name, info in table.model_fields.items()
    }


def hidden_values(document: BaseModel) -> Iterator[str]:
    """The texts of `document` that are not public, for whoever has to take them out of other texts.

    A field without a mark counts as hidden.
    """
    for name, info in type(document).model_fields.items():
        value = getattr(document, name)
        if tables_in(info.annotation):
            yield from _hidden_in(value)
        elif privacy_of(info) != "public" and value is not None:
            yield from (str(each) for each in (value if isinstance(value, tuple | list) else (value,)))


def _hidden_in(value: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, BaseModel):
        yield from hidden_values(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _hidden_in(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from _hidden_in(inner)


def _shown(name: str, info: FieldInfo, value: Any) -> Any:  # noqa: ANN401
    if tables_in(info.annotation):
        return _shown_tables(value)
    mark = privacy_of(info)
    if mark is None:
        raise UnmarkedField(f"{name} is marked neither public, personal nor secret; mark it where it is declared")
    if mark == "public" or value is None:
        return list(value) if isinstance(value, tuple) else value
    return f"({mark}, not shown)"


def _shown_tables(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, BaseModel):
        return shown(value)
    if isinstance(value, Mapping):
        return {key: _shown_tables(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_shown_tables(inner) for inner in value]
    return value
