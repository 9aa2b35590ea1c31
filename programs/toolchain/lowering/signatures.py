"""At most five argument registers in, one 64-bit register out.

A function whose parameters or result do not fit gets them through memory: the result through a first pointer `%L.ret`,
what exceeds the registers through a last pointer `%L.args` to a struct.  Both follow from the type alone, so
definition and call, direct or indirect, always agree.
"""

import re
from dataclasses import dataclass, field

from toolchain.lowering.syntax import (
    LINKAGE,
    PARAMETER_ATTRIBUTE,
    end_of_group,
    is_aggregate,
    read_argument,
    read_type,
    skip,
    split_list,
)

REGISTERS = 5
CALLEE = re.compile(r"(\s*(?:@|%)(?:\"[^\"]*\"|[\w.$-]+))\(")
CALL = re.compile(r"  (?:(%[\w.$-]+) = )?(?:tail |notail |musttail )?call ")
RETURN = re.compile(r"  ret (.*)")
LABEL = re.compile(r"[\w.$-]+:")
TRAILING_METADATA = re.compile(r", ![^,]*$")
RETURNED = re.compile(r"\breturned ")


@dataclass(frozen=True)
class Passing:
    """How a signature that is not legal as it stands is passed."""

    result_in_memory: bool
    in_registers: int
    """How many of the arguments keep their register; the others go through the struct."""


def passing(result: str, parameters: list[str]) -> Passing | None:
    """The passing of a function type, or None if the back end takes it as it is."""
    in_memory = is_aggregate(result) or result == "i128"
    left = REGISTERS - in_memory
    if sum(map(_registers, parameters)) <= left:
        return Passing(in_memory, len(parameters)) if in_memory else None
    left -= 1  # the pointer to the struct
    kept = 0
    for parameter in parameters:
        if _registers(parameter) > left:
            break
        left -= _registers(parameter)
        kept += 1
    return Passing(in_memory, kept)


def _registers(type_: str) -> int:
    if is_aggregate(type_):
        return REGISTERS + 1  # never in registers
    return 2 if type_ == "i128" else 1


@dataclass(frozen=True)
class _Signature:
    """What a `define` or `call` line says."""

    fast: bool
    result: str
    name: str
    arguments: list[str]
    parsed: list[tuple[str, str]]
    """Type and value of each argument."""

    @property
    def passing(self) -> Passing | None:
        return passing(self.result, [type_ for type_, _ in self.parsed])

    def in_memory(self, kept: int) -> tuple[str, list[tuple[str, str]]]:
        """The struct's type, and the arguments that go into it."""
        others = self.parsed[kept:]
        return "{ " + ", ".join(type_ for type_, _ in others) + " }", others


def _read_signature(line: str, start: int) -> _Signature | None:
    """The signature that begins (with linkage and convention) at `start`; None if no callee follows, as for `asm`."""
    type_at = skip(line, start, LINKAGE, PARAMETER_ATTRIBUTE)
    result, end = read_type(line, type_at)
    callee = CALLEE.match(line, end)
    if not callee:
        return None
    group = line[callee.end() - 1 :]
    arguments = split_list(group[1 : end_of_group(group, 0) - 1])
    return _Signature(" fastcc " in line[:type_at], result, callee[1], arguments, [read_argument(a) for a in arguments])


@dataclass
class _Function:
    """The function that is being rewritten; `body_at` is the line where stack slots and loads of parameters go."""

    result: str
    body_at: int
    loads: list[str]
    slots: list[str] = field(default_factory=list)
    in_entry_label: bool = True


