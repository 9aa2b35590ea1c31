"""Single instructions that the back end cannot select become calls into runtime/ or compiler_builtins.

A rule is a pattern and what stands in its place.  Each line takes the first rule that changes it; a line that needs
two gets the second in the next round of the pipeline.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from toolchain.lowering import float_rules, integer_rules
from toolchain.lowering.calls import Calls
from toolchain.lowering.syntax import argument_values

INLINE_COPY, INLINE_SET = 56, 96
"""Bytes; from here on a system call (10 CU) is cheaper than moves."""

DEFINED = re.compile(r"^(?:define|declare) .*?@([\w.$]+)\(", re.M)


class Rule(NamedTuple):
    """What to look for and what to write instead; the replacement may return the match as it is."""

    pattern: re.Pattern[str]
    replacement: Callable[[re.Match[str], Calls], str]


def _memory(match: re.Match[str], calls: Calls) -> str:
    kind, arguments = match.groups()
    target, source, length = argument_values(arguments)[:3]
    if length.isdigit() and int(length) <= (INLINE_SET if kind == "set" else INLINE_COPY):
        return match[0]
    if kind == "set":
        return calls.to("void", "rt.memset", f"ptr {target}", f"i8 {source}", f"i64 {length}")
    return calls.to("void", "sol_memmove_", f"ptr {target}", f"ptr {source}", f"i64 {length}")


def _trap(match: re.Match[str], calls: Calls) -> str:
    del match
    return calls.to("void", "abort")


def _rules() -> Iterable[Rule]:
    yield from (Rule(re.compile(pattern), replacement) for pattern, replacement in integer_rules.RULES)
    yield Rule(re.compile(r"(?:tail )?call void @llvm\.mem(cpy|move|set)[\w.]*(\(.*)"), _memory)
    yield from (Rule(re.compile(pattern), replacement) for pattern, replacement in float_rules.RULES)
    yield Rule(re.compile(r"(?:tail )?call void @llvm\.(?:ubsan)?trap\([^)]*\)(?: #\d+)?"), _trap)


def replace_operations(text: str) -> str:
    """The same module, with declarations of what it now calls."""
    rules, calls = list(_rules()), Calls()
    lines = [_rewrite(line, rules, calls) if line.startswith("  ") else line for line in text.split("\n")]
    new = "\n".join(lines)
    return new + "\n" + "\n".join(calls.declarations(known=set(DEFINED.findall(new)))) + "\n"


def _rewrite(line: str, rules: list[Rule], calls: Calls) -> str:
    for pattern, replacement in rules:
        match = pattern.search(line)
        if not match:
            continue
        new = line[: match.start()] + replacement(match, calls) + line[match.end() :]
        if new != line:
            return new
    return line
