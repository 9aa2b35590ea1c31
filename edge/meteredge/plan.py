"""Which requests read a meter: as few as its limits allow, each provable, no two successive ones of one length.

Energy is read in one block together with the profile's proof (voltage, frequency …) where map, holes and limits allow.
Otherwise the sequence is witness, energy, witness: the proof registers are read before and after, each time with
another length.  The serial number and the settings that energy depends on follow, in the same block or in their own.

A reply that comes one question late then never fits the question that it meets: its length is wrong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

from meteredge.profiles import NotAvailable, Profile, ProfileError, Register
from meteredge.profiles.register import EXPONENTS

REQUEST_OVERHEAD_BYTES = 13
"""A request (8) and what frames its reply (5)."""
_USUAL_TURNAROUND_MS = 10
_VARIANTS = 12
"""Lengths that are tried for one block."""

Role = Literal["energy", "witness", "settings", "identity"]


@dataclass(frozen=True)
class Block:
    """One request and the registers that lie whole in its reply."""

    role: Role
    fc: int
    address: int
    words: int
    registers: tuple[Register, ...]

    def words_of(self, register: Register, reply: Sequence[int]) -> tuple[int, ...]:
        """The words of one register in the block's reply."""
        start = register.address - self.address
        return tuple(reply[start : start + register.words])

    def readable(self, reply: Sequence[int]) -> tuple[Register, ...]:
        """The registers as they read by this reply: each by the scale that came with it, or left out without one."""
        scales = {r.name: _exponent(r, self.words_of(r, reply)) for r in self.registers if r.type == "sunssf"}
        found = []
        for register in self.registers:
            exponent = scales.get(register.scale_from) if register.scale_from else 0
            if exponent is not None:
                found.append(register.scaled(exponent) if register.scale_from else register)
        return tuple(found)


@dataclass(frozen=True)
class Plan:
    """The requests of one reading, in order."""

    blocks: tuple[Block, ...]
    proven_in_one: bool
    """Energy and proof come in one reply; else witnesses stand around the energy."""


def plan_reading(profile: Profile, baud: int = 9_600) -> Plan:
    """The requests that read energy, proof, settings and serial number.  Raises ProfileError if there are none."""
    energy = [profile.registers[name] for name in profile.energy_registers]
    proof = [profile.registers[name] for name in profile.proof]
    serial = [profile.identity["serial_number"]] if profile.identity_level == "register" else []
    settings = [
        profile.register(name) for name in dict.fromkeys((*profile.require, *profile.scale_by, *profile.continuity))
    ]
    limit = _hole_limit(profile, baud)
    first = _blocks(profile, "energy", [*energy, *proof])
    if first and serial:
        whole = [b for b in _blocks(profile, "energy", [*energy, *proof, *serial]) if b.words - first[0].words <= limit]
        first, serial = (whole, []) if whole else (first, serial)
    others = [
        *([_blocks(profile, "identity", serial)] if serial else []),
        *(_blocks(profile, "settings", group) for group in _groups(profile, settings, limit)),
    ]
    if first:
        orders = ([first, *order] for order in permutations(others))
    else:
        witness = _blocks(profile, "witness", proof)
        parts = [_blocks(profile, "energy", group) for group in _groups(profile, energy, limit)]
        around = [witness, *(variants for part in parts for variants in (part, witness))]
        orders = ([*around, *order] for order in permutations(others))
    for order in orders:
        chosen = next(_choose(order, ()), None)
        if chosen is not None:
            return Plan(chosen, proven_in_one=bool(first))
    raise ProfileError(
        f"profile {profile.name}: no sequence of requests keeps successive lengths apart; "
        "name more registers beside those that are read, or another `proof`"
    )


def plan_identity(profile: Profile, baud: int = 9_600) -> tuple[Block, ...]:
    """The requests that say which meter it is: its serial number and the values that its model must hold."""
    wanted = [r for r in profile.identity.values() if r.name == "serial_number" or r.expect]
    if profile.identity_level == "label":
        wanted = [register for register in wanted if register.name != "serial_number"]
    groups = _groups(profile, wanted, _hole_limit(profile, baud))
    variants = [_blocks(profile, "identity", group) for group in groups]
    if not all(variants):
        raise ProfileError(f"profile {profile.name}: its identity registers cannot be read within its limits")
    # Where no lengths differ the shortest will do: it is asked once, and the bus keeps silence between such requests.
    return next(_choose(variants, ()), tuple(blocks[0] for blocks in variants))


