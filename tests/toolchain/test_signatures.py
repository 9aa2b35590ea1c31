"""Signatures that do not fit the registers."""

import pytest

from toolchain.lowering.signatures import Passing, lower_signatures, passing


@pytest.mark.parametrize(
    ("result", "parameters", "expected"),
    [
        ("void", ["i64"] * 5, None),
        ("i64", ["i64"] * 6, Passing(result_in_memory=False, in_registers=4)),
        ("i128", ["ptr"], Passing(result_in_memory=True, in_registers=1)),
        ("{ i64, i64 }", ["ptr"] * 4, Passing(result_in_memory=True, in_registers=4)),
        ("{ i64, i64 }", ["ptr"] * 5, Passing(result_in_memory=True, in_registers=3)),
        ("void", ["i128", "i128", "i64"], None),
        ("void", ["i64", "{ i64, i8 }"], Passing(result_in_memory=False, in_registers=1)),
        ("void", ["i64", "i128", "i128", "i64"], Passing(result_in_memory=False, in_registers=2)),
    ],
)
def test_a_signature_is_passed_by_its_types_alone(result: str, parameters: list[str], expected: Passing | None) -> None:
    assert passing(result, parameters) == expected


def test_a_pair_is_returned_through_memory() -> None:
    text = lower_signatures("define { i64, i64 } @f(ptr %p) {\nv0:\n  ret { i64, i64 } %r\n}")
    assert text == (
        "define void@f(ptr %L.ret, ptr %p) nounwind {\nv0:\n  store { i64, i64 } %r, ptr %L.ret, align 8\n  ret void\n}"
    ).replace("void@f", "void @f")


def test_direct_and_indirect_calls_agree_with_the_definition() -> None:
    arguments = ", ".join(f"i64 %a{n}" for n in range(6))
    text = lower_signatures(
        f"define i64 @f({arguments}) {{\nv0:\n  ret i64 %a5\n}}\n"
        f"define i64 @g(ptr %h, {arguments.rsplit(', ', 1)[0]}) {{\nv0:\n"
        f"  %x = tail call i64 @f({arguments})\n  %y = call i64 %h({arguments})\n  ret i64 %y\n}}"
    )
    kept = "i64 %a0, i64 %a1, i64 %a2, i64 %a3"
    assert f"define i64 @f({kept}, ptr %L.args)" in text
    assert f"%x = call i64 @f({kept}, ptr %L.a1)" in text
    assert f"%y = call i64 %h({kept}, ptr %L.a2)" in text


def test_intrinsics_and_legal_calls_stay() -> None:
    text = (
        "define void @f(ptr %p) {\nv0:\n  %m = call { i64, i1 } @llvm.umul.with.overflow.i64(i64 1, i64 2)\n"
        "  call void @g(ptr %p)\n  ret void\n}"
    )
    assert lower_signatures(text) == text
