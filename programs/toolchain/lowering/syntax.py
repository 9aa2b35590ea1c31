"""Reading LLVM's text: types, argument lists, attributes.  Exactly as much as the rewriting needs."""

import re

OPENING, CLOSING = "([{<", ")]}>"

PARAMETER_ATTRIBUTE = re.compile(
    r"\s*(?:(?:zeroext|signext|inreg|noalias|nocapture|nofree|nonnull|noundef|readonly|readnone|writeonly|"
    r"returned|immarg|swiftself|allocptr|writable|dead_on_unwind|dead_on_return)\b|align \d+|"
    r"(?:captures|dereferenceable|dereferenceable_or_null|range|initializes|nofpclass|sret|byval|align|"
    r'elementtype)(?=\()|"[^"]*"(?:="[^"]*")?)'
)
LINKAGE = re.compile(
    r"\s*(?:fastcc|coldcc|ccc|cc \d+|internal|private|external|hidden|protected|dso_local|weak|weak_odr|"
    r"linkonce|linkonce_odr|unnamed_addr|local_unnamed_addr|nnan|ninf|nsz|fast)\b"
)
SIMPLE_TYPE = re.compile(r'[\w.]+|%"[^"]*"|%[\w.$-]+')


def end_of_group(text: str, start: int) -> int:
    """Index after the bracket group that opens at `text[start]`.  Raises ValueError if it never closes."""
    depth = 0
    for index in range(start, len(text)):
        character = text[index]
        if character in OPENING:
            depth += 1
        elif character in CLOSING:
            depth -= 1
        if not depth:
            return index + 1
    raise ValueError(f"unbalanced brackets: {text}")


def skip(text: str, start: int, *patterns: re.Pattern[str]) -> int:
    """Index after all that any of `patterns` matches from `start` on, each with its parenthesis if one follows."""
    index = start
    while True:
        found = next((match for match in (pattern.match(text, index) for pattern in patterns) if match), None)
        if not found:
            return index
        index = found.end()
        if text[index : index + 1] == "(":
            index = end_of_group(text, index)


def read_type(text: str, start: int) -> tuple[str, int]:
    """The type at `start` (blanks before it are skipped) and the index after it."""
    begin = start + len(text[start:]) - len(text[start:].lstrip())
    if text[begin] in OPENING:
        end = end_of_group(text, begin)
    else:
        found = SIMPLE_TYPE.match(text, begin)
        if not found:
            raise ValueError(f"no type at column {begin}: {text}")
        end = found.end()
    return text[begin:end], end


def split_list(text: str) -> list[str]:
    """Split at the commas that stand in no bracket."""
    if not text.strip():
        return []
    parts, depth, begin = [], 0, 0
    for index, character in enumerate(text):
        if character in OPENING:
            depth += 1
        elif character in CLOSING:
            depth -= 1
        elif character == "," and not depth:
            parts.append(text[begin:index].strip())
            begin = index + 1
    return [*parts, text[begin:].strip()]


def read_argument(argument: str) -> tuple[str, str]:
    """Type and value of `type attributes... value`."""
    type_, end = read_type(argument, 0)
    return type_, argument[skip(argument, end, PARAMETER_ATTRIBUTE) :].strip()


def argument_values(group: str) -> list[str]:
    """The values of the argument list that `group` begins with: `(i64 1, ptr %p) #3` gives `1`, `%p`."""
    inside = group[1 : end_of_group(group, 0) - 1]
    return [value for _, value in map(read_argument, split_list(inside))]


def is_aggregate(type_: str) -> bool:
    """True for structs, arrays and vectors."""
    return type_[0] in "{[<"
