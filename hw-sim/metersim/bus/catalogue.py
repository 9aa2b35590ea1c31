"""All faults of a wire by name, and how a table of a TOML file (or a line on the command line) becomes one.

late_reply delay_s=0.6 probability=0.1
"""

import tomllib
from collections.abc import Mapping
from dataclasses import fields

from metersim.bus import faults, intruders, moods
from metersim.bus.fault import Fault

FAULTS: Mapping[str, type[Fault]] = {
    "late_reply": faults.LateReply,
    "silence": faults.Silence,
    "echo": faults.Echo,
    "lead_zero": faults.LeadZero,
    "bit_flip": faults.BitFlip,
    "lost_bytes": faults.LostBytes,
    "extra_bytes": faults.ExtraBytes,
    "truncation": faults.Truncation,
    "brown_out": faults.BrownOut,
    "wrong_line": faults.WrongLine,
    "swapped_pair": faults.SwappedPair,
    "unplugged": faults.Unplugged,
    "babbling": intruders.Babbling,
    "second_master": intruders.SecondMaster,
    "same_address": intruders.SameAddress,
    "exception_storm": moods.ExceptionStorm,
    "reboot_on_fast_polling": moods.RebootOnFastPolling,
}


class FaultUnknown(ValueError):
    """No fault has that name, or it has no such option; the message names those that there are."""


def fault_of(kind: str, options: Mapping[str, object]) -> Fault:
    """The fault called `kind` with these options.  Raises FaultUnknown."""
    found = FAULTS.get(kind)
    if found is None:
        raise FaultUnknown(f"no fault is called {kind!r}; there are {', '.join(sorted(FAULTS))}")
    known = options_of(kind)
    if strange := set(options) - set(known):
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise FaultUnknown(f"{kind} has no option {', '.join(sorted(strange))}; {has}")
    try:
        return found(**options)
    except TypeError as error:
        raise FaultUnknown(f"{kind} needs {', '.join(known)}: {error}") from error


def options_of(kind: str) -> tuple[str, ...]:
    """Names of the options of a fault, in order; empty where there are none."""
    found = FAULTS[kind]
    if not hasattr(found, "__dataclass_fields__"):
        return ()
    return tuple(entry.name for entry in fields(found) if entry.init)  # type: ignore[arg-type]


def fault_from_words(words: str) -> Fault:
    """The fault that `NAME option=value …` describes; values as in TOML.  Raises FaultUnknown."""
    kind, *pairs = words.split()
    try:
        options = tomllib.loads("\n".join(pairs))
    except tomllib.TOMLDecodeError as error:
        raise FaultUnknown(f"{words!r}: write NAME option=value …, e.g. late_reply delay_s=0.6 ({error})") from error
    return fault_of(kind, options)
