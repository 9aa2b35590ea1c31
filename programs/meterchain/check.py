"""One statement of an audit."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One statement, whether it holds, and the numbers behind it."""

    name: str
    ok: bool
    detail: str
