"""Checked unsigned 64-bit multiplication: overflow = b > MAX / max(a, 1).

Last of all rewriting, since InstCombine folds any plain form of it back into the intrinsic.
"""

import re

from toolchain.lowering.syntax import argument_values

CHECKED_MULTIPLY = re.compile(r"(%[\w.$-]+) = (?:tail )?call { i64, i1 } @llvm\.umul\.with\.overflow\.i64(\(.*)")


def expand_checked_multiply(text: str) -> str:
    """The same module without `llvm.umul.with.overflow.i64`."""
    return CHECKED_MULTIPLY.sub(_expand, text)


def _expand(call: re.Match[str]) -> str:
    result, (a, b) = call[1], argument_values(call[2])
    t = "%L." + result[1:]
    lines = (
        f"{t}.z = icmp eq i64 {a}, 0",
        f"{t}.d = select i1 {t}.z, i64 1, i64 {a}",
        f"{t}.q = udiv i64 -1, {t}.d",
        f"{t}.o = icmp ugt i64 {b}, {t}.q",
        f"{t}.m = mul i64 {a}, {b}",
        f"{t}.s = insertvalue {{ i64, i1 }} poison, i64 {t}.m, 0",
        f"{result} = insertvalue {{ i64, i1 }} {t}.s, i1 {t}.o, 1",
    )
    return "\n  ".join(lines)
