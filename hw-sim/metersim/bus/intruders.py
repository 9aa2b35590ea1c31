"""Who speaks on a bus without being asked: a babbling slave, a second master, a second meter on one address."""

from collections.abc import Sequence
from dataclasses import dataclass

from metersim.bus import rtu
from metersim.bus.fault import Fault, Scene, StationPlan
from metersim.bus.symbols import Symbol, back_to_back


@dataclass(frozen=True, slots=True)
class Babbling(Fault):
    """A broken slave: `length` random characters, on average every `every_s`, whoever else is speaking."""

    every_s: float = 1.0
    length: int = 6

    def next_noise(self, after_s: float, scene: Scene) -> Sequence[Symbol]:
        """The next burst."""
        start_s = after_s + scene.chance.expovariate(1 / self.every_s)
        return back_to_back(scene.chance.randbytes(self.length), start_s, scene.char_s)


@dataclass(frozen=True, slots=True)
class SecondMaster(Fault):
    """Somebody else asks a meter here, about every `every_s`: inverters often do.  We hear questions and answers."""

    every_s: float = 5.0
    unit: int = 1
    function: int = 4
    address: int = 0
    count: int = 2

    def next_noise(self, after_s: float, scene: Scene) -> Sequence[Symbol]:
        """Its next question."""
        words = (self.address << 16 | self.count).to_bytes(4, "big")
        start_s = after_s + self.every_s * scene.chance.uniform(0.9, 1.1)
        return back_to_back(rtu.frame(self.unit, bytes([self.function]) + words), start_s, scene.char_s)


@dataclass(frozen=True, slots=True)
class SameAddress(Fault):
    """Another meter that was given an address that is taken: both answer, and destroy each other where they differ."""

    other: StationPlan

    @property
    def brings(self) -> tuple[StationPlan, ...]:
        """The other one."""
        return (self.other,)
