"""Reading one meter by its profile: every value proven before it is believed.

A reading is one pass over the plan (`meteredge.plan`).  It is refused, not repaired, if a proof register is
implausible, a setting that energy depends on is not as the profile requires, or another serial number answers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NoReturn

from meterchain.units import Mwh
from meteredge.block_bus import BlockBus
from meteredge.bus import timing_of
from meteredge.bus_errors import BusError, DeviceException, RequestRefused
from meteredge.clock import Clock
from meteredge.plan import Block, plan_identity, plan_reading
from meteredge.profiles import MapNotFound, NotAvailable, Profile, Register, energy_of, find_parts
from meteredge.profiles.search import HEADER_WORDS

PLAUSIBLE: Mapping[str, tuple[Decimal, Decimal]] = {
    "V": (Decimal(80), Decimal(520)),
    "Hz": (Decimal(45), Decimal(66)),
    "W": (Decimal(-1_000_000), Decimal(1_000_000)),
}
"""Bounds of believable values by unit, where a register has none of its own."""
NOT_THERE = (1, 2, 3)
"""Exceptions by which a meter says that it has no such registers: function, address, count."""
WRONG_PROFILE = "set `profile` to the model that stands on the meter's label"
DEAD_PHASE_V = Decimal(5)
"""A phase below this is not connected: allowed on a three-phase meter as long as another one is alive."""
HIGHEST_OWN_UNIT = 247
"""Addresses above are nobody's own; a profile may name one that a meter answers which is alone on its bus."""


class ReadingError(BusError):
    """The meter answered, and the answer must not be used."""

    kind = "reading_refused"


class Implausible(ReadingError):
    """A proof register holds a value that no mains has: a wrong block, word order or profile."""

    kind = "implausible"


class WrongSettings(ReadingError):
    """A setting of the meter changes the meaning of its energy registers, or changed since the reader started."""

    kind = "wrong_settings"


class WrongModel(ReadingError):
    """The meter says that it is another model than the profile's."""

    kind = "wrong_model"


class OtherMeter(ReadingError):
    """Another serial number answers than the one that belongs here."""

    kind = "other_meter"


@dataclass(frozen=True)
class Reading:
    """The registers of a meter at one instant."""

    export_mwh: Mwh
    import_mwh: Mwh
    quantum_mwh: int
    """The larger step of the two registers at their height."""
    power_w: float | None
    """Total active power, positive = import; None where the plan does not read it."""
    serial: str | None
    """None where the model has no serial number (identity level `label`)."""
    at_monotonic: float
    """When the energy was read, seconds of the bus's clock."""
    values: Mapping[str, float]
    """Every number that came with it, in the unit of its register, as the meter has it."""

    def turned(self) -> "Reading":
        """The same for whom import is export."""
        power_w = None if self.power_w is None else -self.power_w
        return replace(self, export_mwh=self.import_mwh, import_mwh=self.export_mwh, power_w=power_w)


