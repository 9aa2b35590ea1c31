"""The running agent's bus as a reader wants it: waits its turn while a slot is closed, and says so."""

from collections.abc import Callable
from dataclasses import dataclass

from meteredge.bus import Timing
from meteredge.clock import Clock
from meteredge.socket_client import AgentBusy, AgentSocket, SharedBus

PATIENCE_S = 150.0
"""A close window lasts 115 s at most."""
_USUAL = Timing()


@dataclass(frozen=True)
class AgentPort:
    """How the agent's port is set."""

    baudrate: int
    framing: str = "8N1"


class AgentBus:
    """`tell` hears why it takes long.  Methods raise BusError and AgentError."""

    def __init__(self, agent: AgentSocket, port: AgentPort, clock: Clock, tell: Callable[[str], None]) -> None:
        self.port = port
        self._bus = SharedBus(agent)
        self._clock = clock
        self._tell = tell

    def read_block(self, unit: int, fc: int, address: int, words: int, timing: Timing = _USUAL) -> tuple[int, ...]:
        """The words at `address` of a unit.  Raises AgentBusy after PATIENCE_S."""
        give_up = self._clock.monotonic() + PATIENCE_S
        while True:
            try:
                return self._bus.read_block(unit, fc, address, words, timing)
            except AgentBusy as busy:
                if self._clock.monotonic() + busy.wait_s > give_up:
                    raise
                self._tell(str(busy))
                self._clock.sleep(busy.wait_s)

    def distrust(self) -> None:
        """Nothing to do: the agent's bus guards itself."""