def lower_signatures(text: str) -> str:
    """The same module with every definition, call and return legal for the back end."""
    out: list[str] = []
    function: _Function | None = None
    calls = 0
    for line in text.split("\n"):
        if line.startswith("define "):
            header, result, loads = _define(line)
            out.append(header)
            function = _Function(result, len(out), loads)
            continue
        if function is None:
            out.append(line)
            continue
        if line == "}":
            out[function.body_at : function.body_at] = function.slots + function.loads
            function = None
            out.append(line)
            continue
        if function.in_entry_label:  # the label stays ahead of what is inserted
            function.in_entry_label = False
            if LABEL.match(line):
                out.append(line)
                function.body_at += 1
                continue
        returned = _return(line, function)
        if returned:
            out += returned
            continue
        called = _call(line, function, calls + 1)
        calls += called is not None
        out += called or [line]
    return "\n".join(out)


def _define(line: str) -> tuple[str, str, list[str]]:
    """The new `define` line, the result's type as it was, and the loads of what came through memory."""
    signature = _read_signature(line, len("define"))
    if signature is None:
        raise ValueError(f"no function name: {line}")
    how = signature.passing
    if how is None:
        return line, signature.result, []
    arguments = ["ptr %L.ret"] if how.result_in_memory else []
    arguments += _without_returned(signature.arguments[: how.in_registers])
    loads = []
    if how.in_registers < len(signature.arguments):
        arguments.append("ptr %L.args")
        struct, others = signature.in_memory(how.in_registers)
        for index, (type_, value) in enumerate(others):
            loads += [
                f"  %L.p{index} = getelementptr {struct}, ptr %L.args, i32 0, i32 {index}",
                f"  {value} = load {type_}, ptr %L.p{index}, align 8",
            ]
    linkage = re.match(r"define (?:internal |private )?", line)
    convention = "fastcc " if signature.fast else ""
    result = "void" if how.result_in_memory else signature.result
    header = f"{linkage[0] if linkage else ''}{convention}{result}{signature.name}({', '.join(arguments)}) nounwind {{"
    return header, signature.result, loads


def _return(line: str, function: _Function) -> list[str] | None:
    match = RETURN.match(line)
    if not match or function.result == "void":
        return None
    type_, end = read_type(match[1], 0)
    if not is_aggregate(type_) and type_ != "i128":
        return None
    value = TRAILING_METADATA.sub("", match[1][end:].strip())
    return [f"  store {type_} {value}, ptr %L.ret, align 8", "  ret void"]


def _call(line: str, function: _Function, number: int) -> list[str] | None:
    """The lines in place of a call that is not legal; its stack slots go to `function`.  None if `line` can stay."""
    match = CALL.match(line)
    if not match or "call void asm" in line:
        return None
    signature = _read_signature(line, match.end())
    if signature is None or signature.name.strip().startswith("@llvm."):
        return None
    how = signature.passing
    if how is None:
        return None
    result_name, before, after, arguments = match[1], [], [], []
    if how.result_in_memory:
        slot = f"%L.r{number}"
        function.slots.append(f"  {slot} = alloca {signature.result}, align 8")
        arguments.append(f"ptr {slot}")
        if result_name:
            after.append(f"  {result_name} = load {signature.result}, ptr {slot}, align 8")
    arguments += _without_returned(signature.arguments[: how.in_registers])
    if how.in_registers < len(signature.arguments):
        struct, others = signature.in_memory(how.in_registers)
        slot = f"%L.a{number}"
        function.slots.append(f"  {slot} = alloca {struct}, align 8")
        for index, (type_, value) in enumerate(others):
            before.append(f"  %L.q{number}.{index} = getelementptr {struct}, ptr {slot}, i32 0, i32 {index}")
            before.append(f"  store {type_} {value}, ptr %L.q{number}.{index}, align 8")
        arguments.append(f"ptr {slot}")
    assignment = f"{result_name} = " if result_name and not how.result_in_memory else ""
    convention = "fastcc " if signature.fast else ""
    result = "void" if how.result_in_memory else signature.result
    call = f"  {assignment}call {convention}{result}{signature.name}({', '.join(arguments)})"
    return [*before, call, *after]


def _without_returned(arguments: list[str]) -> list[str]:
    """`returned` promises a result equal to the argument, which no longer holds once the result goes through memory."""
    return [RETURNED.sub("", argument) for argument in arguments]
