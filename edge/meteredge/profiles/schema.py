"""What a profile may say: the keys of `meters/*.toml`, checked strictly.

A profile is everything that is known about one meter model, as data: registers that read like the datasheet, limits and
timing of the wire, which registers are billed, what proves a block, and how sure each fact is.  An unknown key is an
error.  Addresses are 0-based as they go on the wire; `docs/profiles.md` explains each key.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from meteredge.profiles.codec import WordOrder, WordType
from meteredge.profiles.energy import UNIT_MWH
from meteredge.profiles.errors import ProfileError
from meteredge.profiles.register import Register, Status, Strict
from meteredge.profiles.search import Search

FACTS = (
    "energy_quantum_wh",
    "register_modulus_mwh",
    "response_ms",
    "min_gap_ms",
    "max_registers",
    "holes",
    "phase_accounting",
    "mid",
)
"""Keys whose value sources seldom give: unless `[facts]` says otherwise they count as unconfirmed."""


class SerialDefault(Strict):
    """Factory settings of the port."""

    address: Annotated[int, Field(ge=1, le=248)] = 1
    baud: int | None = None
    format: str | None = None


class ResponseMs(Strict):
    """Milliseconds from the end of a request to the first byte of its answer."""

    typical: Annotated[int, Field(ge=1)] | None = None
    max: Annotated[int, Field(ge=1, le=10_000)] = 500


class Fact(Strict):
    """How sure a key of the profile is, and by whom."""

    status: Status
    src: tuple[str, ...] = ()
    note: str = ""


class Sum(Strict):
    """A total that the meter keeps in several registers, for instance one per tariff."""

    sum: Annotated[tuple[str, ...], Field(min_length=2)]


class Vector(Strict):
    """Bytes seen on a wire, with their CRC, and what they mean."""

    request: str = ""
    response: str
    address: int | None = None
    """Where the reply's first word lies; None if its words are those of the one register that it decodes."""
    decodes: Mapping[str, Decimal | int | str] = Field(default_factory=dict)
    note: str = ""
    src: tuple[str, ...] = ()


def _registers(energy: str | Sum | None) -> tuple[str, ...]:
    if energy is None:
        return ()
    return (energy,) if isinstance(energy, str) else energy.sum


_OF_ONE_PHASE = re.compile(r"_l[123]$")
"""How registers of one phase are named."""

PhaseAccounting = Literal["vector", "per_phase"]
"""How a meter of several phases adds them: netted, or each counted by itself."""


