"""The meter's key: usable, honest about where it lies, and the one that the registry knows."""

from meteredge.doctor.facts import Facts, JournalFacts, Unknown
from meteredge.doctor.sheet import Check, Line

_USABLE = Line("key", "key", "key")
_LEVEL = Line("key", "key_level", "level of the key")
_MATCHES = Line("key", "key_registry", "key in the registry")


def usable(facts: Facts) -> Check:
    """It is there, whole, and nobody else may read it."""
    key = facts.key
    if key.trouble:
        fact, _, step = key.trouble.partition("; ")
        return _USABLE.failed(fact, step or "restore it, or enrol the node anew; no identity is ever made by itself")
    if isinstance(key.public_key, Unknown):
        return _USABLE.left_out(key.public_key.why)
    return _USABLE.passed(f"{key.where} is whole and private; its public half is {key.public_key}")


def level(facts: Facts) -> Check:
    """Where it lies, honestly, and that the registry says the same."""
    words = {
        "file": "file: whoever has the card has the key",
        "board": "board: bound to this machine",
        "chip": "chip: in a secure element",
    }
    ours = facts.key.level
    fact = words.get(ours, ours)
    if isinstance(facts.chain, Unknown) or facts.chain.meter is None:
        return _LEVEL.passed(f"{fact}; the registry was not asked")
    named = facts.chain.meter.key_level
    if facts.chain.meter.meter_key == facts.key.public_key and named != ours:
        return _LEVEL.warned(
            f"{fact}, but in the registry it is {named}",
            f"tell the operator: `meterbridge meter key-level {facts.meter_id} {ours}`",
        )
    return _LEVEL.passed(f"{fact}; the registry says the same") if named == ours else _LEVEL.passed(fact)


def matches_registry(facts: Facts) -> Check:
    """The registry knows this key."""
    ours = facts.key.public_key
    if isinstance(ours, Unknown):
        return _MATCHES.left_out(ours.why)
    if isinstance(facts.chain, Unknown) or facts.chain.meter is None:
        return _MATCHES.left_out("the registry could not be asked, or has no such meter")
    if facts.chain.meter.meter_key != ours:
        return _MATCHES.failed(
            f"this node signs with {ours}, the registry has {facts.chain.meter.meter_key}",
            "put the node's own key back, or have the operator rotate it: `meterbridge meter rotate-key`",
        )
    if isinstance(facts.journal, JournalFacts) and facts.journal.key != ours:
        return _MATCHES.failed(
            f"the journal was signed with {facts.journal.key}, the key is {ours}",
            "this card holds another node's journal: call the operator before anything is signed",
        )
    return _MATCHES.passed("the registry has this key")
