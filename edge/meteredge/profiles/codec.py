"""Words of a Modbus reply ↔ engineering values, exactly: integers and Decimals, never a rounded float.

A word is a 16-bit register, its most significant byte first on the wire.  `msw` puts the most significant word first,
`lsw` the least significant one (the bytes inside a word stay as they are).
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from meteredge.profiles.errors import NotAvailable, ProfileError

WordOrder = Literal["msw", "lsw"]
WordType = Literal["u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "acc32", "sunssf", "ascii", "utf8"]

TYPE_WORDS = {"u16": 1, "s16": 1, "sunssf": 1, "u32": 2, "s32": 2, "acc32": 2, "f32": 2, "u64": 4, "s64": 4, "f64": 4}
"""Words of the types of fixed size."""

_SIGNED = ("s16", "s32", "s64", "sunssf")
_FLOATS = {"f32": ">f", "f64": ">d"}
_TEXTS = {"ascii": "ascii", "utf8": "utf-8"}


def wire_bytes(words: Sequence[int], word_order: WordOrder) -> bytes:
    """The bytes of the words, most significant word first."""
    ordered = words if word_order == "msw" else tuple(reversed(words))
    return struct.pack(f">{len(ordered)}H", *ordered)


@dataclass(frozen=True)
class RawFormat:
    """How a value lies in its words: engineering value = raw * scale."""

    name: str
    kind: WordType
    count: int
    word_order: WordOrder
    scale: Decimal
    invalid: Sequence[int] = ()
    """Raw values, unsigned, that mean "not available"."""
    invalid_msw: int | None = None
    """A most significant word that means the same, whatever follows it."""


def decode_words(raw_format: RawFormat, words: Sequence[int]) -> Decimal | int | str:
    """The value of the words.  Raises NotAvailable, or ProfileError if their count is not the format's."""
    name, kind, count, scale = raw_format.name, raw_format.kind, raw_format.count, raw_format.scale
    if len(words) != count:
        raise ProfileError(f"{name}: {len(words)} words given, it has {count}")
    if kind in _TEXTS:
        return _text(name, struct.pack(f">{count}H", *words), _TEXTS[kind])
    data = wire_bytes(words, raw_format.word_order)
    raw = int.from_bytes(data, "big")
    if raw in raw_format.invalid or raw >> (16 * (count - 1)) == raw_format.invalid_msw:
        raise NotAvailable(f"{name}: the meter marks it as not available (raw 0x{raw:0{4 * count}X})")
    if kind in _FLOATS:
        number: float = struct.unpack(_FLOATS[kind], data)[0]
        if not math.isfinite(number):
            raise NotAvailable(f"{name}: the meter answered {number}")
        return Decimal(number) if scale == 1 else Decimal(number) * scale
    if kind in _SIGNED:
        raw = int.from_bytes(data, "big", signed=True)
    return raw * int(scale) if scale == scale.to_integral_value() else raw * scale


def encode_words(raw_format: RawFormat, value: Decimal | float | str) -> tuple[int, ...]:
    """The words of a value, rounded to the nearest raw value.  Raises ProfileError if it does not fit."""
    name, kind, count, scale = raw_format.name, raw_format.kind, raw_format.count, raw_format.scale
    if kind in _TEXTS:
        data = str(value).encode(_TEXTS[kind])
        if len(data) > 2 * count:
            raise ProfileError(f"{name}: {value!r} is longer than {2 * count} characters")
        return struct.unpack(f">{count}H", data.ljust(2 * count, b"\0"))
    if isinstance(value, str):
        raise ProfileError(f"{name}: {value!r} is text, {kind} is a number")
    if kind in _FLOATS and isinstance(value, float) and not math.isfinite(value):
        data = struct.pack(_FLOATS[kind], value)
    else:
        raw = value if scale == 1 and kind in _FLOATS else Fraction(value) / Fraction(scale)
        try:
            data = (
                struct.pack(_FLOATS[kind], float(raw))
                if kind in _FLOATS
                else _integer(kind, nearest(Fraction(raw)), count)
            )
        except (OverflowError, struct.error):
            raise ProfileError(f"{name}: {value} does not fit into {kind} with scale {scale}") from None
    words = struct.unpack(f">{count}H", data)
    return words if raw_format.word_order == "msw" else tuple(reversed(words))


def nearest(value: Fraction) -> int:
    """The nearest integer; a half goes up."""
    return math.floor(value + Fraction(1, 2))


def _integer(kind: WordType, raw: int, count: int) -> bytes:
    return raw.to_bytes(2 * count, "big", signed=kind in _SIGNED)


def _text(name: str, data: bytes, encoding: str) -> str:
    try:
        # Some meters put the characters into the low bytes only, so zeros stand between them.
        return data.replace(b"\0", b"").decode(encoding).strip()
    except UnicodeDecodeError:
        raise NotAvailable(f"{name}: the meter answered no text ({data.hex(' ')})") from None
