"""A meter on a bus whose port need not be there yet.

The bus opens its port at the first question, and again after it was lost.  So an agent whose adapter is unplugged at
start still delivers what it has signed, and reads again when it is back.  The meter's identity is asked for at the
first reading and each time that the port was opened anew: behind another adapter may be another meter.
"""

from collections.abc import Sequence
from typing import TypeVar

from meteredge.block_bus import BlockBus
from meteredge.bridge_watch import PROFILE as BRIDGE
from meteredge.bridge_watch import BridgeNews, BridgeWatch
from meteredge.bus import Bus
from meteredge.clock import Clock
from meteredge.config import AgentConfig, ConfigError, MeterTable
from meteredge.port import RtuPort
from meteredge.profiles import Profile, load
from meteredge.reader import Reader, Reading
from meteredge.transceiver import OnFrame

T = TypeVar("T")
USUAL_BAUD = 9_600
USUAL_FRAMING = "8N1"


def bus_of(config: AgentConfig, clock: Clock, on_frame: OnFrame | None = None) -> Bus:
    """The bus that [bus] names, its port not open yet; what [bus] leaves out comes from the meters' profiles.

    Raises ProfileError, and ConfigError where the profiles do not agree.
    """
    table = config.bus
    usual = [load(meter.profile).default for meter in config.meters]
    baud = table.baud or _agreed("baud", [default.baud or USUAL_BAUD for default in usual])
    framing = table.framing or _agreed("framing", [default.format or USUAL_FRAMING for default in usual])
    return Bus(RtuPort(table.port, baud, framing, clock, open_now=False), clock, on_frame)


def _agreed(name: str, values: Sequence[T]) -> T:
    if len(set(values)) > 1:
        raise ConfigError(
            f"the meters leave their factories with different {name} ({', '.join(map(str, dict.fromkeys(values)))}); "
            f"set them all to one, and write it as `{name}` in [bus]"
        )
    return values[0]


def reader_of(bus: BlockBus, table: MeterTable, profile: Profile, clock: Clock) -> Reader:
    """The reader of a configured meter.  Raises ProfileError, RequestRefused."""
    return Reader(bus, table.unit, profile, clock, table.serial, reversed_=table.direction == "reversed")


class MeterAtPort:
    """Reads the only meter of a configuration, on `bus` or one of its own; `profile` is loaded and checked at once."""

    def __init__(self, config: AgentConfig, clock: Clock, bus: Bus | None = None) -> None:
        """Raises ProfileError, ConfigError, RequestRefused."""
        self.profile: Profile = load(config.meter.profile)
        self.bus = bus or bus_of(config, clock)
        self._reader = reader_of(self.bus, config.meter, self.profile, clock)
        self._bridge = BridgeWatch(self.bus, config.bridge.unit, load(BRIDGE)) if config.bridge else None
        self._identified_at: int | None = None

    def read(self) -> Reading:
        """One reading, with the serial number checked.  Raises BusError, those of opening the port among them."""
        connection = self.bus.statistics.reopened
        if self._identified_at != connection or not self.bus.port.is_open:
            self._reader.identify()
            connection = self.bus.statistics.reopened
        reading = self._reader.read()
        # A port that was lost and found between the two questions leaves the identity to be asked for again.
        self._identified_at = connection
        return reading

    def look(self, seconds: float) -> BridgeNews:
        """What the bridge saw within the last `seconds`; nothing where none is configured.  Raises BusError."""
        return BridgeNews() if self._bridge is None else self._bridge.look(seconds)

    def close(self) -> None:
        """Give the port back, the bus's other meters' too."""
        self.bus.close()
