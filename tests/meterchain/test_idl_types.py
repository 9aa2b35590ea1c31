"""Bytes by IDL type: known bytes, everything survives, nothing unknown is guessed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from meterchain.idl_types import IdlError, IdlType, Types, Value

DEFINITIONS: list[dict[str, Any]] = [
    {"name": "PodU64", "type": {"kind": "type", "alias": "u64"}},
    {
        "name": "Point",
        "type": {"kind": "struct", "fields": [{"name": "x", "type": "i16"}, {"name": "y", "type": "i16"}]},
    },
    {
        "name": "Shape",
        "type": {
            "kind": "enum",
            "variants": [
                {"name": "Nothing"},
                {"name": "Dot", "fields": [{"name": "at", "type": {"defined": {"name": "Point"}}}]},
                {"name": "Pair", "fields": ["u8", {"option": "u32"}]},
            ],
        },
    },
    {"name": "Pixel", "type": {"kind": "struct", "fields": ["u8", "u8"]}},
    {
        "name": "Ring",
        "generics": [{"kind": "type", "name": "T"}, {"kind": "const", "name": "N", "type": "usize"}],
        "type": {
            "kind": "struct",
            "fields": [{"name": "items", "type": {"array": [{"generic": "T"}, {"generic": "N"}]}}],
        },
    },
]
TYPES = Types(DEFINITIONS)
RING_OF_POINTS = {
    "defined": {
        "name": "Ring",
        "generics": [{"kind": "type", "type": {"defined": {"name": "Point"}}}, {"kind": "const", "value": "2"}],
    }
}


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


def signed(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


POINTS = st.fixed_dictionaries({"x": signed(16), "y": signed(16)})
PLAIN: list[tuple[Any, st.SearchStrategy[Any]]] = [
    *((f"u{bits}", unsigned(bits)) for bits in (8, 16, 32, 64, 128, 256)),
    *((f"i{bits}", signed(bits)) for bits in (8, 16, 32, 64, 128, 256)),
    ("bool", st.booleans()),
    ("string", st.text()),
    ("bytes", st.binary()),
    ("f64", st.floats(allow_nan=False)),
    ("pubkey", st.binary(min_size=32, max_size=32).map(Pubkey)),
    ({"defined": {"name": "Point"}}, POINTS),
    ({"defined": {"name": "PodU64"}}, unsigned(64)),
    ({"defined": {"name": "Pixel"}}, st.tuples(unsigned(8), unsigned(8))),
    ({"defined": "Point"}, POINTS),
    (RING_OF_POINTS, st.fixed_dictionaries({"items": st.lists(POINTS, min_size=2, max_size=2)})),
    (
        {"defined": {"name": "Shape"}},
        st.just("Nothing")
        | st.tuples(st.just("Dot"), st.fixed_dictionaries({"at": POINTS}))
        | st.tuples(st.just("Pair"), st.tuples(unsigned(8), st.none() | unsigned(32))),
    ),
]


def wrapped(inner: tuple[Any, st.SearchStrategy[Any]]) -> list[tuple[Any, st.SearchStrategy[Any]]]:
    kind, values = inner
    raw = kind == "u8"
    listed = st.binary if raw else lambda **sizes: st.lists(values, **sizes)
    return [
        ({"option": kind}, st.none() | values),
        ({"coption": kind}, st.none() | values),
        ({"vec": kind}, listed(max_size=5)),
        ({"array": [kind, 3]}, listed(min_size=3, max_size=3)),
    ]


CASES = PLAIN + [case for plain in PLAIN for case in wrapped(plain)]
TYPED_VALUES = st.sampled_from(CASES).flatmap(lambda case: st.tuples(st.just(case[0]), case[1]))


@given(TYPED_VALUES)
def test_every_value_survives_its_bytes(typed: tuple[Any, Any]) -> None:
    kind, value = typed
    encoded = TYPES.encode(kind, value)
    assert TYPES.decode(kind, encoded) == (value, len(encoded))
    assert TYPES.decode(kind, b"\xaa" + encoded + b"\xbb", 1) == (value, len(encoded) + 1)


@given(TYPED_VALUES, st.data())
def test_truncated_bytes_are_refused(typed: tuple[Any, Any], data: st.DataObject) -> None:
    kind, value = typed
    encoded = TYPES.encode(kind, value)
    if encoded:
        with pytest.raises(IdlError):
            TYPES.decode(kind, encoded[: data.draw(st.integers(0, len(encoded) - 1))])


@given(st.sampled_from([kind for kind, _ in CASES]), st.binary(max_size=80))
def test_any_bytes_decode_or_are_refused_cleanly(kind: IdlType, raw: bytes) -> None:
    try:
        value, end = TYPES.decode(kind, raw)
    except IdlError:
        return
    assert end <= len(raw)
    if "f64" not in str(kind) and "coption" not in str(kind):
        assert TYPES.encode(kind, value) == raw[:end]


def test_known_values_have_known_bytes() -> None:
    assert TYPES.encode("u32", 0x01020304).hex() == "04030201"
    assert TYPES.encode("i64", -1).hex() == "ff" * 8
    assert TYPES.encode("string", "Süd").hex() == "0400000053c3bc64"
    assert TYPES.encode({"option": "u16"}, 7).hex() == "010700"
    assert TYPES.encode({"coption": "u8"}, 7).hex() == "0100000007"
    assert TYPES.encode({"vec": "u16"}, [1, 2]).hex() == "0200000001000200"
    assert TYPES.encode({"defined": {"name": "Shape"}}, ("Pair", (9, None))).hex() == "020900"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("u8", 256), ("u8", -1), ("u64", True), ("u64", 1.0), ("u64", "1"), ("bool", 1), ("pubkey", b"x"),
        ("string", 3),
        ({"array": ["u8", 4]}, b"abc"), ({"defined": {"name": "Point"}}, {"x": 1}),
        ({"defined": {"name": "Point"}}, {"x": 1, "y": 2, "z": 3}), ({"defined": {"name": "Shape"}}, "Circle"),
        ({"defined": {"name": "Unheard"}}, 1), ("u7", 1), ({"vec": "u8"}, 5),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused(kind: IdlType, value: Value) -> None:
    with pytest.raises(IdlError):
        TYPES.encode(kind, value)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("bool", b"\2"), ({"option": "u8"}, b"\2\0"), ({"defined": {"name": "Shape"}}, b"\3"),
        ({"vec": "u64"}, b"\xff\xff\xff\xff"), ("string", b"\1\0\0\0\xff"),
        ({"vec": {"array": ["u8", 0]}}, b"\2\0\0\0"),
    ],
)  # fmt: skip
def test_bytes_that_are_not_of_the_type_are_refused(kind: IdlType, raw: bytes) -> None:
    with pytest.raises(IdlError):
        TYPES.decode(kind, raw)


def test_a_serialisation_that_is_not_known_is_refused() -> None:
    with pytest.raises(IdlError, match="serialised by"):
        Types([{"name": "Odd", "serialization": {"custom": "x"}, "type": {"kind": "struct", "fields": []}}])


def test_a_name_with_two_meanings_is_refused() -> None:
    with pytest.raises(IdlError, match="twice"):
        Types([DEFINITIONS[0], {"name": "PodU64", "type": {"kind": "type", "alias": "u32"}}])
    assert "PodU64" in Types([DEFINITIONS[0], DEFINITIONS[0]])
