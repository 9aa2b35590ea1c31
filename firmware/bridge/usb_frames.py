"""Bytes from USB become whole requests with a right CRC.

USB knows no silence of 3.5 characters: a frame arrives in one packet or in a few, and the host may dawdle between them.
So the length comes from the function code; for functions whose length is unknown a pause ends the frame.
"""

from bridge.rtu import crc16, is_right, request_length, since

PAUSE_US = 20_000
"""A frame that does not go on within this time never will; it also ends frames of unknown length."""
MAX_FRAME = 256


class UsbFrames:
    """Collects what `port.read()` gives; `counters.usb_errors` counts what never became a frame."""

    def __init__(self, port, counters, clock) -> None:
        self._port = port
        self._clock = clock
        self._counters = counters
        self._data = bytearray()
        self._at = 0

    @property
    def waiting(self) -> bool:
        """Whether a part of a frame is there, so that time matters."""
        return len(self._data) > 0

    def listen(self) -> bool:
        """Take in what has arrived; whether a frame has begun that nobody has taken yet."""
        data = self._port.read()
        if data:
            self._at = self._clock()
            self._data += data
        return len(self._data) > 0

    def take(self) -> list:
        """The requests that are complete by now, oldest first."""
        frames = []
        now = self._clock()
        size = len(self._data)
        if self.listen() and len(self._data) == size and since(now, self._at) >= PAUSE_US:
            if request_length(self._data) < 0 and is_right(self._data, size):
                frames.append(bytes(self._data))
            else:
                self._counters.usb_errors += 1
            self._data = bytearray()
        while self._data:
            length = request_length(self._data)
            if length > MAX_FRAME or len(self._data) > MAX_FRAME:
                self._refuse()
            elif length <= 0 or len(self._data) < length:
                break
            elif crc16(self._data, length):
                self._refuse()
            else:
                frames.append(bytes(self._data[:length]))
                self._data = self._data[length:]
        return frames

    def _refuse(self) -> None:
        self._counters.usb_errors += 1
        self._data = bytearray()
