"""What the chain shows of the meters whose records a relay holds."""

from collections.abc import Iterable
from dataclasses import dataclass

from meterchain import pdas
from meterchain.accounts import Meter, MeterState, fetch_many
from meterchain.chain import Chain
from meterchain.programs import Programs

_METERS_A_LOOK = 50
"""An RPC gives 100 accounts at once."""


@dataclass(frozen=True, slots=True)
class View:
    """A registered meter, and the oracle's account of it if it has been opened."""

    meter: Meter
    state: MeterState | None

    @property
    def seq(self) -> int:
        """How far the chain is within the meter's present install."""
        return self.state.seq if self.state and self.state.install_id == self.meter.install_id else 0


def look(chain: Chain, programs: Programs, meter_ids: Iterable[str]) -> dict[str, View]:
    """The registered ones among these meters.  Raises what Chain.accounts raises."""
    found: dict[str, View] = {}
    names = sorted(meter_ids)
    for at in range(0, len(names), _METERS_A_LOOK):
        part = names[at : at + _METERS_A_LOOK]
        places = [pdas.meter(programs, name) for name in part]
        meters = fetch_many(chain, programs, Meter, places)
        states = fetch_many(chain, programs, MeterState, [pdas.meter_state(programs, place) for place in places])
        found |= {name: View(meter, state) for name, meter, state in zip(part, meters, states, strict=True) if meter}
    return found
