"""What people use: a household's and a laboratory's consumption, minute by minute, by phase.

A load is a list of appliances, each on one phase from one minute to another.  All of it comes from the seed.
"""

import random
from dataclasses import dataclass
from typing import Literal

from metersim.meters.sun import MINUTES

LoadKind = Literal["household", "lab", "none"]


@dataclass(frozen=True, slots=True)
class Use:
    """An appliance of `watts` on `phase` (0 to 2), from minute `start` of the day for `minutes`."""

    phase: int
    start: int
    minutes: int
    watts: int


def phase_watts(kind: LoadKind, phases: int, seed: int, day: int) -> list[list[int]]:
    """Watts by phase and minute of day number `day`."""
    watts = [[0] * MINUTES for _ in range(phases)]
    uses = {"household": _household, "lab": _lab, "none": _nothing}[kind](seed, day)
    for use in uses:
        line = watts[use.phase % phases]
        for minute in range(max(0, use.start), min(MINUTES, use.start + use.minutes)):
            line[minute] += use.watts
    return watts


def _nothing(_seed: int, _day: int) -> list[Use]:
    return []


def _household(seed: int, day: int) -> list[Use]:
    """Standby, a refrigerator, light in the evening, and cooking around three meals."""
    home = random.Random(f"home {seed}")
    standby_w, fridge_w, light_w = home.randrange(40, 120), home.randrange(70, 130), home.randrange(90, 260)
    fridge_period, fridge_on = home.randrange(35, 60), home.randrange(12, 22)
    today = random.Random(f"home {seed} {day}")
    uses = [Use(0, 0, MINUTES, standby_w)]
    uses += [
        Use(1, start, fridge_on, fridge_w) for start in range(today.randrange(fridge_period), MINUTES, fridge_period)
    ]
    uses.append(Use(2, today.randrange(1_030, 1_110), today.randrange(180, 300), light_w))
    for meal in (420, 735, 1_110):
        for _ in range(today.randrange(2, 5)):
            start = int(today.gauss(meal, 35))
            uses.append(Use(today.randrange(3), start, today.randrange(3, 25), today.randrange(700, 2_300)))
    return uses


def _lab(seed: int, day: int) -> list[Use]:
    """A constant base (servers, ventilation) and machines that run in working hours."""
    lab = random.Random(f"lab {seed}")
    base = [Use(phase, 0, MINUTES, lab.randrange(80, 260)) for phase in range(3)]
    today = random.Random(f"lab {seed} {day}")
    machines = [
        Use(today.randrange(3), today.randrange(470, 1_020), today.randrange(8, 60), today.randrange(400, 2_600))
        for _ in range(today.randrange(18, 30))
    ]
    return base + machines
