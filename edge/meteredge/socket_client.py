"""Asking the running agent: the port has one owner, and the tools read through it.

    with AgentSocket(config.socket_path) as agent:
        agent.ask(Status())["meters"]
        agent.ask(Read(unit=1, fc=4, address=0, words=2))   → (17254, 13107)
        loan = agent.ask(Release(seconds=60))               # until the `with` ends at the latest

What the agent refuses is raised as the error that it is: a bus's own errors (`NoReply`, `DeviceException`, …) as if the
bus were ours, the others as AgentError.
"""

import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from meteredge import bus_errors
from meteredge.bus import Timing
from meteredge.bus_errors import BusError, CorruptReply, DeviceException
from meteredge.socket_protocol import (
    BadRequest,
    OtherVersion,
    Question,
    Read,
    Refusal,
    decode_reply,
    encode_request,
)

ANSWER_WITHIN_S = 20.0
"""A busy bus makes an asker wait: for a noisy line to get quiet, and for the others."""
MAX_REPLY_BYTES = 16_000_000
R = TypeVar("R")
_BUS_ERRORS: Mapping[str, type[BusError]] = {
    found.kind: found for found in vars(bus_errors).values() if isinstance(found, type) and issubclass(found, BusError)
}
_USUAL = Timing()


class AgentError(Exception):
    """The agent cannot or will not answer; the message has the fact and the next step."""


class AgentAbsent(AgentError):
    """No agent runs behind this socket, or it went away."""


class AgentDenied(AgentError):
    """The operating system does not let this user talk to the agent."""


class AgentBusy(AgentError):
    """Not now; `wait_s` says when to ask again."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class AgentRefuses(AgentError):
    """The request is none that the agent answers: a fault of the asker, or of another version."""


class AgentSocket:
    """A connection to the agent behind the socket at `path`; made at the first question, closed with the `with`."""

    def __init__(self, path: Path, timeout_s: float = ANSWER_WITHIN_S) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._connection: socket.socket | None = None
        self._pending = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, question: Question[R]) -> R:
        """The agent's answer.

        Raises AgentAbsent, AgentDenied, AgentBusy, AgentRefuses, and for Read what a bus raises (BusError).
        """
        try:
            answer = decode_reply(self._exchange(encode_request(question)))
            if isinstance(answer, Refusal):
                raise _error_of(answer)
            return question.reply(answer)
        except (BadRequest, LookupError, TypeError, ValueError) as error:
            self.close()
            raise AgentRefuses(
                f"{self._path}: the answer to `{question.ask}` cannot be understood ({error}); "
                "is this the command of the same installation as the agent?"
            ) from error
        except OtherVersion as error:
            self.close()
            raise AgentRefuses(f"{self._path}: {error}; use the command of the same installation") from error

    def close(self) -> None:
        """Hang up; a port that was lent goes back to the agent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._pending = b""

    def _exchange(self, line: bytes) -> bytes:
        connection = self._connection or self._connect()
        try:
            connection.sendall(line)
            while b"\n" not in self._pending:
                chunk = connection.recv(65_536)
                if not chunk:
                    raise ConnectionResetError("it hung up")
                self._pending += chunk
                if len(self._pending) > MAX_REPLY_BYTES:
                    raise ConnectionError("its answer has no end")
        except TimeoutError as error:
            self.close()
            raise AgentAbsent(
                f"{self._path}: the agent does not answer within {self._timeout_s:g} s; see its log: journalctl -u "
                "meterbridge-agent"
            ) from error
        except OSError as error:
            self.close()
            raise AgentAbsent(f"{self._path}: the agent went away ({error}); see its log, and ask again") from error
        answer, _, self._pending = self._pending.partition(b"\n")
        return answer

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._timeout_s)
        try:
            connection.connect(str(self._path))
        except PermissionError as error:
            connection.close()
            raise AgentDenied(
                f"{self._path}: no permission to talk to the agent; add the user to the agent's group and log in again"
            ) from error
        except OSError as error:
            connection.close()
            raise AgentAbsent(
                f"no agent runs behind {self._path} ({error.strerror or error}); start it: systemctl start "
                "meterbridge-agent, or `meterbridge agent run`"
            ) from error
        self._connection = connection
        return connection


class SharedBus:
    """The agent's bus, for whoever reads blocks: `read_block` as `bus.Bus` has it, over the agent's socket."""

    def __init__(self, agent: AgentSocket) -> None:
        self._agent = agent

    def read_block(self, unit: int, fc: int, address: int, words: int, timing: Timing = _USUAL) -> tuple[int, ...]:
        """The words at `address` of a unit.  Raises BusError as a bus does, and AgentError."""
        return self._agent.ask(Read(unit, fc, address, words, timing.response_s, timing.gap_s))


def _error_of(refusal: Refusal) -> AgentError | BusError:
    if refusal.kind == "busy":
        return AgentBusy(f"{refusal.fact}; {refusal.next_step}", refusal.wait_s or 0.0)
    kind = _BUS_ERRORS.get(refusal.kind)
    if kind is None:
        return AgentRefuses(f"{refusal.fact}; {refusal.next_step}")
    if issubclass(kind, CorruptReply):
        return kind(refusal.fact, refusal.next_step, refusal.raw)
    if issubclass(kind, DeviceException):
        return kind(refusal.fact, refusal.next_step, refusal.code or 0)
    return kind(refusal.fact, refusal.next_step)