class Profile(Strict):
    """One meter model.  Units are in the names; `facts` says how sure the doubtful values are."""

    name: str
    aliases: tuple[str, ...] = ()
    maker: str
    model: str
    phases: tuple[int, ...]
    status: Status
    billing: bool = True
    """May this model settle energy at all?"""
    billing_note: str = ""
    mid: Literal["import", "both", "no", "unknown"] = "unknown"
    """Which registers the certified display vouches for."""
    phase_accounting: PhaseAccounting | Literal["unknown"] | None = None
    """How phases are added (vector = netted); None on a single phase."""

    default: SerialDefault = SerialDefault()
    general_address: Annotated[int, Field(ge=1, le=248)] | None = None
    """An address at which any unit answers, whatever its own is; of use only where it is alone on the bus."""
    baud: tuple[int, ...] = ()
    formats: tuple[str, ...] = ()
    word_order: WordOrder = "msw"
    invalid: Mapping[WordType, int] = Field(default_factory=dict)
    invalid_msw: int | None = None
    max_registers: Annotated[int, Field(ge=1, le=125)] = 125
    even_requests: bool = False
    """Start and count of a request must be even."""
    holes: Literal["zero", "exception"] = "exception"
    """What registers answer that the map does not name: only through "zero" may a request read."""
    response_ms: ResponseMs = ResponseMs()
    min_gap_ms: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Silence that the meter wants before a request."""
    update_ms: int | None = None
    search: Search | None = None
    """How the parts of the map are found, where they have no fixed place."""

    identity_level: Literal["register", "label"]
    """"register": `identity.serial_number` tells meters apart; "label": nothing on the wire does."""
    import_energy: str | Sum | None = None
    export_energy: str | Sum | None = None
    """None where the model does not count that direction."""
    power: str | None = None
    proof: Annotated[tuple[str, ...], Field(min_length=1)]
    """Registers read with the energy, whose values prove that the block is the one asked for."""
    scale_by: tuple[str, ...] = ()
    """Registers (of `config`) that energy is multiplied by."""
    require: Mapping[str, int] = Field(default_factory=dict)
    """Registers (of `config`) that must hold this value, or no energy may be read."""
    continuity: tuple[str, ...] = ()
    """Registers (of `config` or `tamper`) whose change is shown as tampering; they stand in for a serial number."""
    energy_quantum_wh: Annotated[Decimal, Field(gt=0)] = Decimal(1)
    register_modulus_mwh: Annotated[int, Field(ge=0)] = 0
    """Where the energy registers wrap to zero; 0 = unknown."""

    registers: Mapping[str, Register]
    identity: Mapping[str, Register] = Field(default_factory=dict)
    config: Mapping[str, Register] = Field(default_factory=dict)
    tamper: Mapping[str, Register] = Field(default_factory=dict)
    facts: Mapping[str, Fact] = Field(default_factory=dict)
    notes: Mapping[str, str] = Field(default_factory=dict)
    sources: Mapping[str, str] = Field(default_factory=dict)
    src: tuple[str, ...] = ()
    vectors: tuple[Vector, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in (*self.energy_registers, *self.proof, *([self.power] if self.power else [])):
            if name not in self.registers:
                raise ValueError(f"{name!r} is not in [registers]")
        for name in (*self.scale_by, *self.require, *self.continuity):
            settings = {**self.tamper, **self.config} if name in self.continuity else self.config
            if name not in settings or settings[name].write_only:
                raise ValueError(f"{name!r} is not a readable register of [config]")
        if not self.energy_registers:
            raise ValueError("neither import_energy nor export_energy is given")
        for name in self.energy_registers:
            register = self.registers[name]
            if register.never_bill:
                raise ValueError(f"{name!r} must never be billed from: {register.never_bill}")
            if _OF_ONE_PHASE.search(name):
                raise ValueError(f"{name!r} is of one phase: a total is the meter's own, never the sum of its phases")
            if register.unit not in UNIT_MWH:
                raise ValueError(
                    f"{name!r} is not energy: its unit is {register.unit!r}, not one of {', '.join(UNIT_MWH)}"
                )
        if self.identity_level == "register" and "serial_number" not in self.identity:
            raise ValueError('identity_level is "register" but [identity] has no serial_number')
        if (max(self.phases) > 1) != (self.phase_accounting is not None):
            raise ValueError("phase_accounting belongs to meters of several phases, and to each of them")
        self._check_places()
        if unknown := set(self.facts) - set(type(self).model_fields):
            raise ValueError(f"[facts] names keys that no profile has: {', '.join(sorted(unknown))}")
        citing: tuple[Profile | Register | Fact | Vector, ...]
        citing = (self, *self.all_registers(), *self.facts.values(), *self.vectors)
        cited = {key for entry in citing for key in entry.src}
        if missing := cited - set(self.sources):
            raise ValueError(f"sources cited but not in [sources]: {', '.join(sorted(missing))}")
        return self

    def _check_places(self) -> None:
        """Scale registers are there and come in the same request; parts are named where they are searched for."""
        parts = self.search.parts if self.search else {}
        for register in self.all_registers():
            if register.part not in (parts or ("",)):
                raise ValueError(f"{register.name}: its part {register.part!r} is not in [search.parts]")
            if not register.scale_from:
                continue
            scales = [r for r in self.all_registers() if r.name == register.scale_from and r.type == "sunssf"]
            if not any((r.fc, r.part) == (register.fc, register.part) for r in scales):
                raise ValueError(f"{register.name}: {register.scale_from!r} is no scale register (sunssf) beside it")

    @property
    def energy_registers(self) -> tuple[str, ...]:
        """Names of the registers that are billed: import's first, then export's."""
        return (*_registers(self.import_energy), *_registers(self.export_energy))

    @property
    def import_registers(self) -> tuple[str, ...]:
        """Names of the registers whose sum is the energy taken; empty where the meter has none."""
        return _registers(self.import_energy)

    @property
    def export_registers(self) -> tuple[str, ...]:
        """Names of the registers whose sum is the energy fed in; empty where the meter has none."""
        return _registers(self.export_energy)

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of the registers that change what energy means: required ones, ratios, those watched for a change."""
        return tuple(dict.fromkeys((*self.require, *self.scale_by, *self.continuity)))

    def phases_added(self, told: PhaseAccounting | None) -> PhaseAccounting | None:
        """How a meter of this model adds its phases: as is known, else as `told`; None if nobody knows, or of one."""
        return told if self.phase_accounting == "unknown" else self.phase_accounting

    def all_registers(self) -> tuple[Register, ...]:
        """Every register of the profile: measured, identity, configuration, tamper evidence."""
        return tuple(register for table in self.tables().values() for register in table.values())

    def tables(self) -> dict[str, Mapping[str, Register]]:
        """The four tables of registers by name, the measured ones first."""
        return {
            "registers": self.registers,
            "identity": self.identity,
            "config": self.config,
            "tamper": self.tamper,
        }

    def register(self, name: str) -> Register:
        """The register of that name in any of the four tables.  Raises ProfileError."""
        for table in self.tables().values():
            if name in table:
                return table[name]
        raise ProfileError(
            f"profile {self.name} has no register {name!r}; it has {', '.join(r.name for r in self.all_registers())}"
        )

    def decode(self, register: str | Register, words: tuple[int, ...] | list[int]) -> Decimal | int | str:
        """`Register.decode` by name."""
        return (self.register(register) if isinstance(register, str) else register).decode(words)

    def encode(self, register: str | Register, value: Decimal | float | str) -> tuple[int, ...]:
        """`Register.encode` by name."""
        return (self.register(register) if isinstance(register, str) else register).encode(value)

    def moved(self, starts: Mapping[str, int]) -> "Profile":
        """The profile for a meter whose parts begin at `starts` (by name).  Raises ProfileError."""
        if self.search is None:
            raise ProfileError(f"profile {self.name}: its map has a fixed place")
        by = {name: starts[name] - part.usual for name, part in self.search.parts.items()}
        parts = {n: p.model_copy(update={"usual": p.usual + by[n]}) for n, p in self.search.parts.items()}
        tables = {
            table: {n: r.model_copy(update={"address": r.address + by[r.part]}) for n, r in registers.items()}
            for table, registers in self.tables().items()
        }
        return self.model_copy(update={**tables, "search": self.search.model_copy(update={"parts": parts})})

    def fact_status(self, key: str) -> Status:
        """How sure `key` is: what `[facts]` says, else unconfirmed for a key of FACTS, else the profile's status."""
        if key in self.facts:
            return self.facts[key].status
        return "unconfirmed" if key in FACTS else self.status

    def warnings(self) -> tuple[str, ...]:
        """What enrolment has to show: every fact that money depends on and that is not confirmed, one sentence each."""
        lines = [] if self.billing else [f"not for settlement: {self.billing_note}"]
        for key in dict.fromkeys((*FACTS, *self.facts)):
            if key == "phase_accounting" and self.phase_accounting is None:
                continue
            if (status := self.fact_status(key)) != "confirmed":
                note = self.facts[key].note if key in self.facts else ""
                lines.append(f"{_shown(key, getattr(self, key))} is {status}" + (f": {note}" if note else ""))
        serial = ("serial_number",) if self.identity_level == "register" else ()
        for name in dict.fromkeys((*self.energy_registers, *self.proof, *self.require, *self.scale_by, *serial)):
            register = self.register(name)
            if register.status != "confirmed":
                lines.append(f"register {name} is {register.status}" + (f": {register.note}" if register.note else ""))
        if self.identity_level == "label":
            lines.append("no serial number on the wire: the technician types it from the label")
        return tuple(lines)


def _shown(key: str, value: object) -> str:
    """The key with its value, where that is a word or a number."""
    if isinstance(value, ResponseMs):
        return f"{key} = {value.max} ms"
    return f"{key} = {value}" if key in FACTS else key
