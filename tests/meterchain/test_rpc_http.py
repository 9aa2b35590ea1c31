"""What carries questions to an RPC: connections that are kept, cut off in time, verified, and go through a proxy."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from meterchain.rpc_http import ComeLater, JsonRpc, NoAnswer, NotJsonRpc, RpcFailure

Talk = Callable[[socket.socket], None]
ASKED_S = 5.0


def heard(line: socket.socket) -> bytes:
    """One whole request, head and body; empty if the client has left."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := line.recv(65_536)):
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [row.split(b":")[1] for row in head.split(b"\r\n") if row.lower().startswith(b"content-length")]
    while lengths and len(body) < int(lengths[0]):
        body += line.recv(65_536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def result(value: object) -> bytes:
    return answer(json.dumps({"jsonrpc": "2.0", "id": 1, "result": value}).encode())


@contextmanager
def server(*talks: Talk) -> Iterator[int]:
    """One connection after the other, each handled by its talk; the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for talk in talks:
                line, _ = listener.accept()
                with line:
                    talk(line)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(ASKED_S)
        assert not thread.is_alive(), "not every expected connection came"


@contextmanager
def rpc_at(port: int, timeout_s: float = ASKED_S, host: str = "127.0.0.1") -> Iterator[JsonRpc]:
    rpc = JsonRpc(f"http://{host}:{port}/path?key=1", timeout_s)
    yield rpc
    rpc.close()


def test_a_connection_is_kept_for_the_next_question() -> None:
    seen = []

    def twice(line: socket.socket) -> None:
        for value in (1, 2):
            seen.append(heard(line))
            line.sendall(result(value))

    with server(twice) as port, rpc_at(port) as rpc:
        assert [rpc.ask("getSlot", []), rpc.ask("getSlot", [{"a": 1}])] == [1, 2]
    assert seen[0].startswith(b"POST /path?key=1 HTTP/1.1")
    assert json.loads(seen[1].partition(b"\r\n\r\n")[2])["params"] == [{"a": 1}]


def test_a_connection_that_the_server_closed_meanwhile_is_replaced_and_nothing_is_asked_twice() -> None:
    left = threading.Event()
    seen = []

    def once(line: socket.socket) -> None:
        seen.append(heard(line))
        line.sendall(result(len(seen)))
        line.shutdown(socket.SHUT_RDWR)
        left.set()

    with server(once, once) as port, rpc_at(port) as rpc:
        assert rpc.ask("getSlot", []) == 1
        assert left.wait(ASKED_S)
        assert rpc.ask("getSlot", []) == 2
    assert len(seen) == 2


def test_a_server_that_breaks_off_in_the_middle_has_not_answered() -> None:
    def breaks(line: socket.socket) -> None:
        heard(line)
        line.sendall(result("long enough")[:-4])

    with server(breaks) as port, rpc_at(port) as rpc, pytest.raises(NoAnswer):
        rpc.ask("getSlot", [])


def test_a_server_that_drips_is_cut_off_like_one_that_hangs() -> None:
    leave = threading.Event()

    def drips(line: socket.socket) -> None:
        heard(line)
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not leave.wait(0.01):
            try:
                line.sendall(b" ")
            except OSError:
                return

    with server(drips) as port, rpc_at(port, 0.2) as rpc:
        with pytest.raises(NoAnswer, match="Timeout"):
            rpc.ask("getSlot", [])
        leave.set()


def test_an_answer_in_chunks_is_whole() -> None:
    def chunks(line: socket.socket) -> None:
        heard(line)
        line.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        body = json.dumps({"result": "x" * 1_000}).encode()
        for part in (body[:7], body[7:]):
            line.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        line.sendall(b"0\r\n\r\n")

    with server(chunks) as port, rpc_at(port) as rpc:
        assert rpc.ask("getSlot", []) == "x" * 1_000


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (answer(b"busy", "503 Service Unavailable"), NoAnswer),
        (answer(b"[]"), NotJsonRpc),
        (answer(b"{}"), NotJsonRpc),
        (answer(b"\xff"), NotJsonRpc),
        (answer(b'{"error": "no"}'), NotJsonRpc),
        (answer(b'{"error": {"code": -1, "message": "no"}}'), RpcFailure),
        (b"hello\r\n\r\n", NoAnswer),
    ],
)
def test_what_is_no_answer_is_told_apart(said: bytes, kind: type[Exception]) -> None:
    def says(line: socket.socket) -> None:
        heard(line)
        line.sendall(said)

    with server(says) as port, rpc_at(port) as rpc, pytest.raises(kind):
        rpc.ask("getSlot", [])


DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"


@pytest.mark.parametrize(
    ("said", "after_s"),
    [
        (b"Retry-After: 7\r\n", 7.0),
        (b"Retry-After: 0\r\n", 0.0),
        (DATE + b"Retry-After: Sun, 06 Nov 1994 08:50:07 GMT\r\n", 30.0),
        (DATE + b"Retry-After: Sun, 06 Nov 1994 08:49:07 GMT\r\n", 0.0),
        (b"Retry-After: Sun, 06 Nov 1994 08:50:07 GMT\r\n", None),
        (DATE + b"Retry-After: Sun, 06 Nov 1994 08:50:07 -0000\r\n", None),
        (b"Retry-After: -1\r\n", None),
        (b"Retry-After: soon\r\n", None),
        (b"", None),
    ],
)
def test_a_server_without_time_says_when_to_come_again_in_seconds_or_by_its_own_clock(
    said: bytes, after_s: float | None
) -> None:
    def refuses(line: socket.socket) -> None:
        heard(line)
        line.sendall(b"HTTP/1.1 429 Too Many Requests\r\n" + said + b"Content-Length: 0\r\n\r\n")

    with server(refuses) as port, rpc_at(port) as rpc, pytest.raises(ComeLater, match="HTTP 429") as refused:
        rpc.ask("getSlot", [])
    assert refused.value.after_s == after_s


def test_a_proxy_of_the_environment_is_used_unless_the_host_is_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def proxy(line: socket.socket) -> None:
        seen.append(heard(line).split(b"\r\n")[0])
        line.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        heard(line)
        line.sendall(result("through"))

    def direct(line: socket.socket) -> None:
        heard(line)
        line.sendall(result("direct"))

    with server(proxy, direct) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        with rpc_at(8_899, host="rpc.example.org") as rpc:
            assert rpc.ask("getSlot", []) == "through"
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with rpc_at(port) as rpc:
            assert rpc.ask("getSlot", []) == "direct"
    assert seen[0].startswith(b"CONNECT rpc.example.org:8899 ")


@pytest.mark.ci
def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.bench.tls import tls_in_front_of

    def says(line: socket.socket) -> None:
        heard(line)
        line.sendall(result("over TLS"))

    with server(says) as port, tls_in_front_of(("127.0.0.1", port), tmp_path) as tls:
        rpc = JsonRpc(f"https://localhost:{tls.port}", ASKED_S)
        with pytest.raises(NoAnswer, match="SSLCertVerificationError"):
            rpc.ask("getSlot", [])
        rpc.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(tls.trusted))
        rpc = JsonRpc(f"https://localhost:{tls.port}", ASKED_S)
        assert rpc.ask("getSlot", []) == "over TLS"
        rpc.close()
