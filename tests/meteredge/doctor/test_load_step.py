"""Proving the direction by a load: what is asked, what is watched, when it ends."""

from dataclasses import dataclass, field, replace

from meterchain.units import Mwh
from meteredge.clock import VirtualClock
from meteredge.doctor.facts import LoadStep, Unknown
from meteredge.doctor.gather.load_step import Load, watch_load
from meteredge.reader import Reading

KETTLE = Load("kettle", 2_000, wait_s=60)


@dataclass
class House:
    """A house that uses 300 W, and a kettle that is switched on after a while."""

    on_after_s: float
    power_w: float | None = 300.0
    sign: int = 1
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(1_782_043_200.0))
    exported: float = 5e6
    imported: float = 7e6
    seen_at: float = 0.0

    def read(self) -> Reading:
        now = self.clock.monotonic()
        power = None if self.power_w is None else self.power_w + self.sign * (2_000 if now >= self.on_after_s else 0)
        moved = abs(power or 0.0) * (now - self.seen_at) / 3.6
        self.seen_at = now
        if (power or 0.0) >= 0:
            self.imported += moved
        else:
            self.exported += moved
        return Reading(
            Mwh(int(self.exported) // 1_000 * 1_000), Mwh(int(self.imported) // 1_000 * 1_000), 1_000, power, None,
            now, {},
        )  # fmt: skip


def watched(house: House) -> LoadStep:
    step = watch_load(house.read, KETTLE, house.clock, lambda _: None)
    assert isinstance(step, LoadStep)
    return step


def test_a_load_that_is_used_raises_power_and_import() -> None:
    step = watched(House(on_after_s=20))
    assert (step.before_w, step.after_w) == (300, 2_300)
    assert step.import_rise_mwh >= 2_000
    assert step.export_rise_mwh == 0


def test_a_reversed_transformer_shows_as_power_that_falls_and_export_that_rises() -> None:
    step = watched(House(on_after_s=20, sign=-1))
    assert step.after_w - step.before_w == -2_000
    assert (step.export_rise_mwh >= 2_000, step.import_rise_mwh) == (True, 0)


def test_behind_a_roof_that_feeds_in_the_load_lowers_the_export_and_is_still_proved() -> None:
    step = watched(replace(House(on_after_s=20), power_w=-5_000.0))
    assert step.after_w == -3_000
    assert step.export_rise_mwh >= 2_000


def test_nobody_switches_anything_on_and_it_ends_after_the_wait() -> None:
    step = watched(House(on_after_s=1e9))
    assert (step.before_w, step.after_w) == (300, 300)
    assert 60 <= step.waited_s < 70


def test_the_technician_is_told_what_to_switch_and_that_it_was_seen() -> None:
    told: list[str] = []
    house = House(on_after_s=5)
    watch_load(house.read, KETTLE, house.clock, told.append)
    assert "switch the kettle (2,000 W) on" in told[0]
    assert "seen" in told[1]


def test_a_model_without_power_cannot_be_proved_this_way() -> None:
    house = House(on_after_s=5, power_w=None)
    assert isinstance(watch_load(house.read, KETTLE, house.clock, lambda _: None), Unknown)
