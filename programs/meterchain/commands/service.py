"""What a command that runs for years begins with: its log, its `/metrics`, its way out."""

import logging
import signal
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

Listen: TypeAlias = Annotated[str | None, typer.Option("--listen", metavar="HOST:PORT", help="Serve /metrics there.")]


def service_log(name: str) -> logging.Logger:
    """Lines on stderr; systemd and people add or read the time."""
    log = logging.getLogger(name)
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
    return log


def stop_by_signal(stack: ExitStack) -> threading.Event:
    """Set by SIGTERM or Ctrl-C, as long as `stack` lasts."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        stack.callback(signal.signal, number, signal.signal(number, lambda _number, _frame: stopped.set()))
    return stopped


def require_prometheus() -> None:
    """Raises typer.BadParameter where prometheus-client is not installed."""
    try:
        import prometheus_client  # noqa: F401
    except ModuleNotFoundError:
        raise typer.BadParameter("--listen needs prometheus-client: pip install 'meterbridge[keeper]'") from None


def serve_metrics(stack: ExitStack, listen: str, registry: "CollectorRegistry") -> None:
    """Serve `registry` at HOST:PORT in a thread, as long as `stack` lasts.  Raises typer.BadParameter."""
    from prometheus_client import start_http_server

    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit():
        raise typer.BadParameter(f"--listen {listen!r}: write HOST:PORT, for example 127.0.0.1:9465")
    try:
        server, thread = start_http_server(int(port), addr=host.strip("[]"), registry=registry)
    except OSError as error:
        raise typer.BadParameter(f"--listen {listen}: {error.strerror}; choose another port") from None
    stack.callback(thread.join)
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
