"""Who may see a field is decided where it is declared; what nobody decided is never shown."""

from collections.abc import Mapping
from typing import Annotated

import pytest
from pydantic import BaseModel

from meteredge.privacy import PERSONAL, PUBLIC, SECRET, UnmarkedField, shown, unmarked


class Wifi(BaseModel):
    """Neither field is public."""

    ssid: Annotated[str, PERSONAL]
    psk: Annotated[str, SECRET]


class House(BaseModel):
    """Tables alone, in lists and in mappings."""

    name: Annotated[str, PUBLIC]
    rooms: Annotated[tuple[str, ...], PUBLIC] = ()
    wifi: Wifi | None = None
    all_wifi: tuple[Wifi, ...] = ()
    by_room: Mapping[str, Wifi] = {}
    note: Annotated[str | None, SECRET] = None


class Careless(BaseModel):
    """Nobody decided about its second field."""

    wifi: Wifi
    forgotten: str = "seen by all"


HIDDEN = {"ssid": "(personal, not shown)", "psk": "(secret, not shown)"}
WIFI = Wifi(ssid="our house", psk="0" * 64)


def test_only_the_public_is_shown_however_deep_it_lies() -> None:
    house = House(name="a", rooms=("x", "y"), wifi=WIFI, all_wifi=(WIFI, WIFI), by_room={"x": WIFI}, note="n")
    assert shown(house) == {
        "name": "a",
        "rooms": ["x", "y"],
        "wifi": HIDDEN,
        "all_wifi": [HIDDEN, HIDDEN],
        "by_room": {"x": HIDDEN},
        "note": "(secret, not shown)",
    }


def test_what_is_not_there_shows_as_nothing() -> None:
    assert shown(House(name="a")) == {
        "name": "a",
        "rooms": [],
        "wifi": None,
        "all_wifi": [],
        "by_room": {},
        "note": None,
    }


def test_a_field_without_a_mark_is_found_and_never_shown() -> None:
    assert list(unmarked(House)) == []
    assert list(unmarked(Careless)) == ["forgotten"]
    with pytest.raises(UnmarkedField, match=r"Careless\.forgotten is marked neither public, personal nor secret"):
        shown(Careless(wifi=WIFI))


def test_the_mark_stands_in_the_json_schema() -> None:
    assert Wifi.model_json_schema()["properties"]["psk"]["privacy"] == "secret"
