"""A profile's registers as a meter shows them on the wire: which words stand where, and what the holes answer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from meteredge.profiles import Profile, Register
from metersim.bus import rtu

MWH_PER_UNIT = {
    "Wh": 1_000,
    "kWh": 1_000_000,
    "MWh": 1_000_000_000,
    "varh": 1_000,
    "kvarh": 1_000_000,
}
"""Units of registers whose values we keep in mWh (or mvarh)."""

TEXT = ("ascii", "utf8")
Value = Decimal | float | int | str


@dataclass(frozen=True, slots=True)
class Place:
    """A register and the table of the profile that it comes from: registers, identity, config or tamper."""

    table: str
    register: Register


class Image:
    """Where a profile's registers lie.  `with_optional` models a variant that has those that only some have, `flipped`
    one that is switched to the other word order.

    Optional registers that are billed are always there: a unit without them would not be enrolled by this profile.
    Where two names share an address, the billed one says what stands there.
    """

    def __init__(self, profile: Profile, *, with_optional: bool = False, flipped: bool = False) -> None:
        self._profile = profile
        self._flipped = flipped
        self._at: dict[int, dict[int, Place]] = {}
        self._headers = {profile.search.fc: profile.search.headers()} if profile.search else {}
        for place in sorted(places(profile), key=lambda place: place.register.name not in profile.energy_registers):
            register = place.register
            there = with_optional or not register.optional or register.name in profile.energy_registers
            if register.write_only or not there:
                continue
            words = self._at.setdefault(register.fc, {})
            for address in range(register.address, register.end):
                words.setdefault(address, place)

    def read(
        self, function: int, address: int, count: int, value_of: Callable[[Place], Value]
    ) -> tuple[int, ...] | int:
        """The words asked for, or the code of the exception that a real meter of this kind answers."""
        known = self._at.get(function)
        if known is None:
            return rtu.ILLEGAL_FUNCTION
        if count > self._profile.max_registers:
            return rtu.ILLEGAL_VALUE
        if self._profile.even_requests and (address % 2 or count % 2) and not _is_one_register(known, address, count):
            return rtu.ILLEGAL_ADDRESS
        headers = self._headers.get(function, {})
        first, last = min((*known, *headers)), max((*known, *headers))
        words: list[int] = []
        encoded: dict[tuple[str, str], tuple[int, ...]] = {}
        for at in range(address, address + count):
            place = known.get(at)
            if place is not None:
                key = place.table, place.register.name
                if key not in encoded:
                    encoded[key] = self._encoded(place, value_of)
                words.append(encoded[key][at - place.register.address])
            elif at in headers:
                words.append(headers[at])
            elif self._profile.holes == "zero" and first <= at <= last:
                words.append(0)
            else:
                return rtu.ILLEGAL_ADDRESS
        return tuple(words)

    def _encoded(self, place: Place, value_of: Callable[[Place], Value]) -> tuple[int, ...]:
        value, register = value_of(place), place.register
        factor = MWH_PER_UNIT.get(register.unit)
        if factor is not None and not isinstance(value, str):
            value = Decimal(value) / factor
        words = scaled(self._profile, register, value_of).encode(value)
        return words[::-1] if self._flipped and register.type not in TEXT else words


def places(profile: Profile) -> Iterable[Place]:
    """Every register of the profile with its table, measured ones first."""
    for table in ("registers", "identity", "config", "tamper"):
        for register in getattr(profile, table).values():
            yield Place(table, register)


def scaled(profile: Profile, register: Register, value_of: Callable[[Place], Value]) -> Register:
    """The register as it reads with what its scale register holds, if it has one."""
    if not register.scale_from:
        return register
    scale = next(place for place in places(profile) if place.register.name == register.scale_from)
    return register.scaled(int(value_of(scale)))


def _is_one_register(known: dict[int, Place], address: int, count: int) -> bool:
    """Whether exactly one register of odd size is meant, which meters that want even requests answer all the same."""
    place = known.get(address)
    return place is not None and (place.register.address, place.register.words) == (address, count)
