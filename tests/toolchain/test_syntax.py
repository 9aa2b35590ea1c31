"""Reading LLVM's text."""

import pytest

from toolchain.lowering.syntax import (
    PARAMETER_ATTRIBUTE,
    argument_values,
    end_of_group,
    read_argument,
    read_type,
    skip,
    split_list,
)


def test_a_group_ends_at_its_own_bracket() -> None:
    assert end_of_group("({ i64, [2 x i8] }, <2 x i1>) tail", 0) == 29


def test_a_group_that_never_ends_is_an_error() -> None:
    with pytest.raises(ValueError, match="unbalanced"):
        end_of_group("(i64", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i64 %a", "i64"),
        ("{ i64, i1 } %a", "{ i64, i1 }"),
        ('%"core::fmt::Arguments" %a', '%"core::fmt::Arguments"'),
        ("[4 x { ptr, i64 }] %a", "[4 x { ptr, i64 }]"),
    ],
)
def test_a_type_is_read_whole(text: str, expected: str) -> None:
    assert read_type(" " + text, 0) == (expected, 1 + len(expected))


def test_a_list_is_split_at_its_own_commas_only() -> None:
    assert split_list("i64 1, { i64, i1 } %x, ptr %p") == ["i64 1", "{ i64, i1 } %x", "ptr %p"]
    assert split_list("  ") == []


def test_attributes_of_an_argument_are_skipped_with_their_parentheses() -> None:
    argument = 'ptr noalias noundef captures(address, read_provenance) align 8 dereferenceable(24) "key"="v" %x'
    assert read_argument(argument) == ("ptr", "%x")
    assert skip("range(i64 0, 5) %x", 0, PARAMETER_ATTRIBUTE) == 15


def test_the_values_of_a_call_are_read_without_what_follows() -> None:
    assert argument_values("(i64 noundef %a, i64 -1) #3, !dbg !4") == ["%a", "-1"]
