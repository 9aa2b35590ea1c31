"""Listening on a bus where others talk: bytes of a port, parted into frames by silence.  Nothing is ever sent."""

import threading
import time
from collections.abc import Callable

import serial

from meteredge.frame_log import FrameLog
from metersim.bus.line import Line
from metersim.stage.frames import told_apart

ADAPTER_GAP_S = 0.02
"""Adapters hand bytes over in heaps up to 16 ms apart; a shorter silence says nothing."""


def listen(
    port: str,
    line: Line,
    stopped: threading.Event,
    seconds: float | None = None,
    listening: Callable[[], None] = lambda: None,
) -> FrameLog:
    """Frames until `stopped` is set or `seconds` have passed; `listening` is called once the port is open.

    Raises serial.SerialException.
    """
    began, began_utc = time.monotonic(), time.time()
    pieces: list[tuple[float, bytes]] = []
    silence_s = max(line.t35_s, ADAPTER_GAP_S)
    with serial.Serial(
        port, line.baud, parity=line.character[1], stopbits=int(line.character[2]), timeout=silence_s
    ) as source:
        listening()
        frame = b""
        while not stopped.is_set() and (seconds is None or time.monotonic() - began < seconds):
            heard = source.read(1) + source.read(source.in_waiting)
            if heard:
                frame += heard
            elif frame:
                pieces.append((time.monotonic() - began - silence_s, frame))
                frame = b""
        if frame:
            pieces.append((time.monotonic() - began, frame))
    return FrameLog(line.baud, line.character, began_utc, tuple(told_apart(pieces, line.char_s)))
