"""Maps without a fixed place: a marker says where the map begins, and headers lead from one part to the next.

Words on the wire:  marker · id, length · `length` words · id, length · … · end, 0

A profile gives the marker, the addresses where it may stand and the id of each part that it reads; the addresses of
its registers count from their part's id.  Until a meter has been searched, the parts are taken to lie where they
usually do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from meteredge.profiles.errors import MapNotFound
from meteredge.profiles.register import Strict

HEADER_WORDS = 2
"""A part's id and its length."""
MOST_PARTS = 64
"""A longer way than this is no map."""

Read = Callable[[int, int], tuple[int, ...] | None]
"""Reads (address, words); None where the meter has no such registers."""


class Part(Strict):
    """One part of the map."""

    id: Annotated[int, Field(ge=0, le=0xFFFF)]
    length: Annotated[int, Field(ge=1)]
    """Words behind the header, as the map's definition says."""
    usual: Annotated[int, Field(ge=0, le=0xFFFF)]
    """Address of its id in most meters."""


class Search(Strict):
    """Where a map may begin and what leads through it."""

    fc: int
    marker: Annotated[tuple[int, ...], Field(min_length=1)]
    """The words with which the map begins."""
    bases: Annotated[tuple[int, ...], Field(min_length=1)]
    """Addresses where the marker may stand, the likeliest first."""
    end: int = 0xFFFF
    """The id behind the last part."""
    parts: Mapping[str, Part]

    def headers(self) -> dict[int, int]:
        """The words by address that lead through a map whose parts lie where they usually do."""
        words: dict[int, int] = {}
        for part in sorted(self.parts.values(), key=lambda part: part.usual):
            words |= {part.usual: part.id, part.usual + 1: part.length}
            behind = part.usual + HEADER_WORDS + part.length
            words |= {behind: self.end, behind + 1: 0}
        first = min(words) - len(self.marker)
        return words | {first + at: word for at, word in enumerate(self.marker)}


@dataclass(frozen=True)
class Found:
    """A part as it was found."""

    start: int
    """Address of its id."""
    length: int


def find_parts(search: Search, read: Read) -> dict[str, Found]:
    """Where the parts lie, each the first of its id.  Raises MapNotFound if the marker or one of them is not there.

    Whatever `read` raises is passed on.
    """
    for base in search.bases:
        words = read(base, len(search.marker) + HEADER_WORDS)
        if words is not None and words[: len(search.marker)] == search.marker:
            return _walk(search, read, base + len(search.marker), words[len(search.marker) :])
    places = ", ".join(map(str, search.bases))
    raise MapNotFound(f"no map begins at {places}: its marker {_hex(search.marker)} is not there")


def _walk(search: Search, read: Read, at: int, header: tuple[int, ...] | None) -> dict[str, Found]:
    found: dict[str, Found] = {}
    seen: list[int] = []
    while header is not None and header[0] != search.end and len(seen) < MOST_PARTS:
        number, length = header
        seen.append(number)
        for name, part in search.parts.items():
            if part.id == number:
                found.setdefault(name, Found(at, length))
        if found.keys() == search.parts.keys():
            return found
        at += HEADER_WORDS + length
        header = read(at, HEADER_WORDS) if at + HEADER_WORDS <= 0x10000 else None
    missing = ", ".join(f"{part.id} ({name})" for name, part in search.parts.items() if name not in found)
    raise MapNotFound(f"the map has the parts {', '.join(map(str, seen)) or 'none'}, but not {missing}")


def _hex(words: tuple[int, ...]) -> str:
    return " ".join(f"{word:04X}" for word in words)