class Reader:
    """Reads one meter.

    `serial` is the number that must answer; where None, the first one that does is kept.  `reversed_` says that the
    meter sits the other way round: its import is export.
    """

    def __init__(
        self,
        bus: BlockBus,
        unit: int,
        profile: Profile,
        clock: Clock,
        serial: str | None = None,
        *,
        reversed_: bool = False,
    ) -> None:
        """Raises ProfileError if the profile allows no plan, RequestRefused if the model has no such unit id."""
        if unit > HIGHEST_OWN_UNIT and unit != profile.general_address:
            raise RequestRefused(f"unit {unit} is no address of a {profile.model}", "unit ids go from 1 to 247")
        self.unit = unit
        self._bus = bus
        self._plan_for(profile)
        self._placed = profile.search is None
        self._clock = clock
        self._serial = serial
        self._reversed = reversed_
        self._timing = timing_of(profile)
        self._continuity: dict[str, Decimal] = {}

    def place(self) -> None:
        """Find the parts of a map that has no fixed place; done once, before the first other question.

        Raises WrongModel if the map or a part of it is not there, BusError.
        """
        search = self.profile.search
        if self._placed or search is None:
            return

        def read(address: int, words: int) -> tuple[int, ...] | None:
            try:
                return self._bus.read_block(self.unit, search.fc, address, words, self._timing)
            except DeviceException as error:
                if error.code not in NOT_THERE:
                    raise
                return None

        try:
            found = find_parts(search, read)
        except MapNotFound as error:
            raise WrongModel(f"unit {self.unit}: {error}", WRONG_PROFILE) from error
        profile = self.profile.moved({name: part.start for name, part in found.items()})
        for register in profile.all_registers():
            part = found[register.part]
            if register.end > part.start + HEADER_WORDS + part.length:
                raise WrongModel(
                    f"unit {self.unit}: {register.part} has {part.length} words, {register.name} lies behind them",
                    WRONG_PROFILE,
                )
        self._plan_for(profile)
        self._placed = True

    def _plan_for(self, profile: Profile) -> None:
        self.profile = profile
        self.plan = plan_reading(profile, self._bus.port.baudrate)
        self._identity = plan_identity(profile, self._bus.port.baudrate)

    def identify(self) -> str | None:
        """The meter's serial number; None where the model has none.

        Raises OtherMeter if it is not the expected one, WrongModel if the meter names another model, BusError.
        """
        self.place()
        seen: dict[str, Decimal | int | str] = {}
        for block in self._identity:
            seen |= self._decode(block, self._ask(block))
        for name, register in self.profile.identity.items():
            if register.expect and name in seen and seen[name] not in register.expect:
                raise WrongModel(
                    f"unit {self.unit}: {name} is {seen[name]}, a {self.profile.model} has "
                    + " or ".join(map(str, register.expect)),
                    WRONG_PROFILE,
                )
        return self._check_serial(seen)

    def read(self) -> Reading:
        """One reading.  Raises Implausible, WrongSettings, OtherMeter, and BusError as the bus does."""
        self.place()
        seen: dict[str, Decimal | int | str] = {}
        raw: dict[str, tuple[Register, tuple[int, ...]]] = {}
        at = self._clock.monotonic()
        for block in self.plan.blocks:
            reply = self._ask(block)
            if block.role == "energy":
                at = self._clock.monotonic()
            values = self._decode(block, reply)
            self._check_proof(block, values)
            raw |= {register.name: (register, block.words_of(register, reply)) for register in block.readable(reply)}
            seen |= values
        factor = self._check_settings(seen)
        serial = self._check_serial(seen)
        export_mwh, export_quantum = self._energy(self.profile.export_registers, raw, factor)
        import_mwh, import_quantum = self._energy(self.profile.import_registers, raw, factor)
        numbers = {name: float(value) for name, value in seen.items() if not isinstance(value, str)}
        reading = Reading(
            export_mwh=export_mwh,
            import_mwh=import_mwh,
            quantum_mwh=max(export_quantum, import_quantum),
            power_w=numbers.get(self.profile.power or ""),
            serial=serial,
            at_monotonic=at,
            values=numbers,
        )
        return reading.turned() if self._reversed else reading

    def read_twice(self) -> tuple[Reading, Reading]:
        """Two readings, one after the other (guard 4: `meteredge.guards.pair_breach` says whether they agree)."""
        return self.read(), self.read()

    def _ask(self, block: Block) -> tuple[int, ...]:
        return self._bus.read_block(self.unit, block.fc, block.address, block.words, self._timing)

    def _decode(self, block: Block, reply: tuple[int, ...]) -> dict[str, Decimal | int | str]:
        """The values of a block; a value that is marked as not available, or whose scale is, is left out."""
        values: dict[str, Decimal | int | str] = {}
        for register in block.readable(reply):
            try:
                values[register.name] = register.decode(block.words_of(register, reply))
            except NotAvailable:
                continue
        return values

    def _check_proof(self, block: Block, values: Mapping[str, Decimal | int | str]) -> None:
        """Every proof register in the block is believable, or the block is none that was asked for."""
        here = {register.name for register in block.registers}
        proof = [self.profile.registers[name] for name in self.profile.proof if name in here]
        dead = 0
        for register in proof:
            value = values.get(register.name)
            bounds = register.plausible or PLAUSIBLE.get(register.unit)
            if value is None or isinstance(value, str):
                self._refuse(register, "nothing that can be read")
            elif register.expect and value not in register.expect:
                self._refuse(register, f"{value}, this model has {' or '.join(map(str, register.expect))}")
            elif register.unit == "V" and abs(Decimal(value)) < DEAD_PHASE_V and max(self.profile.phases) > 1:
                dead += 1
            elif bounds is not None and not bounds[0] <= Decimal(value) <= bounds[1]:
                self._refuse(register, f"{float(value):.6g} {register.unit}, believable is {bounds[0]} to {bounds[1]}")
        if dead and dead == sum(register.unit == "V" for register in proof):
            self._refuse(proof[0], "0 V, and so does every other phase")

    def _refuse(self, register: Register, what: str) -> NoReturn:
        self._bus.distrust()
        raise Implausible(
            f"unit {self.unit}: {register.name} holds {what}; the block is not believed",
            "check that `profile` is the meter's model and that its register order is the default",
        )

    def _check_settings(self, seen: Mapping[str, Decimal | int | str]) -> Decimal:
        """What energy is multiplied by.  Raises WrongSettings."""
        for name, required in self.profile.require.items():
            if seen.get(name) != required:
                raise WrongSettings(
                    f"unit {self.unit}: {name} is {seen.get(name)}, energy can only be read while it is {required}",
                    "set it in the meter's menu",
                )
        now = {name: Decimal(seen[name]) for name in self.profile.continuity if name in seen}
        for name, before in self._continuity.items():
            if name in now and now[name] != before:
                raise WrongSettings(
                    f"unit {self.unit}: {name} was {before} and is {now[name]}",
                    "somebody changed the meter's settings, or swapped the meter: inspect it, then enrol it again",
                )
        self._continuity |= now
        factor = Decimal(1)
        for name in self.profile.scale_by:
            ratio = seen.get(name)
            if ratio is None or isinstance(ratio, str) or ratio <= 0:
                raise WrongSettings(
                    f"unit {self.unit}: {name} is {ratio}", "set the transformer ratio in the meter's menu"
                )
            factor *= ratio
        return factor

    def _check_serial(self, seen: Mapping[str, Decimal | int | str]) -> str | None:
        if self.profile.identity_level == "label":
            return None
        if "serial_number" not in seen:
            raise OtherMeter(
                f"unit {self.unit} has no readable serial number", "check that `profile` is the meter's model"
            )
        serial = str(seen["serial_number"])
        if self._serial is None:
            self._serial = serial
        elif self._serial != serial:
            raise OtherMeter(
                f"unit {self.unit}: meter {serial} answers, {self._serial} belongs here",
                "nothing is signed; if the meter was replaced, call the operator: the registry must be told",
            )
        return serial

    def _energy(
        self, names: Iterable[str], raw: Mapping[str, tuple[Register, tuple[int, ...]]], factor: Decimal
    ) -> tuple[Mwh, int]:
        """The sum of the registers and their largest step, mWh.  Raises Implausible for a value that is no energy."""
        total, quantum = 0, 1
        for name in names:
            if name not in raw:
                self._refuse(self.profile.registers[name], "a value without its scale")
            try:
                energy = energy_of(*raw[name], self.profile.energy_quantum_wh, factor)
            except NotAvailable as error:
                self._bus.distrust()
                raise Implausible(f"unit {self.unit}: {error}", "check that `profile` is the meter's model") from error
            total += energy.mwh
            quantum = max(quantum, energy.quantum_mwh)
        return Mwh(total), quantum
