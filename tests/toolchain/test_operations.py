"""Instructions the back end cannot select, and what stands in their place."""

import pytest

from toolchain.lowering.multiply import expand_checked_multiply
from toolchain.lowering.operations import replace_operations


def replaced(line: str) -> str:
    return replace_operations(f"define void @f() {{\n  {line}\n}}").split("\n}")[0].split("{\n", 1)[1].strip()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%r = mul nuw i128 %a, %b", "%r = call i128 @rt.mul128(i128 %a, i128 %b)"),
        ("%r = udiv exact i128 %a, 10", "%r = call i128 @rt.udiv128(i128 %a, i128 10)"),
        ("%r = lshr i128 %a, %s", "%r = call i128 @rt.lshr128(i128 %a, i128 %s)"),
        ("%r = sdiv i64 %a, %b", "%r = call i64 @rt.sdiv64(i64 %a, i64 %b)"),
        ("%r = fadd double %a, 1.0", "%r = call double @__adddf3(double %a, double 1.0)"),
        ("%r = fcmp uno float %a, %b", "%r = call i1 @rt.funo.float(float %a, float %b)"),
        ("tail call void @llvm.trap()", "call void @abort()"),
    ],
)
def test_an_operation_becomes_a_call(line: str, expected: str) -> None:
    assert replaced(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "%r = lshr i128 %a, 64",
        "%r = mul i64 %a, %b",
        "%r = call { i64, i1 } @llvm.umul.with.overflow.i64(i64 %a, i64 %b)",
        "call void @llvm.memcpy.p0.p0.i64(ptr align 8 %d, ptr align 8 %s, i64 56, i1 false)",
        "call void @llvm.memset.p0.i64(ptr align 8 %d, i8 0, i64 96, i1 false)",
    ],
)
def test_what_the_back_end_can_do_stays(line: str) -> None:
    assert replaced(line) == line


def test_a_long_or_unknown_copy_becomes_a_system_call() -> None:
    for length in ("57", "%n"):
        line = f"call void @llvm.memcpy.p0.p0.i64(ptr align 8 %d, ptr align 8 %s, i64 {length}, i1 false)"
        assert replaced(line) == f"call void @sol_memmove_(ptr %d, ptr %s, i64 {length})"


def test_narrow_signed_division_is_done_in_64_bits() -> None:
    text = replaced("%q = sdiv i32 %a, -13")
    assert "sext i32 %a to i64" in text
    assert text.endswith("%q = trunc i64 %L.q.q to i32")


def test_what_is_called_is_declared_once() -> None:
    text = replace_operations("define void @f() {\n  %a = sdiv i64 1, 2\n  %b = sdiv i64 3, 4\n}")
    assert text.count("declare i64 @rt.sdiv64(i64, i64)") == 1


def test_what_is_declared_already_is_not_declared_again() -> None:
    text = replace_operations("declare i64 @rt.sdiv64(i64, i64)\ndefine void @f() {\n  %a = sdiv i64 1, 2\n}")
    assert text.count("declare i64 @rt.sdiv64") == 1


def test_checked_multiplication_of_64_bits_divides_by_at_least_one() -> None:
    text = expand_checked_multiply("  %m = tail call { i64, i1 } @llvm.umul.with.overflow.i64(i64 %a, i64 %b)")
    assert "select i1 %L.m.z, i64 1, i64 %a" in text
    assert "llvm.umul" not in text
