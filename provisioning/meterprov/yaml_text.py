"""Plain data as YAML in block style; strings always in double quotes, so that none turns into a number or a date."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Data: TypeAlias = "str | int | bool | Sequence[Data] | Mapping[str, Data] | None"


def yaml_text(data: Mapping[str, Data]) -> str:
    """The document.  Keys are plain words."""
    return "\n".join(_block(data, "")) + "\n"


def _block(data: Mapping[str, Data] | Sequence[Data], indent: str) -> Iterator[str]:
    pairs = (
        ((f"{_key(key)}:", value) for key, value in data.items())
        if isinstance(data, Mapping)
        else (("-", value) for value in data)
    )
    for head, value in pairs:
        if isinstance(value, Mapping | list | tuple) and value:
            yield f"{indent}{head}"
            yield from _block(value, f"{indent}  ")
        else:
            yield f"{indent}{head} {_scalar(value)}"


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)


def _scalar(value: Data) -> str:
    """JSON is YAML, except that YAML escapes what lies beyond the BMP in one piece."""
    if isinstance(value, Mapping):
        return "{}"
    return json.dumps(value, ensure_ascii=False)
