"""What a receiver counted: Linux's structure, ports that count by themselves, ports that do not."""

import fcntl
import os
import struct

import pytest

from meteredge.line_errors import TIOCGICOUNT, LineErrors, line_errors


class Device:
    """An open port, as far as counting goes."""

    fd = 7


def test_linux_counts_are_read_from_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(descriptor: int, request: int, _buffer: bytes) -> bytes:
        asked.append((descriptor, request))
        return struct.pack("20i", *range(20))

    monkeypatch.setattr(fcntl, "ioctl", answer)
    assert line_errors(Device()) == LineErrors(framing=6 + 9, parity=8, overrun=7)
    assert asked == [(7, TIOCGICOUNT)]


def test_a_pseudo_terminal_counts_nothing() -> None:
    ours, theirs = os.openpty()
    try:
        port = Device()
        port.fd = theirs
        assert line_errors(port) is None
    finally:
        os.close(ours)
        os.close(theirs)


def test_differences_tell() -> None:
    assert LineErrors(5, 1, 0).since(LineErrors(2, 1, 0)) == LineErrors(3, 0, 0)
