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

    def __init__(
        self,
        agent: AgentSocket,
        port: AgentPort,
        clock: Clock,
        tell: Callable[[str], None],
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`patience_s`: how long a question waits for its turn at most."""
        self.port = port
        self._bus = SharedBus(agent)
        self._clock = clock
        self._tell = tell
        self._patience_s = patience_s

    def read_block(self, unit: int, fc: int, address: int, words: int, timing: Timing = _USUAL) -> tuple[int, ...]:
        """The words at `address` of a unit.  Raises AgentBusy where patience ends."""
        give_up = self._clock.monotonic() + self._patience_s
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
