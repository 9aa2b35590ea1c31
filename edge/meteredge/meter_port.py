"""A meter behind a port that need not be there yet: opened at the first read, and again after it failed to open.

So an agent whose adapter is unplugged at start still delivers what it has signed, and reads again when it is back.
"""

from meteredge.bridge_watch import PROFILE as BRIDGE
from meteredge.bridge_watch import BridgeNews, BridgeWatch
from meteredge.bus import Bus
from meteredge.clock import Clock
from meteredge.config import AgentConfig
from meteredge.port import RtuPort
from meteredge.profiles import Profile, load
from meteredge.reader import Reader, Reading


class MeterAtPort:
    """Reads the meter of a configuration.  `profile` is loaded (and checked) at once, the port when it is needed."""

    def __init__(self, config: AgentConfig, clock: Clock) -> None:
        """Raises ProfileError."""
        self.profile: Profile = load(config.meter.profile)
        self._config = config
        self._clock = clock
        self._bus: Bus | None = None
        self._reader: Reader | None = None
        self._bridge: Profile | None = load(BRIDGE) if config.bridge else None

    def read(self) -> Reading:
        """One reading, with the serial number checked.  Raises BusError, those of opening the port among them."""
        return (self._reader or self._open()).read()

    def look(self, seconds: float) -> BridgeNews:
        """What the bridge saw within the last `seconds`; nothing where none is configured or the port is not open.

        Raises BusError.
        """
        if self._bridge is None or self._config.bridge is None or self._bus is None:
            return BridgeNews()
        return BridgeWatch(self._bus, self._config.bridge.unit, self._bridge).look(seconds)

    def bus_counts(self) -> dict[str, int]:
        """What happened on the bus since it was opened."""
        return {} if self._bus is None else self._bus.counts()

    def close(self) -> None:
        """Give the port back."""
        if self._bus is not None:
            self._bus.close()
            self._bus = self._reader = None

    def _open(self) -> Reader:
        table = self._config.bus
        if self._bus is None:
            baud = table.baud or self.profile.default.baud or 9_600
            framing = table.framing or self.profile.default.format or "8N1"
            self._bus = Bus(RtuPort(table.port, baud, framing, self._clock), self._clock)
        reader = Reader(self._bus, self._config.meter.unit, self.profile, self._clock, self._config.meter.serial)
        reader.identify()
        self._reader = reader
        return reader
