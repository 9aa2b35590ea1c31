"""The wire's side: one request at a time, and which bytes are its answer.

What a reply says about its question is unit, function and length, never the address.  So an answer goes to USB only
while its request is the newest that came from there, and after a request that nobody answered the wire is kept silent
until the answer can no longer come (`late_us`).  What comes after another master's frame is not believed either.  A
request that has to wait longer than HOLD_US is dropped: its master would give up in the middle of the answer.

An answer on its way through USB cannot be called back: a master that gives up meanwhile takes it for the answer to its
next question.  `patience_us` says until when after its question an answer may still be handed over; 0: always.

Whole frames go to USB: good ones when their last byte is there, damaged ones as they are when nothing more comes.  An
echo of our own request and zeros before a reply are taken off.  What nobody asked for is counted only.
"""

from bridge import rtu
from bridge.rtu import is_right, since

HOLD_US = 100_000
PATIENCE_US = 50_000
"""Added to t3.5 before an unfinished frame is given up: some meters and adapters stutter, and nobody waits for it."""
MAX_FRAME = 256
FOREIGN_REQUEST = 8
"""Bytes of a read that somebody else asks."""


class WireSide:
    """`port` has read(), send(frame), sending(); `clock()` is microseconds for `rtu.since`.

    `to_usb` takes bytes unless a newer request is there, and says whether it did.
    """

    def __init__(self, port, to_usb, counters, clock) -> None:
        self._port = port
        self._to_usb = to_usb
        self._counters = counters
        self._clock = clock
        self._data = bytearray()
        self._active_at = now = clock()
        """When the wire was last not silent."""
        self.sending = False
        """Bits of a request are leaving."""
        self._request = b""
        """What was sent and not answered; empty if nothing is to come."""
        self._wanted = False
        """The master still waits for that answer."""
        self._foreign = False
        """The request is another master's, overheard: its answer must not be taken for one of ours."""
        self._held = b""
        self._held_at = now
        self._echo = False
        self._collided = False
        self._doubt = False
        """Since the request went out something came that is no answer to it: noise, or another master's frame."""
        self._asked_at = now
        """When the question that is on the wire came from USB."""
        self.set_line(96, 0, 1_000, 0)

    def set_line(self, baud_hundreds: int, line_format: int, late_ms: int, patience_ms: int) -> None:
        """Speed, format, how late an answer may come, and how long its master certainly waits for it."""
        self._silence_us = rtu.silence_us(100 * baud_hundreds, line_format)
        self._late_us = 1_000 * late_ms
        self._patience_us = 1_000 * patience_ms

    @property
    def at_rest(self) -> bool:
        """Nothing is sent, waited for, held or half received."""
        return not (self.sending or self._request or self._held or self._data)

    def ask(self, frame: bytes) -> None:
        """Send `frame` as soon as the wire is free.  The answer to anything older is no longer wanted."""
        self.forget()
        self._held = frame
        self._held_at = self._clock()

    def forget(self) -> None:
        """The master asks for something else: whatever still comes from the wire is not for it."""
        self._wanted = False
        if self._held:
            self._counters.held_off += 1
            self._held = b""

    def step(self) -> int:
        """Do what is due; returns microseconds until something will be (-1: nothing), unless a byte comes first.

        The time is taken before the wire is looked at, and again after a byte: a step that was held up in between must
        not take its own delay for silence.
        """
        if self.sending and not self._port.sending():
            self.sending = False
            self._active_at = self._clock()
        now = self._clock()
        data = self._port.read()
        if data:
            self._active_at = now = self._clock()
            self._hear(data)
        silent = since(now, self._active_at)
        if self.sending:
            return 0
        if self._data and silent >= self._silence_us + PATIENCE_US:
            self._end_frame()
        if self._request and silent >= self._late_us:
            if not self._foreign:
                self._counters.no_reply += 1
            self._request = b""
        if self._held:
            return self._send_held(now, silent)
        if self._data:
            return self._silence_us + PATIENCE_US - silent
        return self._late_us - silent if self._request else -1

    def _send_held(self, now: int, silent: int) -> int:
        """Send if the wire is free; else how long to wait at most."""
        waited = since(now, self._held_at)
        if waited >= HOLD_US:
            # Looked at first: a loop that was held up must not send what nobody waits for any more.
            self._counters.held_off += 1
            self._held = b""
            return 0
        if not self._request and not self._data and silent >= self._silence_us:
            self._request, self._held = self._held, b""
            self._asked_at = self._held_at
            self._wanted = True
            self._collided = self._doubt = self._foreign = False
            self.sending = True
            self._counters.sent += 1
            self._port.send(self._request)
            if self._request[0] == 0:
                self._request = b""
            return 0
        if self._request:
            return min(HOLD_US - waited, max(0, self._late_us - silent))
        return max(0, self._silence_us - silent)

    def _hear(self, data: bytes | bytearray) -> None:
        """Bytes from the wire."""
        self._data += data
        if self.sending and not self._is_own(self._data):
            # Somebody else talks while we do.
            if not self._collided:
                self._collided = True
                self._counters.collisions += 1
            self._data = bytearray()
            return
        if self._request:
            self._without_echo()
            self._without_zeros()
            length = self._answer_length()
            if length:
                self._answer(length)
        if len(self._data) > MAX_FRAME:
            self._end_frame()

    def _is_own(self, data: bytes | bytearray) -> bool:
        """Whether `data` is the beginning of what we sent."""
        return bytes(data) == self._request[: len(data)]

    def _without_echo(self) -> None:
        """Take off the transceiver's copy of our request, unless it may be the reply, which for some writes is one."""
        size = len(self._request)
        if len(self._data) < size or not self._is_own(self._data[:size]):
            return
        reply_repeats = self._request[1] in (5, rtu.WRITE_ONE, 8)
        if reply_repeats and not (self._echo or self.sending or len(self._data) > size):
            return
        self._echo = True
        self._counters.echoes += 1
        self._data = self._data[size:]

    def _without_zeros(self) -> None:
        """Without bias a line that is let go reads as 0x00: taken off before a reply, which never begins so."""
        zeros = 0
        while zeros < len(self._data) and self._data[zeros] == 0:
            zeros += 1
        if zeros and self._request[0] and not self._doubt:
            self._counters.leading_zeros += zeros
            self._data = self._data[zeros:]

    def _answer_length(self) -> int:
        """How long the answer is that the received bytes begin with; 0 if they hold none yet."""
        data, request = self._data, self._request
        if len(data) < rtu.EXCEPTION_BYTES or data[0] != request[0]:
            return 0
        if data[1] == request[1] | 0x80:
            return rtu.EXCEPTION_BYTES if is_right(data, rtu.EXCEPTION_BYTES) else 0
        if data[1] != request[1]:
            return 0
        length = rtu.reply_length(request) or rtu.told_length(data)
        if not length or len(data) < length:
            return 0
        return length if is_right(data, length) else 0

    def _answer(self, length: int) -> None:
        """The first `length` bytes answer the request."""
        if self._wanted and not self._doubt and self._in_time() and self._to_usb(bytes(self._data[:length])):
            self._counters.replies += 1
        elif self._foreign:
            self._counters.unasked += 1
        else:
            self._counters.late += 1
        self._data = self._data[length:]
        if self._foreign and self._doubt:
            return  # two questions were open: the other's answer may still come
        self._request = b""
        self._wanted = False

    def _in_time(self) -> bool:
        """Whether the master certainly still waits."""
        return not self._patience_us or since(self._clock(), self._asked_at) < self._patience_us

    def _end_frame(self) -> None:
        """Silence, and the frame is not a whole answer."""
        data, self._data = bytes(self._data), bytearray()
        request = self._request
        if is_right(data, len(data)):
            if request and data[0] == request[0] and data[1] == request[1] and self._silence_ends_answer(data):
                self._data = bytearray(data)
                self._answer(len(data))
            else:
                self._overhear(data)
        elif len(data) > FOREIGN_REQUEST and is_right(data, FOREIGN_REQUEST):
            self._overhear(data)
        else:
            self._counters.crc_errors += 1
            self._doubt = True
            if self._wanted and self._in_time():
                self._to_usb(data)
            if request and len(data) == rtu.reply_length(request):
                # Damaged, but this was it: nothing more is to come.
                self._request = b""
                self._wanted = False

    def _overhear(self, data: bytes) -> None:
        """Another master's frame; if it begins with a question, the wire is kept silent until the answer has come."""
        self._counters.unasked += 1
        alone = not self._request
        self._doubt = not alone
        if len(data) < FOREIGN_REQUEST or not is_right(data, FOREIGN_REQUEST):
            return
        if alone and is_right(data[FOREIGN_REQUEST:], len(data) - FOREIGN_REQUEST):
            return  # the answer came so soon that both look like one frame
        self._request = data[:FOREIGN_REQUEST]
        self._wanted = False
        self._foreign = True

    def _silence_ends_answer(self, data: bytes | bytearray) -> bool:
        """Whether only silence can end the answer, or this is a reply to a write that looked like its echo."""
        return rtu.reply_length(self._request) in (0, len(data))
