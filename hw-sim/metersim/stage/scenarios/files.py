"""The three files of a scenario, checked strictly: an unknown key is an error that names file and key."""

import tomllib
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meterchain.units import SLOT_S

NAMES = ("config.toml", "faults.toml", "expect.toml")
_MWH = 1_000_000


class ScenarioError(Exception):
    """A folder that is no scenario; the message names file, key and cause."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MeterTable(_Table):
    """[meter]: the device and what hangs behind it."""

    profile: str = "sdm630"
    serial: str = "10000001"
    baud: int = 9_600
    format: str = "8N1"
    load: Literal["household", "lab", "none"] = "household"
    pv_peak_w: int = 9_000
    import_kwh: float = 5_000
    export_kwh: float = 800
    rated_w: int = 43_470
    modulus_kwh: int | None = None
    """Where the registers wrap; told to the registry too."""
    settings: dict[str, int] = Field(default_factory=dict)

    @property
    def import_mwh(self) -> int:
        """At the beginning."""
        return round(self.import_kwh * _MWH)

    @property
    def export_mwh(self) -> int:
        """At the beginning."""
        return round(self.export_kwh * _MWH)

    @property
    def modulus_mwh(self) -> int | None:
        """See modulus_kwh."""
        return None if self.modulus_kwh is None else self.modulus_kwh * _MWH


class Config(_Table):
    """config.toml."""

    title: str
    """One sentence: what must be true."""
    begin: datetime = datetime.fromisoformat("2026-06-21T11:00:00+00:00")
    """Start of the first slot, UTC."""
    slots: Annotated[int, Field(ge=1, le=960)] = 4
    seed: int = 1
    settle_every: int = 4
    poll_s: float = 300
    meter: MeterTable = MeterTable()

    @property
    def begin_s(self) -> int:
        """Unix seconds."""
        return int(self.begin.timestamp())

    @property
    def end_s(self) -> int:
        """When the last slot has ended, Unix seconds."""
        return self.begin_s + self.slots * SLOT_S


@dataclass(frozen=True, slots=True)
class FaultEntry:
    """One [[fault]]: its name, its options, and when (seconds since the beginning; None: until the end)."""

    kind: str
    options: dict[str, Any]
    from_s: float
    until_s: float | None


class Expect(_Table):
    """expect.toml.  Slots are counted from 1."""

    signed: int | None = None
    """Records signed by the node; None: one for each slot that is not `missing`."""
    final: int | None = None
    """Records proved final in the end; None: all that were signed."""
    refused: int = 0
    waiting: int = 0
    """Signed, safe in the journal, and not on the chain in the end."""
    missing: tuple[int, ...] = ()
    """Slots without a record of their own; a later one carries their energy."""
    energy_until_slot: int | None = None
    """The last slot whose energy the chain has credited in the end; None: the last one of all."""
    told: tuple[str, ...] = ()
    """Parts of messages that the technician has seen."""
    stopped: str = ""
    """The word with which the agent stopped for good."""
    time_status: Annotated[str, Field(pattern="^[SIR]+$")] = "S"
    """Of the records in their order, a letter for each stretch of equal ones: "SRS"."""
    rollovers: int = 0
    bus: dict[str, int] = Field(default_factory=dict)
    """At least so many of each count of the bus."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A folder."""

    name: str
    config: Config
    faults: tuple[FaultEntry, ...]
    expect: Expect


def names_in(folder: Path) -> tuple[str, ...]:
    """The scenarios in `folder`, sorted."""
    return tuple(sorted(entry.name for entry in folder.iterdir() if (entry / NAMES[0]).is_file()))


def load(folder: Path) -> Scenario:
    """Raises ScenarioError."""
    config = _checked(Config, folder / NAMES[0])
    expect = _checked(Expect, folder / NAMES[2])
    listed = _table(folder / NAMES[1]).get("fault", [])
    return Scenario(folder.name, config, tuple(_fault(folder / NAMES[1], entry) for entry in listed), expect)


Model = TypeVar("Model", bound=BaseModel)


def _checked(model: type[Model], path: Path) -> Model:
    try:
        return model.model_validate(_table(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ScenarioError(f"{path}: {where}: {first['msg']}") from None


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from None


def _fault(path: Path, entry: dict[str, Any]) -> FaultEntry:
    options = dict(entry)
    try:
        kind = options.pop("kind")
        from_s, until_s = (_seconds(options.pop(key, None)) for key in ("from", "until"))
    except (KeyError, ValueError) as error:
        raise ScenarioError(f"{path}: a fault has `kind`, and times as from = 00:29:50 ({error})") from None
    return FaultEntry(kind, options, from_s or 0.0, until_s)


def _seconds(clock: object) -> float | None:
    if clock is None:
        return None
    if not isinstance(clock, time):
        raise ValueError(f"{clock!r} is no time of the play")
    return clock.hour * 3_600 + clock.minute * 60 + clock.second + clock.microsecond / 1e6
