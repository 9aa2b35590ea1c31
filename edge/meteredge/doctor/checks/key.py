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
    """Where it lies, honestly."""
    words = {
        "file": "file: whoever has the card has the key",
        "board": "board: bound to this machine",
        "chip": "chip: in a secure element",
    }
    return _LEVEL.passed(words.get(facts.key.level, facts.key.level))


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
