"""Ports for what must be told its port: none is fixed, so that several suites can run on one machine."""

import socket
from contextlib import ExitStack

HOST = "127.0.0.1"


def free_port(neighbours: int = 0) -> int:
    """A port of loopback on which nobody listens, nor on the `neighbours` that follow it."""
    while True:
        with ExitStack() as stack:
            first = stack.enter_context(socket.socket())
            first.bind((HOST, 0))
            port: int = first.getsockname()[1]
            try:
                for each in range(port + 1, port + 1 + neighbours):
                    stack.enter_context(socket.socket()).bind((HOST, each))
            except (OSError, OverflowError):
                continue
            return port
