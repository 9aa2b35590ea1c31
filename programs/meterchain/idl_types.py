"""Bytes by IDL type: borsh, and the zero-copy layout of Anchor v2's accounts, as one walk over the IDL's type tree.

Borsh:  integers little-endian · bool 1 byte · pubkey 32 · string, bytes, vec = u32 length + items
        option = tag + value · array and struct = the items, nothing between · enum = u8 variant + its fields
Bytemuck (`"serialization": "bytemuck"`): a Pod struct has no padding, so it is the same walk; what has no fixed size
(vec, string, option) cannot stand in one and is refused.

A struct decodes to a dict, a fieldless enum variant to its name, one with fields to (name, fields), u8 arrays and bytes
to bytes, an array or vec of anything else to a list.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from solders.pubkey import Pubkey

Value: TypeAlias = Any
"""What a type of the IDL decodes to; see the head of this file."""
IdlType: TypeAlias = Any
"""A type as the IDL spells it: a word ("u64") or a one-entry object ({"vec": "u64"})."""
Generics: TypeAlias = Mapping[str, IdlType]

_INTEGERS = {f"{sign}{bits}": (bits // 8, sign == "i") for sign in "ui" for bits in (8, 16, 32, 64, 128, 256)}
_FLOATS = {"f32": "<f", "f64": "<d"}
_PUBKEY = ("pubkey", "publicKey")
_LENGTH = struct.Struct("<I")
_PLAIN = ("borsh", "bytemuck", "bytemuckunsafe")


class IdlError(ValueError):
    """An IDL that we do not understand, a value that does not fit its type, or bytes that do not."""


class Types:
    """The named types of one IDL, with an encoder and a decoder."""

    def __init__(self, definitions: Sequence[Mapping[str, Any]]) -> None:
        self._by_name: dict[str, Mapping[str, Any]] = {}
        for definition in definitions:
            name = definition["name"]
            if self._by_name.setdefault(name, definition)["type"] != definition["type"]:
                raise IdlError(f"the IDL defines {name} twice, differently")
            if (how := definition.get("serialization", "borsh")) not in _PLAIN:
                raise IdlError(f"type {name} is serialised by {how!r}, which is not known here")

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def fields(self, name: str) -> dict[str, IdlType]:
        """Field names and types of the struct `name`."""
        body = self._definition(name)["type"]
        if body["kind"] != "struct" or not _are_named(body.get("fields", [])):
            raise IdlError(f"{name} is not a struct with named fields")
        return {field["name"]: field["type"] for field in body.get("fields", [])}

    def encode(self, kind: IdlType, value: Value, generics: Generics | None = None) -> bytes:
        """The bytes of `value`.  Raises IdlError if it does not fit the type."""
        try:
            return self._encode(kind, value, generics or {})
        except IdlError:
            raise
        except (TypeError, ValueError, OverflowError, KeyError, AttributeError, struct.error) as error:
            raise IdlError(f"{value!r} is no {_word(kind)}: {error}") from error

    def decode(
        self, kind: IdlType, data: bytes, offset: int = 0, generics: Generics | None = None
    ) -> tuple[Value, int]:
        """The value at `offset` and the offset after it.  Raises IdlError if the bytes are not of the type."""
        try:
            return self._decode(kind, data, offset, generics or {})
        except IdlError:
            raise
        except (IndexError, ValueError, struct.error) as error:
            raise IdlError(f"bytes at {offset} are no {_word(kind)}: {error}") from error

    def _encode(self, kind: IdlType, value: Value, generics: Generics) -> bytes:
        if isinstance(kind, str):
            return _encode_plain(kind, value)
        ((word, inner),) = kind.items()
        if word in ("option", "coption"):
            tag = 1 if word == "option" else 4
            return bytes(tag) if value is None else b"\1".ljust(tag, b"\0") + self._encode(inner, value, generics)
        if word == "vec":
            return _LENGTH.pack(len(value)) + self._encode_items(inner, value, generics)
        if word == "array":
            if len(value) != (wanted := _count(inner[1], generics)):
                raise IdlError(f"{wanted} items are wanted, not {len(value)}")
            return self._encode_items(inner[0], value, generics)
        if word == "generic":
            return self._encode(generics[inner], value, {})
        definition, bound = self._bind(inner, generics)
        body = definition["type"]
        if body["kind"] == "struct":
            return self._encode_fields(body.get("fields", []), value, bound)
        if body["kind"] == "type":
            return self._encode(body["alias"], value, bound)
        name, content = value if isinstance(value, tuple) else (value, ())
        for index, variant in enumerate(body["variants"]):
            if variant["name"] == name:
                return bytes([index]) + self._encode_fields(variant.get("fields", []), content, bound)
        raise IdlError(f"{definition['name']} has no variant {name!r}")

    def _encode_items(self, kind: IdlType, items: Sequence[Value], generics: Generics) -> bytes:
        if kind == "u8":
            return bytes(items)
        return b"".join(self._encode(kind, item, generics) for item in items)

    def _encode_fields(self, fields: Sequence[Any], value: Value, generics: Generics) -> bytes:
        if not _are_named(fields):
            return b"".join(self._encode(kind, item, generics) for kind, item in zip(fields, value, strict=True))
        if unknown := set(value) - {field["name"] for field in fields}:
            raise IdlError(f"no field named {', '.join(sorted(unknown))}")
        return b"".join(self._encode(field["type"], value[field["name"]], generics) for field in fields)

    def _decode(self, kind: IdlType, data: bytes, at: int, generics: Generics) -> tuple[Value, int]:
        if isinstance(kind, str):
            return _decode_plain(kind, data, at)
        ((word, inner),) = kind.items()
        if word in ("option", "coption"):
            after = at + (1 if word == "option" else 4)
            if (tag := int.from_bytes(_take(data, at, after - at), "little")) > 1:
                raise IdlError(f"an option's tag is 0 or 1, not {tag}")
            return self._decode(inner, data, after, generics) if tag else (None, after)
        if word in ("vec", "array"):
            item, count = (inner, None) if word == "vec" else inner
            if count is None:
                (length,) = _LENGTH.unpack(_take(data, at, 4))
                at += 4
            else:
                length = _count(count, generics)
            if item == "u8":
                return _take(data, at, length), at + length
            items: list[Value] = []
            for _ in range(length):
                value, after = self._decode(item, data, at, generics)
                if after == at:
                    raise IdlError("items of no size")
                items.append(value)
                at = after
            return items, at
        if word == "generic":
            return self._decode(generics[inner], data, at, {})
        definition, bound = self._bind(inner, generics)
        body = definition["type"]
        if body["kind"] == "struct":
            return self._decode_fields(body.get("fields", []), data, at, bound)
        if body["kind"] == "type":
            return self._decode(body["alias"], data, at, bound)
        if (index := _take(data, at, 1)[0]) >= len(body["variants"]):
            raise IdlError(f"{definition['name']} has no variant {index}")
        variant = body["variants"][index]
        if not variant.get("fields"):
            return variant["name"], at + 1
        content, at = self._decode_fields(variant["fields"], data, at + 1, bound)
        return (variant["name"], content), at

    def _decode_fields(self, fields: Sequence[Any], data: bytes, at: int, generics: Generics) -> tuple[Value, int]:
        named = _are_named(fields)
        values: list[Value] = []
        for field in fields:
            value, at = self._decode(field["type"] if named else field, data, at, generics)
            values.append(value)
        if not named:
            return tuple(values), at
        return {field["name"]: value for field, value in zip(fields, values, strict=True)}, at

    def _bind(self, reference: Any, generics: Generics) -> tuple[Mapping[str, Any], Generics]:  # noqa: ANN401
        name = reference if isinstance(reference, str) else reference["name"]
        arguments = () if isinstance(reference, str) else reference.get("generics", ())
        definition = self._definition(name)
        parameters = definition.get("generics", ())
        bound = {}
        for parameter, argument in zip(parameters, arguments, strict=True):
            given = argument["type"] if argument.get("kind") == "type" else argument["value"]
            through = isinstance(given, dict) and "generic" in given
            bound[parameter["name"]] = generics[given["generic"]] if through else given
        return definition, bound

    def _definition(self, name: str) -> Mapping[str, Any]:
        try:
            return self._by_name[name]
        except KeyError:
            raise IdlError(f"the IDL defines no type {name!r}") from None


def _encode_plain(kind: str, value: Value) -> bytes:
    if kind in _INTEGERS:
        size, signed = _INTEGERS[kind]
        if isinstance(value, bool) or not isinstance(value, int):
            raise IdlError(f"{value!r} is no {kind}")
        return value.to_bytes(size, "little", signed=signed)
    if kind == "bool":
        if not isinstance(value, bool):
            raise IdlError(f"{value!r} is no bool")
        return b"\1" if value else b"\0"
    if kind in _PUBKEY:
        return bytes(value if isinstance(value, Pubkey) else Pubkey.from_string(value))
    if kind in ("string", "bytes"):
        raw = value.encode() if kind == "string" else bytes(value)
        return _LENGTH.pack(len(raw)) + raw
    if kind in _FLOATS:
        return struct.pack(_FLOATS[kind], value)
    raise IdlError(f"type {kind!r} is not known here")


def _decode_plain(kind: str, data: bytes, at: int) -> tuple[Value, int]:
    if kind in _INTEGERS:
        size, signed = _INTEGERS[kind]
        return int.from_bytes(_take(data, at, size), "little", signed=signed), at + size
    if kind == "bool":
        if (raw := _take(data, at, 1)[0]) > 1:
            raise IdlError(f"a bool is 0 or 1, not {raw}")
        return raw == 1, at + 1
    if kind in _PUBKEY:
        return Pubkey(_take(data, at, 32)), at + 32
    if kind in ("string", "bytes"):
        (length,) = _LENGTH.unpack(_take(data, at, 4))
        raw_bytes = _take(data, at + 4, length)
        return (raw_bytes.decode() if kind == "string" else raw_bytes), at + 4 + length
    if kind in _FLOATS:
        size = struct.calcsize(_FLOATS[kind])
        return struct.unpack(_FLOATS[kind], _take(data, at, size))[0], at + size
    raise IdlError(f"type {kind!r} is not known here")


def _take(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise IdlError(f"the data end at {len(data)}, before {at + size}")
    return bytes(data[at : at + size])


def _count(count: Any, generics: Generics) -> int:  # noqa: ANN401
    return count if isinstance(count, int) else int(generics[count["generic"]])


def _are_named(fields: Sequence[Any]) -> bool:
    return not fields or (isinstance(fields[0], Mapping) and "name" in fields[0])


def _word(kind: IdlType) -> str:
    return kind if isinstance(kind, str) else next(iter(kind))
