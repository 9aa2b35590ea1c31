"""Checks of one part of the facts: left out, with the reason, where that part could not be found out."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from meteredge.doctor.facts import Facts, Found, Unknown
from meteredge.doctor.sheet import Check, Line

T = TypeVar("T")


def known(
    line: Line, part: Callable[[Facts], Found[T]]
) -> Callable[[Callable[[Facts, T], Check]], Callable[[Facts], Check]]:
    """Make a check of `line` from one that also takes the part of the facts that it is about."""

    def made(check: Callable[[Facts, T], Check]) -> Callable[[Facts], Check]:
        @wraps(check)
        def judged(facts: Facts) -> Check:
            found = part(facts)
            return line.left_out(found.why) if isinstance(found, Unknown) else check(facts, found)

        return judged

    return made
