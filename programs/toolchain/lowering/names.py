"""Names for LLVM's numbered values and blocks.

Numbers must be consecutive in LLVM's text, so that no line can be added between; names need not.
"""

import re

NUMBERED_VALUE = re.compile(r"%(\d+)\b")
NUMBERED_BLOCK = re.compile(r"(\d+):(.*)")
LABEL = re.compile(r"[\w.$-]+:")


def name_values(text: str, prefix: str) -> str:
    """The same module with `prefix` before every number; a function's unlabelled first block gets its label."""
    out: list[str] = []
    first_block: int | None = None  # its number is the count of unnamed parameters; None once it is behind us
    for line in text.split("\n"):
        if line.startswith("define "):
            first_block = len(NUMBERED_VALUE.findall(line))
        elif first_block is not None and line and not line.startswith(";"):
            if not LABEL.match(line):
                out.append(f"{prefix}{first_block}:")
            first_block = None
        named = NUMBERED_VALUE.sub(rf"%{prefix}\1", line) if line[:1] in (" ", "d") else line
        block = NUMBERED_BLOCK.match(named)
        out.append(f"{prefix}{block[1]}:{block[2]}" if block else named)
    return "\n".join(out)
