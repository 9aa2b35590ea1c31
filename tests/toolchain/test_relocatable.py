"""What of an object becomes a program, and what is refused with its name."""

import struct
from collections.abc import Callable

import pytest

from toolchain.elf.instructions import CALL, LDDW
from toolchain.elf.relocatable import NULL_GUARD, LinkError, read_object

ObjectOf = Callable[[str], bytes]


def test_an_object_without_an_entry_point_is_no_program(object_of: ObjectOf) -> None:
    with pytest.raises(LinkError, match="entrypoint"):
        read_object(object_of("@kept = constant i64 1\n"))


def test_a_function_that_nobody_defines_is_refused_by_name(object_of: ObjectOf) -> None:
    text = "declare i64 @missing()\ndefine i64 @entrypoint(ptr %i) {\n  %r = call i64 @missing()\n  ret i64 %r\n}\n"
    with pytest.raises(LinkError, match="undefined symbol missing"):
        read_object(object_of(text))


def test_a_call_to_the_operating_system_is_explained(object_of: ObjectOf) -> None:
    text = "declare i64 @sys_rand()\ndefine i64 @entrypoint(ptr %i) {\n  %r = call i64 @sys_rand()\n  ret i64 %r\n}\n"
    with pytest.raises(LinkError, match="sys_rand: std asks for an operating system"):
        read_object(object_of(text))


def test_a_mutable_static_is_refused(object_of: ObjectOf) -> None:
    text = (
        "@counter = global i64 7\ndefine i64 @entrypoint(ptr %i) {\n  %a = load i64, ptr %i\n"
        "  store volatile i64 %a, ptr @counter\n  %v = load volatile i64, ptr @counter\n  ret i64 %v\n}\n"
    )
    with pytest.raises(LinkError, match=r"writable data .*mutable statics"):
        read_object(object_of(text))


def test_a_zeroed_mutable_static_is_refused_too(object_of: ObjectOf) -> None:
    text = (
        "@counter = global i64 0\ndefine i64 @entrypoint(ptr %i) {\n  %a = load i64, ptr %i\n"
        "  store volatile i64 %a, ptr @counter\n  %v = load volatile i64, ptr @counter\n  ret i64 %v\n}\n"
    )
    with pytest.raises(LinkError, match=r"writable data \(\.bss"):
        read_object(object_of(text))


def test_system_calls_and_addresses_stay_open_and_calls_inside_are_resolved(object_of: ObjectOf) -> None:
    code = read_object(
        object_of(
            '@text = private constant [5 x i8] c"hello"\n'
            "declare void @sol_log_(ptr, i64)\n"
            "define internal i64 @inner(ptr %p) noinline {\n  call void @sol_log_(ptr %p, i64 5)\n  ret i64 0\n}\n"
            "define i64 @entrypoint(ptr %i) {\n  %r = call i64 @inner(ptr @text)\n"
            "  %s = call i64 @inner(ptr %i)\n  %t = add i64 %r, %s\n  ret i64 %t\n}\n"
        )
    )
    assert [call.name for call in code.system_calls] == ["sol_log_"]
    (address,) = code.addresses
    assert address.at.in_text
    assert not address.target.in_text
    assert bytes(code.data[address.target.offset :][:5]) == b"hello"
    starts = dict(code.instructions())
    for offset, opcode in starts.items():
        if opcode == CALL and offset not in {call.offset for call in code.system_calls}:
            (distance,) = struct.unpack_from("<i", code.text, offset + 4)
            assert offset + 8 * (distance + 1) in starts
    code.place_at(0x1_0000_0100, 0x1_0000_2000)
    at = address.at.offset
    assert code.text[at] == LDDW
    low, high = struct.unpack_from("<I", code.text, at + 4)[0], struct.unpack_from("<I", code.text, at + 12)[0]
    assert high << 32 | low == 0x1_0000_2000 + address.target.offset


def test_no_static_has_offset_zero(object_of: ObjectOf) -> None:
    code = read_object(
        object_of(
            "@table = private constant [4 x i64] [i64 5, i64 6, i64 7, i64 8]\n"
            "define i64 @entrypoint(ptr %i) {\n  %n = load i64, ptr %i\n"
            "  %p = getelementptr i64, ptr @table, i64 %n\n  %v = load i64, ptr %p\n  ret i64 %v\n}\n"
        )
    )
    (address,) = code.addresses
    assert not address.target.in_text
    assert address.target.offset >= NULL_GUARD
    assert code.data[address.target.offset] == 5


def test_unwind_tables_are_left_out(object_of: ObjectOf) -> None:
    image = object_of("define i64 @entrypoint(ptr %i) {\n  ret i64 0\n}\n")
    assert b".eh_frame" in image
    assert read_object(image).data == b""
