"""One register of a meter, as a line of a profile says it: where it is, how its words are read, how sure that is."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from meteredge.profiles.codec import TYPE_WORDS, RawFormat, WordOrder, WordType, decode_words, encode_words
from meteredge.profiles.errors import ProfileError

Status = Literal["confirmed", "single", "conflict", "unconfirmed"]
"""How sure a fact is: maker's document or two implementations · one source · sources disagree · found nowhere."""

READ_CODES = (3, 4)
"""The function codes by which registers are read: holding, input."""

EXPONENTS = range(-10, 11)
"""Powers of ten that a scale register may hold."""


class Strict(BaseModel):
    """A table of a profile: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _int_keys(table: object) -> object:
    """TOML's keys are strings; the codes of a register are numbers (decimal or 0x…)."""
    return (
        {int(key, 0) if isinstance(key, str) else key: text for key, text in table.items()}
        if isinstance(table, dict)
        else table
    )


def _several(value: object) -> object:
    """One value or a list of them."""
    return (value,) if isinstance(value, int) else value


class Register(Strict):
    """One register of a meter: where it is, how its words are read, and how sure that is."""

    name: str
    fc: int
    """Function code that reads it (3, 4); of a `write_only` one the code that writes it."""
    address: Annotated[int, Field(ge=0, le=0xFFFF)]
    """0-based, as on the wire (in a file: from the start of its `part`, if it has one)."""
    part: str = ""
    """The part of the map that it lies in, where the parts have to be searched for (`Search`)."""
    words: Annotated[int, Field(ge=1, le=125)]
    type: WordType
    word_order: WordOrder
    scale: Decimal = Decimal(1)
    """Engineering value = raw * scale, in `unit`."""
    scale_from: str = ""
    """The register whose value is a power of ten that multiplies `scale`; it is read in the same request."""
    unit: str = ""
    invalid: tuple[int, ...] = ()
    """Raw values (unsigned) that mean "not available"."""
    invalid_msw: int | None = None
    """A most significant word that means "not available", whatever the others are."""
    status: Status
    note: str = ""
    src: tuple[str, ...] = ()
    optional: bool = False
    """Some variants of the model do not have it and answer exception 2."""
    never_bill: str = ""
    """Why no energy may be billed from it (resettable, meaning switchable); empty = it may."""
    plausible: tuple[Decimal, Decimal] | None = None
    """Bounds of a believable value; where absent those of its unit hold (`meteredge.reader`)."""
    values: Annotated[Mapping[int, str | int], BeforeValidator(_int_keys)] = Field(default_factory=dict)
    """What its codes mean."""
    bits: tuple[str, ...] = ()
    range: tuple[int, int] | None = None
    expect: Annotated[tuple[int, ...], BeforeValidator(_several)] = ()
    """The values that this model may hold here: another value is another model."""
    usual: int | None = None
    """What most units hold here; simulated meters do."""
    write_only: bool = False
    """Never read.  Named so that simulated meters and the wiring check know what any master on the bus can do."""
    write_value: Decimal | None = None

    @property
    def end(self) -> int:
        """The address behind its last word."""
        return self.address + self.words

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.write_only and self.fc not in READ_CODES:
            raise ValueError(
                f"{self.name}: function code {self.fc} cannot read a register; use 3 or 4, or say write_only = true"
            )
        if self.words != (fixed := TYPE_WORDS.get(self.type, self.words)):
            raise ValueError(f"{self.name}: a {self.type} has {fixed} words, not {self.words}")
        if self.end > 0x10000:
            raise ValueError(f"{self.name}: ends behind the last address 0xFFFF")
        if self.scale == 0:
            raise ValueError(f"{self.name}: scale is 0")
        return self

    def scaled(self, exponent: int) -> "Register":
        """The register as it reads while its scale register holds `exponent`.  Raises ProfileError."""
        if exponent not in EXPONENTS:
            raise ProfileError(f"{self.name}: {self.scale_from} is {exponent}, no power of ten that a meter has")
        return self.model_copy(update={"scale": self.scale * Decimal(10) ** exponent, "scale_from": ""})

    def decode(self, words: tuple[int, ...] | list[int]) -> Decimal | int | str:
        """The engineering value (in `unit`) of the words as they came from the wire.

        Raises NotAvailable for a raw value that the profile calls invalid, NaN and infinity; ProfileError for a wrong
        count of words, and for a register whose scale is not known yet (`scaled`).
        """
        return decode_words(self._format(self.invalid, self.invalid_msw), words)

    def encode(self, value: Decimal | float | str) -> tuple[int, ...]:
        """The words of an engineering value, to the nearest raw value.  Raises ProfileError if it does not fit."""
        return encode_words(self._format((), None), value)

    def _format(self, invalid: tuple[int, ...], invalid_msw: int | None) -> RawFormat:
        if self.scale_from:
            raise ProfileError(f"{self.name}: its scale stands in {self.scale_from}; take scaled() with that value")
        return RawFormat(self.name, self.type, self.words, self.word_order, self.scale, invalid, invalid_msw)
