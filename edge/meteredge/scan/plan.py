"""What a scan tries, in which order: what meters come with first, then everything."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from meteredge.port import check_framing
from meteredge.profiles import Profile, load, names

BAUDS = (9_600, 19_200, 2_400, 4_800, 38_400, 1_200, 57_600, 115_200)
"""In the order in which meters are found at them."""
FRAMINGS = ("8N1", "8E1", "8N2", "8O1")
UNITS = range(1, 248)
LIKELY_UNITS = (1, 2, 3, 4, 5, 247)
"""Factory settings, the next ones that people give, and the bridge's."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a port is set."""

    baud: int
    framing: str

    def __str__(self) -> str:
        return f"{self.baud} {self.framing}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked for; None: everything."""

    bauds: tuple[int, ...] | None = None
    framings: tuple[str, ...] | None = None
    units: tuple[int, ...] | None = None


EVERYTHING = Wanted()


def known_profiles() -> tuple[Profile, ...]:
    """All shipped profiles."""
    return tuple(load(name) for name in names())


def likely_settings(profiles: Iterable[Profile], wanted: Wanted) -> tuple[Setting, ...]:
    """Factory settings of the known meters, the most frequent first, then the usual ones at 9600."""
    counts: dict[Setting, int] = {}
    for profile in profiles:
        default = profile.default
        for baud in (default.baud,) if default.baud else profile.baud[:2]:
            setting = Setting(baud, default.format or (profile.formats[0] if profile.formats else "8N1"))
            counts[setting] = counts.get(setting, 0) + 1
    for setting in (Setting(9_600, "8N1"), Setting(9_600, "8E1"), Setting(19_200, "8E1"), Setting(2_400, "8N1")):
        counts.setdefault(setting, 0)
    ordered = sorted(counts, key=lambda setting: (-counts[setting], setting.baud != BAUDS[0]))
    return tuple(setting for setting in ordered if _is_wanted(setting, wanted))


def all_settings(wanted: Wanted) -> tuple[Setting, ...]:
    """The whole grid.  Raises PortUnfit for a framing that no port has."""
    return tuple(
        Setting(baud, check_framing(framing))
        for framing in wanted.framings or FRAMINGS
        for baud in wanted.bauds or BAUDS
    )


def likely_units(profiles: Iterable[Profile], wanted: Wanted) -> tuple[int, ...]:
    """Unit ids that meters come with, and the general address at which a lone one of some models answers."""
    if wanted.units:
        return wanted.units
    found = {profile.default.address for profile in profiles} | set(LIKELY_UNITS)
    general = {profile.general_address for profile in profiles if profile.general_address}
    return (*sorted(found - general), *sorted(general))


def all_units(wanted: Wanted) -> Sequence[int]:
    """1 to 247, or what was asked for."""
    return wanted.units or UNITS


def parse_numbers(text: str, what: str, low: int, high: int) -> tuple[int, ...]:
    """The numbers of "1-10,17".  Raises ScanError."""
    return tuple(dict.fromkeys(_numbers(text, what, low, high)))


class ScanError(ValueError):
    """What was asked for cannot be scanned; the message says what can."""


def _numbers(text: str, what: str, low: int, high: int) -> Iterator[int]:
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        try:
            begin, end = int(first, 0), int(last if dash else first, 0)
        except ValueError:
            raise ScanError(f"{what}: {part!r} is no number; write 1-10,17") from None
        if not low <= begin <= end <= high:
            raise ScanError(f"{what}: {part!r} is not within {low} to {high}")
        yield from range(begin, end + 1)


def _is_wanted(setting: Setting, wanted: Wanted) -> bool:
    return (wanted.bauds is None or setting.baud in wanted.bauds) and (
        wanted.framings is None or setting.framing in wanted.framings
    )
