"""Floats by compiler_builtins: `(pattern, replacement)` for operations.py.  Correct and slow: not for hot paths."""

import re
from collections.abc import Callable

from toolchain.lowering.calls import Calls
from toolchain.lowering.integer_rules import NAME, VALUE

FLOAT_VALUE = rf"({NAME}|[-+.\dexA-F]+)"
FLAGS = r"(?:(?:nnan|ninf|nsz|arcp|contract|afn|reassoc|fast) )*"
FLOAT_SUFFIX = {"double": "df", "float": "sf"}
INTEGER_SUFFIX = {"32": "si", "64": "di"}
OTHER_WIDTHS = r"([1-9]|1\d|2\d|3[013-9]|[45]\d|6[0-3])"
"""Integer widths below 64 other than 32."""


def _unsigned(sign: str, word: str) -> str:
    return word if sign == "u" else ""


def _arithmetic(match: re.Match[str], calls: Calls) -> str:
    operation, type_, a, b = match.groups()
    return calls.to(type_, f"__{operation}{FLOAT_SUFFIX[type_]}3", f"{type_} {a}", f"{type_} {b}")


def _compare(match: re.Match[str], calls: Calls) -> str:
    predicate, type_, a, b = match.groups()
    return calls.to("i1", f"rt.f{predicate}.{type_}", f"{type_} {a}", f"{type_} {b}")


def _from_odd_integer(match: re.Match[str], calls: Calls) -> str:
    result, sign, bits, value, type_ = match.groups()
    wide = f"%L.{result[1:]}.e"
    function = f"__float{_unsigned(sign, 'un')}di{FLOAT_SUFFIX[type_]}"
    extend = "sext" if sign == "s" else "zext"
    return f"{wide} = {extend} i{bits} {value} to i64\n  {result} = " + calls.to(type_, function, f"i64 {wide}")


def _from_integer(match: re.Match[str], calls: Calls) -> str:
    sign, bits, value, type_ = match.groups()
    function = f"__float{_unsigned(sign, 'un')}{INTEGER_SUFFIX[bits]}{FLOAT_SUFFIX[type_]}"
    return calls.to(type_, function, f"i{bits} {value}")


def _to_integer(match: re.Match[str], calls: Calls) -> str:
    sign, type_, value, bits = match.groups()
    function = f"__fix{_unsigned(sign, 'uns')}{FLOAT_SUFFIX[type_]}{INTEGER_SUFFIX[bits]}"
    return calls.to(f"i{bits}", function, f"{type_} {value}")


def _saturate(match: re.Match[str], calls: Calls) -> str:
    bits, sign, type_, value = match.groups()
    function = f"__fix{_unsigned(sign, 'uns')}{FLOAT_SUFFIX[type_]}{INTEGER_SUFFIX[bits]}"
    return calls.to(f"i{bits}", function, f"{type_} {value}")


def _saturate_narrow(match: re.Match[str], calls: Calls) -> str:
    """To 8 or 16 bits: to 32 bits, clamp, truncate."""
    result, bits, sign, type_, value = match.groups()
    half = 2 ** (int(bits) - 1)
    low, high = (0, 2 * half - 1) if sign == "u" else (-half, half - 1)
    t = "%L." + result[1:]
    lines = (
        f"{t}.w = " + calls.to("i32", f"__fix{_unsigned(sign, 'uns')}{FLOAT_SUFFIX[type_]}si", f"{type_} {value}"),
        f"{t}.g = icmp {sign}gt i32 {t}.w, {high}",
        f"{t}.h = select i1 {t}.g, i32 {high}, i32 {t}.w",
        f"{t}.l = icmp {sign}lt i32 {t}.h, {low}",
        f"{t}.m = select i1 {t}.l, i32 {low}, i32 {t}.h",
        f"{result} = trunc i32 {t}.m to i{bits}",
    )
    return "\n  ".join(lines)


def _widen(match: re.Match[str], calls: Calls) -> str:
    return calls.to("double", "__extendsfdf2", f"float {match[1]}")


def _narrow(match: re.Match[str], calls: Calls) -> str:
    return calls.to("float", "__truncdfsf2", f"double {match[1]}")


_SATURATING = rf"@llvm\.fpto([us])i\.sat\.i\d+\.f\d+\((double|float) (?:noundef )?{VALUE}\)(?: #\d+)?"

RULES: tuple[tuple[str, Callable[[re.Match[str], Calls], str]], ...] = (
    (rf"f(add|sub|mul|div) {FLAGS}(double|float) {FLOAT_VALUE}, {FLOAT_VALUE}", _arithmetic),
    (rf"fcmp {FLAGS}([ou](?:eq|ne|lt|le|gt|ge)|ord|uno) (double|float) {FLOAT_VALUE}, {FLOAT_VALUE}", _compare),
    (rf"({NAME}) = ([us])itofp (?:nneg )?i{OTHER_WIDTHS} {VALUE} to (double|float)", _from_odd_integer),
    (rf"([us])itofp (?:nneg )?i(32|64) {VALUE} to (double|float)", _from_integer),
    (rf"fpto([us])i (double|float) {VALUE} to i(32|64)", _to_integer),
    (rf"({NAME}) = (?:tail )?call i(8|16) {_SATURATING}", _saturate_narrow),
    (rf"(?:tail )?call i(32|64) {_SATURATING}", _saturate),
    (rf"fpext {FLAGS}float {FLOAT_VALUE} to double", _widen),
    (rf"fptrunc {FLAGS}double {FLOAT_VALUE} to float", _narrow),
)
