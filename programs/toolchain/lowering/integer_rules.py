"""128- and 256-bit arithmetic, signed division, checked multiplication: `(pattern, replacement)` for operations.py."""

import re
from collections.abc import Callable

from toolchain.lowering.calls import Calls
from toolchain.lowering.syntax import argument_values

NAME = r"%[\w.$-]+"
VALUE = rf"({NAME}|-?\d+)"
"""A local value or an integer."""
CHECKED = {("s", "64"), ("u", "128"), ("s", "128")}
"""Checked multiplications that runtime/ has; multiply.py does unsigned 64 bits, the back end does the narrow ones."""


def _multiply(match: re.Match[str], calls: Calls) -> str:
    bits, a, b = match.groups()
    return calls.to(f"i{bits}", f"rt.mul{bits}", f"i{bits} {a}", f"i{bits} {b}")


def _wide(match: re.Match[str], calls: Calls) -> str:
    operation, a, b = match.groups()
    return calls.to("i128", f"rt.{operation}128", f"i128 {a}", f"i128 {b}")


def _signed_division(match: re.Match[str], calls: Calls) -> str:
    result, operation, bits, a, b = match.groups()
    if bits == "64":
        return f"{result} = " + calls.to("i64", f"rt.{operation}64", f"i64 {a}", f"i64 {b}")
    t = "%L." + result[1:]
    lines = (
        f"{t}.a = sext i{bits} {a} to i64",
        f"{t}.b = sext i{bits} {b} to i64",
        f"{t}.q = " + calls.to("i64", f"rt.{operation}64", f"i64 {t}.a", f"i64 {t}.b"),
        f"{result} = trunc i64 {t}.q to i{bits}",
    )
    return "\n  ".join(lines)


def _checked_multiply(match: re.Match[str], calls: Calls) -> str:
    sign, bits, arguments = match.groups()
    if (sign, bits) not in CHECKED:
        return match[0]
    a, b = argument_values(arguments)
    return calls.to(f"{{i{bits},i1}}", f"rt.{sign}mulo{bits}", f"i{bits} {a}", f"i{bits} {b}")


RULES: tuple[tuple[str, Callable[[re.Match[str], Calls], str]], ...] = (
    (rf"mul (?:nuw |nsw )*i(128|256) {VALUE}, {VALUE}", _multiply),
    (rf"([us](?:div|rem)) (?:exact )?i128 {VALUE}, {VALUE}", _wide),
    (rf"(shl|lshr|ashr) (?:nuw |nsw |exact )*i128 {VALUE}, ({NAME})", _wide),
    (rf"({NAME}) = (sdiv|srem) (?:exact )?i(\d+) {VALUE}, {VALUE}", _signed_division),
    (r"(?:tail )?call { i\d+, i1 } @llvm\.([us])mul\.with\.overflow\.i(\d+)(\(.*)", _checked_multiply),
)
