"""The agent's end of its socket: a few clients at a time, none of which can harm the agent or wait for long.

A thread that accepts, and one for each client: 8 at a time, requests of at most 1,024 bytes, 60 s between them, 5 s for
a request to be whole and 5 s to take the answer (in the host's own time).  Whatever a client sends, it gets an answer
or is hung up on.

The socket appears under its name with its mode (0660) already set.  A lock beside it says whose it is: a file that a
dead agent left behind is replaced, a living agent's is not.
"""

import fcntl
import logging
import os
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from meteredge.socket_protocol import (
    MAX_REQUEST_BYTES,
    BadRequest,
    OtherVersion,
    Refusal,
    Request,
    decode_request,
    encode_ok,
    encode_refusal,
)

MODE = 0o660
MAX_CLIENTS = 8
IDLE_S = 60.0
"""A client that says nothing for so long is hung up on; one that borrowed the port says nothing while it uses it."""
IDLE_WITH_LOAN_S = 130.0
LINE_WITHIN_S = 5.0
"""A request that has begun is whole by then."""
SEND_WITHIN_S = 5.0
ACCEPT_TICK_S = 0.5
PATH_BYTES = 104
"""What fits into a socket's address on every system."""

log = logging.getLogger("meterbridge")


class SocketUnusable(Exception):
    """The socket cannot be made where the configuration wants it."""


class AgentRunning(SocketUnusable):
    """Another agent has this socket."""


class Refused(Exception):
    """An answer that says no."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.fact)
        self.refusal = refusal


class Answers(Protocol):
    """Who knows the answers.  A client is told from the others by its number."""

    def answer(self, request: Request, client: int) -> Mapping[str, Any]:
        """What stands behind `ok`.  Raises Refused."""

    def has_loan(self, client: int) -> bool:
        """Whether the port is lent to this client."""

    def hung_up(self, client: int) -> None:
        """The client is gone."""


class SocketServer:
    """Answers at `path` until `close`."""

    def __init__(self, path: Path, answers: Answers) -> None:
        """Raises AgentRunning, SocketUnusable."""
        self._path = path
        self._answers = answers
        self._stop = threading.Event()
        self._seats = threading.Semaphore(MAX_CLIENTS)
        self._clients: dict[int, tuple[socket.socket, threading.Thread]] = {}
        self._guard = threading.Lock()
        self._number = 0
        if len(os.fsencode(path)) > PATH_BYTES:
            raise SocketUnusable(f"{path}: too long for a socket; name a shorter folder in [state] runtime")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock_file = _take(path)
        except OSError as error:
            raise SocketUnusable(_advice(path, error)) from error
        try:
            self._listener = _listen(path)
        except OSError as error:
            os.close(self._lock_file)
            raise SocketUnusable(_advice(path, error)) from error
        self._thread = threading.Thread(target=self._accept, name="socket", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hang up on everybody and take the socket away."""
        self._stop.set()
        with suppress(OSError), socket.socket(socket.AF_UNIX) as knock:  # wakes whoever accepts
            knock.settimeout(ACCEPT_TICK_S)
            knock.connect(str(self._path))
        with suppress(OSError):
            self._path.unlink()
        self._thread.join()
        self._listener.close()
        with self._guard:
            clients = list(self._clients.values())
        for connection, _ in clients:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for _, thread in clients:
            thread.join(SEND_WITHIN_S)
        os.close(self._lock_file)

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError as error:  # out of descriptors: the meters come first, try again later
                log.warning("socket: %s", error.strerror)
                self._stop.wait(ACCEPT_TICK_S)
                continue
            if self._stop.is_set():
                connection.close()
                return
            if not self._seats.acquire(blocking=False):
                _say(connection, encode_refusal(busy(f"{MAX_CLIENTS} others are talking to the agent", 5.0)))
                connection.close()
                continue
            self._number += 1
            thread = threading.Thread(
                target=self._serve, args=(connection, self._number), name=f"client {self._number}", daemon=True
            )
            with self._guard:
                self._clients[self._number] = connection, thread
            thread.start()

    def _serve(self, connection: socket.socket, client: int) -> None:
        try:
            with connection:
                self._talk(connection, client)
        except OSError:
            pass  # it hung up, fell silent or does not listen: its own affair
        finally:
            self._answers.hung_up(client)
            with self._guard:
                del self._clients[client]
            self._seats.release()

    def _talk(self, connection: socket.socket, client: int) -> None:
        pending = b""
        while not self._stop.is_set():
            patience_s = IDLE_WITH_LOAN_S if self._answers.has_loan(client) else IDLE_S
            deadline = monotonic() + (LINE_WITHIN_S if pending else patience_s)
            while b"\n" not in pending:
                if len(pending) > MAX_REQUEST_BYTES:
                    _say(connection, encode_refusal(_bad(f"a request has at most {MAX_REQUEST_BYTES} bytes")))
                    return
                connection.settimeout(max(0.001, deadline - monotonic()))
                chunk = connection.recv(MAX_REQUEST_BYTES)
                if not chunk:
                    return
                if not pending:
                    deadline = monotonic() + LINE_WITHIN_S
                pending += chunk
            line, _, pending = pending.partition(b"\n")
            if not _say(connection, self._answer(line, client)):
                return

    def _answer(self, line: bytes, client: int) -> bytes:
        try:
            return encode_ok(self._answers.answer(decode_request(line), client))
        except BadRequest as error:
            return encode_refusal(_bad(str(error)))
        except OtherVersion as error:
            return encode_refusal(Refusal("version", "the request is of another version", str(error)))
        except Refused as no:
            return encode_refusal(no.refusal)
        except Exception:
            # A fault of ours must cost this answer and nothing else; the log has the trace for whoever mends it.
            log.exception("socket: a request failed")
            return encode_refusal(Refusal("failed", "the agent failed to answer", "its log says why: report it"))


def busy(fact: str, wait_s: float) -> Refusal:
    """A refusal for now."""
    return Refusal("busy", fact, f"ask again in {wait_s:.0f} s", wait_s)


def _bad(fact: str) -> Refusal:
    return Refusal("bad_request", fact, "docs/agent.md has the requests that there are")


def _say(connection: socket.socket, line: bytes) -> bool:
    connection.settimeout(SEND_WITHIN_S)
    try:
        connection.sendall(line)
    except OSError:
        return False
    return True


def _take(path: Path) -> int:
    """The lock beside the socket.  Raises AgentRunning, OSError."""
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AgentRunning(
            f"{path}: another agent runs here; stop it first (systemctl stop meterbridge-agent), or give this one a "
            "[state] runtime of its own"
        ) from None
    return descriptor


def _listen(path: Path) -> socket.socket:
    """A listening socket that takes the place of whatever had its name.  Raises OSError."""
    draft = path.with_name(f".{path.name}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        draft.unlink(missing_ok=True)
        listener.bind(str(draft))
        draft.chmod(MODE)
        listener.listen(MAX_CLIENTS)
        listener.settimeout(ACCEPT_TICK_S)
        draft.replace(path)
    except OSError:
        listener.close()
        raise
    return listener


def _advice(path: Path, error: OSError) -> str:
    return f"{path}: {error.strerror}; name a folder that the agent may write to in [state] runtime"
