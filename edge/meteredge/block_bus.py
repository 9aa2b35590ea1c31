"""What reading a meter asks of a bus: our own (`bus.Bus`), or the running agent's over its socket."""

from typing import Protocol

from meteredge.bus import Timing


class PortSetting(Protocol):
    """What a plan of requests wants to know of the port."""

    @property
    def baudrate(self) -> int:
        """Bits per second."""


class BlockBus(Protocol):
    """Reads blocks of registers."""

    @property
    def port(self) -> PortSetting:
        """How the port is set."""

    def read_block(self, unit: int, fc: int, address: int, words: int, timing: Timing = ...) -> tuple[int, ...]:
        """The words at `address` (0-based) of a unit.  Raises BusError."""

    def distrust(self) -> None:
        """Keep silence before the next request: what was read does not fit what was asked."""
