"""std's panic and out-of-memory hooks keep state in statics; a program has none.

A panic reports its place to the runtime (`sol_panic_` with file, line and column), out of memory aborts.
"""

import re

PANIC = re.compile(r"define .*9panicking15panic_with_hook\(")
OUT_OF_MEMORY = re.compile(r"define .*std5alloc8rust_oom\(")
PARAMETER = re.compile(r"(%[\w.$-]+)(?=[,)])")
LOCATION_PARAMETER = 2
"""`panic_with_hook(payload, vtable, location, ...)`: `&Location { file: &str, line: u32, column: u32 }`."""
DECLARATIONS = {"sol_panic_": "ptr, i64, i64, i64", "abort": ""}


def replace_hooks(text: str) -> str:
    """The same module, with the bodies of the two hooks replaced."""
    out: list[str] = []
    in_hook = False
    for line in text.split("\n"):
        if in_hook:
            in_hook = line != "}"
        elif PANIC.match(line):
            out += [line, *_report(PARAMETER.findall(line)[LOCATION_PARAMETER])]
            in_hook = True
        elif OUT_OF_MEMORY.match(line):
            out += [line, "hook:", "  call void @abort()", "  unreachable", "}"]
            in_hook = True
        else:
            out.append(line)
    return "\n".join(out) + _missing_declarations("\n".join(out))


def _report(location: str) -> list[str]:
    lines = ["hook:", f"  %h.file = load ptr, ptr {location}, align 8"]
    for name, offset, type_ in (("len", 8, "i64"), ("line", 16, "i32"), ("column", 20, "i32")):
        lines += [
            f"  %h.{name}.at = getelementptr i8, ptr {location}, i64 {offset}",
            f"  %h.{name} = load {type_}, ptr %h.{name}.at",
        ]
    return [
        *lines,
        "  %h.line.wide = zext i32 %h.line to i64",
        "  %h.column.wide = zext i32 %h.column to i64",
        "  call void @sol_panic_(ptr %h.file, i64 %h.len, i64 %h.line.wide, i64 %h.column.wide)",
        "  unreachable",
        "}",
    ]


def _missing_declarations(text: str) -> str:
    missing = ""
    for name, parameters in DECLARATIONS.items():
        known = re.search(rf"^(?:define|declare) .*@{name}\(", text, re.M)
        if f"@{name}(" in text and not known:
            missing += f"\ndeclare void @{name}({parameters})\n"
    return missing
