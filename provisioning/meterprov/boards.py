"""The boards that a node may be, as data (`boards.toml`), and what `config.txt` says for each."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

BoardName = Literal["zero2w", "pi3", "pi4", "pi5"]
Rtc = Literal["none", "ds3231", "board"]
DriverEnable = Literal["adapter", "rts"]
"""Who switches the transceiver to sending: the adapter by itself, or the RTS pin of the board's UART."""


class _Fact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HeaderUart(_Fact):
    """A serial port on the board's header."""

    overlay: str
    rts: bool
    """Can its RTS pin enable a transceiver's driver?"""
    pins: Annotated[tuple[int, ...], Field(min_length=2, max_length=3)]
    """GPIO numbers: transmit, receive, and RTS where there is one."""


class Board(_Fact):
    """One model of Raspberry Pi."""

    name: str
    rtc: tuple[Rtc, ...]
    """Clocks that it can have."""
    ethernet: bool
    uarts: Mapping[str, HeaderUart]
    """By the port's path on the node."""


@cache
def boards() -> Mapping[str, Board]:
    """All boards by their name in the site file."""
    table = tomllib.loads((files("meterprov") / "boards.toml").read_text("utf-8"))
    return {name: Board.model_validate(entry) for name, entry in table.items()}
