"""The sun and the sky above a site: how much of its peak power a PV plant gives.

Declination by Cooper (1969), hour angle without the equation of time: good to a degree, and a simulator needs no more.
"""

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

MINUTES = 1_440
_SKY_STEP_MIN = 10


@dataclass(frozen=True, slots=True)
class Place:
    """Where the site is, degrees; east and north are positive."""

    latitude_deg: float
    longitude_deg: float


CAMPUS = Place(latitude_deg=14.0, longitude_deg=0.0)
"""A place that is nowhere in particular, with its noon at 12:00 UTC."""


def sine_of_elevation(at_utc: float, place: Place) -> float:
    """Sine of the sun's height over the horizon, -1 to 1, at `at_utc` (Unix seconds)."""
    moment = datetime.fromtimestamp(at_utc, UTC)
    declination = math.radians(23.45) * math.sin(math.tau * (284 + moment.timetuple().tm_yday) / 365)
    hours = moment.hour + moment.minute / 60 + moment.second / 3_600 + place.longitude_deg / 15
    hour_angle = math.radians(15 * (hours - 12))
    latitude = math.radians(place.latitude_deg)
    across = math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    return math.sin(latitude) * math.sin(declination) + across


def clear_share(at_utc: float, place: Place) -> float:
    """Share of peak power under a clear sky, 0 to 1; low sun loses more to the longer way through the air."""
    return math.pow(max(0.0, sine_of_elevation(at_utc, place)), 1.2)


def clearness(day: int, weather_seed: int) -> list[float]:
    """How much the sky lets through, 0.1 to 1, for each minute of day number `day` (days since 1970).

    One seed is one sky: all plants of a site share it.
    """
    chance = random.Random(f"sky {weather_seed} {day}")
    mood = chance.uniform(0.35, 0.95)
    level = mood
    steps = []
    for _ in range(MINUTES // _SKY_STEP_MIN + 1):
        level += 0.4 * (mood - level) + chance.gauss(0.0, 0.12)
        steps.append(min(1.0, max(0.1, level)))
    return [a + (b - a) * k / _SKY_STEP_MIN for a, b in pairwise(steps) for k in range(_SKY_STEP_MIN)]
