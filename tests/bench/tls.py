"""A TLS endpoint on this machine in front of a plain one, with a certificate of its own: HTTPS without a network."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

CHUNK = 65_536


@dataclass(slots=True)
class Endpoint:
    """Where it listens on `localhost`, what a client must trust (the host's authorities, too), how many came."""

    port: int
    trusted: Path
    handshakes: int = 0
    threads: list[threading.Thread] = field(default_factory=list)


@contextmanager
def tls_in_front_of(upstream: tuple[str, int], folder: Path) -> Iterator[Endpoint]:
    """Serve TLS on a free port until the block ends.  Needs `openssl` to make the certificate."""
    certificate, key, trusted = folder / "tls.pem", folder / "tls.key", folder / "trusted.pem"
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    words = ["openssl", *made.split(), "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*words, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    of_the_host = ssl.get_default_verify_paths().cafile
    trusted.write_text((Path(of_the_host).read_text() if of_the_host else "") + certificate.read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = Endpoint(listener.getsockname()[1], trusted)
        serving = threading.Thread(target=_serve, args=(listener, context, upstream, endpoint), daemon=True)
        serving.start()
        try:
            yield endpoint
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            serving.join()
            for thread in endpoint.threads:
                thread.join()


def _serve(listener: socket.socket, context: ssl.SSLContext, upstream: tuple[str, int], endpoint: Endpoint) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:  # closed: the end
            return
        thread = threading.Thread(target=_carry, args=(plain, context, upstream, endpoint), daemon=True)
        thread.start()
        endpoint.threads.append(thread)


def _carry(plain: socket.socket, context: ssl.SSLContext, upstream: tuple[str, int], endpoint: Endpoint) -> None:
    """One connection: requests one way in a thread, answers the other way here."""
    with plain, suppress(OSError):
        client = context.wrap_socket(plain, server_side=True)
        endpoint.handshakes += 1
        with client, socket.create_connection(upstream) as server:
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    for side in (source, target):
        with suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
