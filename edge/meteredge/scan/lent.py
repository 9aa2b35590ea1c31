"""The port of a running agent, borrowed for a scan: never around a slot's close, and always given back.

The agent lends it for two minutes at most and takes it back when the connection ends, however it ends.  A scan takes
longer, so before each question it is checked whether the loan still lasts; where not, the port is closed and returned,
the agent reads its meters and closes its slot, and the scan goes on with the next loan.
"""

from collections.abc import Callable
from typing import Any

from meteredge.clock import Clock
from meteredge.scan.plan import Setting
from meteredge.scan.search import OpenPort
from meteredge.socket_client import AgentBusy, AgentSocket
from meteredge.socket_protocol import MAX_LEND_S, Release, Resume

MARGIN_S = 6.0
"""A question, and its late answers, take less."""
AGENT_READS_S = 3.0
"""Between two loans the agent gets so long to look at its meters."""


class Loan:
    """The right to use the port, renewed as often as it takes.  `tell` hears why it takes long."""

    def __init__(self, agent: AgentSocket, clock: Clock, tell: Callable[[str], None]) -> None:
        self._agent = agent
        self._clock = clock
        self._tell = tell
        self._until: float | None = None

    @property
    def lasts(self) -> bool:
        """Whether there is time for one more question."""
        return self._until is not None and self._clock.monotonic() + MARGIN_S < self._until

    def borrow(self) -> None:
        """Wait for the agent to lend the port.  Raises AgentError, AgentBusy not among them."""
        while True:
            try:
                loan = self._agent.ask(Release(MAX_LEND_S))
            except AgentBusy as busy:
                self._tell(f"{busy} (in {busy.wait_s:.0f} s)")
                self._clock.sleep(max(busy.wait_s, 0.5))
                continue
            self._until = self._clock.monotonic() + loan.seconds
            if self.lasts:
                return
            self.give_back()
            self._clock.sleep(MARGIN_S)

    def give_back(self) -> None:
        """Return it.  Raises AgentError; the agent takes it back by itself all the same."""
        self._until = None
        self._agent.ask(Resume())


class LentPort:
    """A port as `serial.Serial` has it, opened while the loan lasts and opened again in the next one."""

    def __init__(self, loan: Loan, open_port: OpenPort, setting: Setting, clock: Clock) -> None:
        self._loan = loan
        self._open_port = open_port
        self._setting = setting
        self._clock = clock
        self._port: Any = None
        self._take()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Everything else is the port's own."""
        return getattr(self._port, name)

    @property
    def timeout(self) -> float | None:
        """Seconds that `read` waits."""
        timeout: float | None = self._port.timeout
        return timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._port.timeout = seconds

    def write(self, data: bytes) -> int:
        """Send a question, in the next loan if this one is about to end.  Raises BusError, AgentError."""
        if not self._loan.lasts:
            timeout = self.timeout
            self._port.close()
            self._loan.give_back()
            self._clock.sleep(AGENT_READS_S)
            self._take()
            self.timeout = timeout
        written: int = self._port.write(data)
        return written

    def close(self) -> None:
        """Close it; the loan goes on."""
        self._port.close()

    def _take(self) -> None:
        if not self._loan.lasts:
            self._loan.borrow()
        self._port = self._open_port(self._setting)


def lent_ports(agent: AgentSocket, open_port: OpenPort, clock: Clock, tell: Callable[[str], None]) -> OpenPort:
    """Opens the port through `open_port`, borrowed from `agent`."""
    loan = Loan(agent, clock, tell)

    def open_lent(setting: Setting) -> LentPort:
        return LentPort(loan, open_port, setting, clock)

    return open_lent
