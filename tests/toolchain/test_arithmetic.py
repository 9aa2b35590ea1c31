"""What the lowering makes of wide arithmetic, run in the VM and compared with Python's integers.

Each program reads two 128-bit operands from its instruction data and returns 128 bits, or 64 and an overflow flag.
"""

import random
import struct
from collections.abc import Callable

import pytest
from tests.toolchain.svm import Svm

M64, M128 = 2**64 - 1, 2**128 - 1
SHELL = """
declare void @sol_set_return_data(ptr, i64)
{declarations}
define i64 @entrypoint(ptr %input) {{
  %out = alloca [4 x i64], align 8
  %pa = getelementptr i8, ptr %input, i64 16
  %pb = getelementptr i8, ptr %input, i64 32
  %a = load i128, ptr %pa, align 8
  %b = load i128, ptr %pb, align 8
  %x = trunc i128 %a to i64
  %y = trunc i128 %b to i64
{body}
  store i128 %r, ptr %out, align 8
  %mark = getelementptr i64, ptr %out, i64 2
  store i64 -1, ptr %mark, align 8
  call void @sol_set_return_data(ptr %out, i64 24)
  ret i64 0
}}
"""


def signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def quotient(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def operands(count: int, seed: int) -> list[tuple[int, int]]:
    """Pairs with edges, small values and values of every length."""
    source = random.Random(seed)
    edges = [0, 1, 2, 3, 7, M64, M64 - 1, 1 << 63, 1 << 64, M128, 1 << 127, (1 << 127) - 1]

    def one() -> int:
        if source.random() < 0.3:
            return source.choice(edges)
        value = source.getrandbits(128) >> source.randrange(128)
        return value ^ (M128 if source.random() < 0.2 else 0)

    return [(one(), one()) for _ in range(count)]


Check = Callable[[int, int], int | None]
WIDE: dict[str, tuple[str, Check]] = {
    "multiply 128": ("  %r = mul i128 %a, %b", lambda a, b: a * b & M128),
    "shift left by a variable": (
        "  %s = and i128 %b, 127\n  %r = shl i128 %a, %s",
        lambda a, b: a << (b & 127) & M128,
    ),
    "shift right": ("  %s = and i128 %b, 127\n  %r = lshr i128 %a, %s", lambda a, b: a >> (b & 127)),
    "arithmetic shift right": (
        "  %s = and i128 %b, 127\n  %r = ashr i128 %a, %s",
        lambda a, b: signed(a, 128) >> (b & 127) & M128,
    ),
    "signed division of 64 bits": (
        "  %q = sdiv i64 %x, %y\n  %r = zext i64 %q to i128",
        lambda a, b: quotient(signed(a & M64, 64), signed(b & M64, 64)) & M64 if b & M64 else None,
    ),
    "signed remainder of 64 bits": (
        "  %q = srem i64 %x, %y\n  %r = zext i64 %q to i128",
        lambda a, b: _remainder(signed(a & M64, 64), signed(b & M64, 64)) & M64 if b & M64 else None,
    ),
    "signed division of 32 bits": (
        "  %n = trunc i64 %x to i32\n  %m = trunc i64 %y to i32\n  %q = sdiv i32 %n, %m\n  %r = zext i32 %q to i128",
        lambda a, b: (
            quotient(signed(a & 0xFFFFFFFF, 32), signed(b & 0xFFFFFFFF, 32)) & 0xFFFFFFFF if b & 0xFFFFFFFF else None
        ),
    ),
}


def _remainder(a: int, b: int) -> int:
    return a - b * quotient(a, b)


CHECKED: dict[str, tuple[int, bool]] = {
    "u64": (64, False),
    "i64": (64, True),
    "u128": (128, False),
    "i128": (128, True),
}


@pytest.mark.parametrize("name", WIDE)
def test_wide_arithmetic_is_that_of_python(name: str, program_of: Callable[[str], bytes], svm: Svm) -> None:
    body, check = WIDE[name]
    program = svm.add(program_of(SHELL.format(declarations="", body=body)))
    for a, b in operands(60, seed=1):
        expected = check(a, b)
        if expected is None:  # a division by zero aborts
            continue
        answer = svm.call(program, a.to_bytes(16, "little") + b.to_bytes(16, "little"))
        assert int.from_bytes(answer[:16], "little") == expected, (hex(a), hex(b))


@pytest.mark.parametrize("name", CHECKED)
def test_checked_multiplication_knows_its_overflow(name: str, program_of: Callable[[str], bytes], svm: Svm) -> None:
    bits, is_signed = CHECKED[name]
    kind, (left, right) = ("s" if is_signed else "u"), ("%a", "%b") if bits == 128 else ("%x", "%y")
    intrinsic = f"@llvm.{kind}mul.with.overflow.i{bits}"
    widen = "  %r = or i128 %p, 0" if bits == 128 else "  %r = zext i64 %p to i128"
    body = (
        f"  %c = call {{ i{bits}, i1 }} {intrinsic}(i{bits} {left}, i{bits} {right})\n"
        f"  %p = extractvalue {{ i{bits}, i1 }} %c, 0\n  %o = extractvalue {{ i{bits}, i1 }} %c, 1\n"
        "  %flag = zext i1 %o to i8\n  %pf = getelementptr i8, ptr %out, i64 30\n"
        f"  store i8 %flag, ptr %pf, align 1\n{widen}"
    )
    declaration = f"declare {{ i{bits}, i1 }} {intrinsic}(i{bits}, i{bits})"
    shell = SHELL.replace("i64 24)", "i64 31)")
    program = svm.add(program_of(shell.format(declarations=declaration, body=body)))
    for a, b in operands(60, seed=2):
        answer = svm.call(program, a.to_bytes(16, "little") + b.to_bytes(16, "little")).ljust(31, b"\0")
        left_value, right_value = a & (1 << bits) - 1, b & (1 << bits) - 1
        if is_signed:
            left_value, right_value = signed(left_value, bits), signed(right_value, bits)
        product = left_value * right_value
        fits = -(1 << bits - 1) <= product < 1 << bits - 1 if is_signed else product < 1 << bits
        assert answer[30] == (not fits), (hex(a), hex(b))
        assert int.from_bytes(answer[:16], "little") == product & (1 << bits) - 1, (hex(a), hex(b))


def test_seven_arguments_and_a_wide_result_arrive_by_an_indirect_call(
    program_of: Callable[[str], bytes], svm: Svm
) -> None:
    parameters = "i64 %p, i128 %q, i64 %s, i8 %t, i64 %u, i64 %v, i64 %w"
    text = SHELL.replace(
        "define i64 @entrypoint",
        f"define internal i128 @seven({parameters}) noinline {{{{\n  %t8 = zext i8 %t to i64\n"
        "  %m1 = shl i64 %s, 1\n  %m2 = add i64 %p, %m1\n  %m3 = add i64 %m2, %t8\n  %m4 = add i64 %m3, %u\n"
        "  %m5 = add i64 %m4, %v\n  %m6 = add i64 %m5, %w\n  %wide = zext i64 %m6 to i128\n"
        "  %r = add i128 %wide, %q\n  ret i128 %r\n}}\ndefine i64 @entrypoint",
    ).format(
        declarations="",
        body=(
            "  %slot = alloca ptr\n  store volatile ptr @seven, ptr %slot\n  %f = load volatile ptr, ptr %slot\n"
            "  %r = call i128 %f(i64 %x, i128 %b, i64 100, i8 7, i64 3, i64 4, i64 5)"
        ),
    )
    program = svm.add(program_of(text))
    for a, b in ((5, 9), (1 << 40, 1 << 100), (0, M128)):
        answer = svm.call(program, struct.pack("<QQQQ", a & M64, a >> 64, b & M64, b >> 64))
        assert int.from_bytes(answer[:16], "little") == ((a & M64) + 200 + 7 + 3 + 4 + 5 & M64) + b & M128


@pytest.mark.parametrize(
    "predicate", ["oeq", "one", "olt", "ole", "ogt", "oge", "ord", "ueq", "une", "ult", "uge", "uno"]
)
def test_floats_compare_as_ieee_says(predicate: str, program_of: Callable[[str], bytes], svm: Svm) -> None:
    body = (
        "  %fa = bitcast i64 %x to double\n  %fb = bitcast i64 %y to double\n"
        f"  %c = fcmp {predicate} double %fa, %fb\n  %r = zext i1 %c to i128"
    )
    program = svm.add(program_of(SHELL.format(declarations="", body=body)))
    values = (0.0, -0.0, 1.5, -2.0, float("inf"), float("-inf"), float("nan"), 5e-324)
    for a in values:
        for b in values:
            answer = svm.call(program, struct.pack("<dQdQ", a, 0, b, 0))
            assert answer[0] == _compare(predicate, a, b), (predicate, a, b)


def _compare(predicate: str, a: float, b: float) -> bool:
    unordered = a != a or b != b
    if predicate in ("ord", "uno"):
        return unordered == (predicate == "uno")
    if unordered:
        return predicate[0] == "u"
    return {"eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}[predicate[1:]]
