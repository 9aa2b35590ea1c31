"""JSON-RPC 2.0 over HTTP(S) by the standard library: one question, one answer, a time limit for both together.

A connection is kept and used again; one that the server has closed meanwhile is noticed before it is used.
Nothing is asked twice behind the caller's back.  What was asked cannot be told from an error's text: URLs hold keys.
"""

import json
import os
import select
import ssl
import threading
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import monotonic
from typing import Any
from urllib.parse import SplitResult, urlsplit

LARGEST_BYTES = 256 * 1024 * 1024
"""An answer that is longer is none: all accounts of a program are the largest thing that is ever asked for."""
_CHUNK = 65_536
_OK, _TOO_MANY, _UNAVAILABLE = 200, 429, 503


class NoAnswer(Exception):
    """Nothing came, or an HTTP status that is no answer; the message is the cause's name."""


class ComeLater(NoAnswer):
    """HTTP 429, or 503 with Retry-After: the RPC is there, and has no time for us now."""

    def __init__(self, status: int, after_s: float | None) -> None:
        """`after_s`: for how long it wants no more questions; None if it does not say."""
        super().__init__(f"HTTP {status}")
        self.after_s = after_s


class NotJsonRpc(Exception):
    """Something came that is no answer of JSON-RPC."""


class RpcFailure(Exception):
    """The RPC answered with an error."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(f"{message} ({code})")
        self.code, self.message, self.data = code, message, data


class JsonRpc:
    """The RPC at `url`.  Any thread may ask; each question has a connection of its own while it lasts."""

    def __init__(self, url: str, timeout_s: float) -> None:
        """`timeout_s` bounds a question with its answer; the certificates that are trusted are the host's."""
        parts = urlsplit(url)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._parts = parts
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._proxy = _proxy_for(parts)
        self._idle: list[HTTPConnection] = []
        self._lock = threading.Lock()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def ask(self, method: str, parameters: list[Any]) -> Any:  # noqa: ANN401  (whatever JSON holds)
        """The result.  Raises NoAnswer, NotJsonRpc, RpcFailure."""
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        try:
            answer = json.loads(self._post(json.dumps(question).encode()))
        except ValueError as error:
            raise NotJsonRpc("no JSON") from error
        if not isinstance(answer, dict):
            raise NotJsonRpc("no object")
        failure = answer.get("error")
        if isinstance(failure, dict) and isinstance(failure.get("code"), int):
            raise RpcFailure(failure["code"], str(failure.get("message", "")), failure.get("data"))
        if failure is not None or "result" not in answer:
            raise NotJsonRpc("neither a result nor an error with a code")
        return answer["result"]

    def close(self) -> None:
        """Close what is idle; a connection in use closes when its question is done."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _post(self, body: bytes) -> bytes:
        connection = self._connection()
        try:
            answer = self._exchange(connection, body, monotonic() + self._timeout_s)
        except (OSError, HTTPException) as error:
            connection.close()
            raise NoAnswer("Timeout" if isinstance(error, TimeoutError) else type(error).__name__) from error
        except NoAnswer:
            connection.close()
            raise
        with self._lock:
            keep = not self._closed and connection.sock is not None
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()
        return answer

    def _exchange(self, connection: HTTPConnection, body: bytes, deadline: float) -> bytes:
        """Each step may take what is left of the time: a server that drips is cut off like one that hangs."""
        connection.timeout = _left(deadline)
        if connection.sock is None:
            connection.connect()
        line = connection.sock
        line.settimeout(_left(deadline))
        connection.request("POST", self._target, body, {"Content-Type": "application/json"})
        line.settimeout(_left(deadline))
        with connection.getresponse() as response:
            answer = bytearray()
            while chunk := response.read1(_CHUNK):
                answer += chunk
                if len(answer) > LARGEST_BYTES:
                    raise NoAnswer("an answer without end")
                line.settimeout(_left(deadline))
            if response.length:
                raise NoAnswer("an answer that breaks off")
            after_s = _retry_after(response.headers)
            if response.status == _TOO_MANY or (response.status == _UNAVAILABLE and after_s is not None):
                raise ComeLater(response.status, after_s)
            if response.status != _OK:
                raise NoAnswer(f"HTTP {response.status}")
        return bytes(answer)

    def _connection(self) -> HTTPConnection:
        """One that is idle and still open, or a new one."""
        with self._lock:
            while self._idle:
                known = self._idle.pop()
                if not _has_something(known):
                    return known
                known.close()
        host, port = self._parts.hostname or "", self._parts.port
        if self._proxy is None:
            return self._new(host, port)
        connection = self._new(self._proxy.hostname or "", self._proxy.port)
        connection.set_tunnel(host, port or (443 if self._tls else 80))
        return connection

    def _new(self, host: str, port: int | None) -> HTTPConnection:
        return HTTPSConnection(host, port, context=self._tls) if self._tls else HTTPConnection(host, port)


def _left(deadline: float) -> float:
    """Seconds until then.  Raises TimeoutError if it has passed."""
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _retry_after(headers: Message) -> float | None:
    """Seconds; a date is told by the server's own clock."""
    said = str(headers.get("Retry-After", "")).strip()
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        until, now = parsedate_to_datetime(said), parsedate_to_datetime(str(headers.get("Date", "")))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _has_something(idle: HTTPConnection) -> bool:
    """Nobody asked on it: what it has to say is that it is closed."""
    poll = select.poll()
    poll.register(idle.sock, select.POLLIN)
    return bool(poll.poll(0))


def _proxy_for(target: SplitResult) -> SplitResult | None:
    """The proxy that the environment names for this target (HTTPS_PROXY, NO_PROXY …), as everywhere else."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    url = proxies.get(target.scheme) or proxies.get("all")
    if not url or proxy_bypass(target.hostname or ""):
        return None
    return urlsplit(url if "://" in url else f"http://{url}")
