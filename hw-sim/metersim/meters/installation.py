"""What is connected behind a meter: a load, perhaps a PV plant, and the power that results.

Power is constant within a minute and whole watts on each phase, so that energy is an exact integral.  Positive is
import: energy that the user takes.
"""

from dataclasses import dataclass

from metersim.meters.loads import LoadKind, phase_watts
from metersim.meters.sun import CAMPUS, MINUTES, Place, clear_share, clearness

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Installation:
    """One connection.  `seed` is its own chance; `weather_seed` the sky that it shares with its neighbours.

    `reversed`: the current transformers are turned round, so the meter sees all power with the other sign.
    """

    seed: int
    weather_seed: int = 0
    phases: int = 1
    load: LoadKind = "household"
    pv_peak_w: int = 0
    place: Place = CAMPUS
    reversed: bool = False


def net_watts(installation: Installation, day: int) -> list[list[int]]:
    """Watts by phase and minute of day number `day` (days since 1970); negative where more is made than used.

    A PV plant feeds all phases alike; what does not divide goes to the first.
    """
    watts = _true_watts(installation, day)
    return [[-w for w in line] for line in watts] if installation.reversed else watts


def _true_watts(installation: Installation, day: int) -> list[list[int]]:
    watts = phase_watts(installation.load, installation.phases, installation.seed, day)
    if not installation.pv_peak_w:
        return watts
    sky = clearness(day, installation.weather_seed)
    for minute in range(MINUTES):
        share = clear_share(day * DAY_S + 60 * minute + 30, installation.place)
        each, rest = divmod(int(installation.pv_peak_w * share * sky[minute]), installation.phases)
        for phase, line in enumerate(watts):
            line[minute] -= each + (rest if phase == 0 else 0)
    return watts