def _hole_limit(profile: Profile, baud: int) -> int:
    """Words that may be read in vain before a request of its own is cheaper: its 13 bytes, its turnaround and gap."""
    waiting_ms = profile.min_gap_ms + (profile.response_ms.typical or _USUAL_TURNAROUND_MS)
    return int((REQUEST_OVERHEAD_BYTES + waiting_ms * baud / 10_000) / 2)


def _blocks(profile: Profile, role: Role, wanted: Sequence[Register]) -> list[Block]:
    """All blocks that hold `wanted` within the meter's limits, shortest first; none if there is none."""
    if not wanted or len({(register.fc, register.part) for register in wanted}) > 1:
        return []
    wanted = [*wanted, *(profile.register(register.scale_from) for register in wanted if register.scale_from)]
    first, last = min(r.address for r in wanted), max(r.end for r in wanted)
    there = sorted(_readable(profile, wanted), key=lambda register: register.address)
    starts = {r.address for r in there if r.address <= first}
    ends = {r.end for r in there if r.end >= last}
    spans = sorted((end - start, start) for start in starts for end in ends if _allowed(profile, there, start, end))
    return [
        Block(
            role, wanted[0].fc, start, words, tuple(r for r in there if start <= r.address and r.end <= start + words)
        )
        for words, start in spans
    ][:_VARIANTS]


def _readable(profile: Profile, wanted: Sequence[Register]) -> Iterator[Register]:
    """Registers beside the wanted ones that every unit of the model answers, and those themselves."""
    beside = (wanted[0].fc, wanted[0].part)
    for register in profile.all_registers():
        if (
            (register.fc, register.part) == beside
            and not register.write_only
            and (not register.optional or register in wanted)
        ):
            yield register


def _allowed(profile: Profile, there: Sequence[Register], start: int, end: int) -> bool:
    """Whether the meter answers this span: within its limits, no refused hole, no register cut in two."""
    words = end - start
    if words > profile.max_registers or (profile.even_requests and (start % 2 or words % 2)):
        return False
    reached = start
    for register in there:
        if register.end <= start or register.address >= end:
            continue
        if register.address < start or register.end > end:
            return False
        if register.address > reached and profile.holes != "zero":
            return False
        reached = max(reached, register.end)
    return reached == end


def _groups(profile: Profile, wanted: Sequence[Register], limit: int) -> list[list[Register]]:
    """The registers in as few groups as can each be read in one block without more than `limit` words in vain."""
    groups: list[list[Register]] = []
    for register in sorted(wanted, key=lambda r: (r.fc, r.address)):
        joined = [*groups[-1], register] if groups else []
        blocks = _blocks(profile, "settings", joined)
        if blocks and blocks[0].words - sum(r.words for r in joined) <= limit:
            groups[-1] = joined
        else:
            groups.append([register])
    return groups


def _choose(sequence: Sequence[list[Block]], chosen: tuple[Block, ...]) -> Iterator[tuple[Block, ...]]:
    """Ways to pick one block of each so that neighbours differ in length, first and last being neighbours too.

    The witnesses on both sides of an energy block differ from each other as well.
    """
    if not sequence:
        if not chosen or _distinct(chosen[-1], chosen[0]):
            yield chosen
        return
    for block in sequence[0]:
        if chosen and not _distinct(chosen[-1], block):
            continue
        if block.role == "witness" and len(chosen) > 1 and chosen[-2].words == block.words:
            continue
        yield from _choose(sequence[1:], (*chosen, block))


def _distinct(one: Block, other: Block) -> bool:
    """Whether a late reply to one cannot be taken for the other: another length, or the very same question."""
    return one.words != other.words or (one.fc, one.address) == (other.fc, other.address)


def _exponent(scale: Register, words: Sequence[int]) -> int | None:
    """The power of ten that a scale register holds; None if it holds none."""
    try:
        exponent = scale.decode(tuple(words))
    except NotAvailable:
        return None
    return int(exponent) if exponent in EXPONENTS else None
