"""Modbus RTU: check sums, lengths, and the times of a serial line.

A frame is unit 1, function 1, data n, crc 2 (low byte first).  Times are microseconds, modulo 2^30: that is what every
MicroPython has, and a difference stays right for 17 minutes.
"""

TICKS_MASK = 0x3FFFFFFF
MIN_FRAME = 4
EXCEPTION_BYTES = 5

READ_HOLDING = 3
READ_INPUT = 4
WRITE_ONE = 6
WRITE_SEVERAL = 16
READ_FILE = 0x14
ENCAPSULATED = 0x2B
READ_DEVICE_ID = 0x0E

ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3
DEVICE_FAILURE = 4

FORMATS = ((None, 1), (0, 1), (1, 1), (None, 2))
"""Parity (None, 0 even, 1 odd) and stop bits of 8N1, 8E1, 8O1 and 8N2."""
BAUDS = (1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 57_600, 115_200)

_FIXED_T35_ABOVE_BAUD = 19_200
_FIXED_T35_US = 1_750


def _table() -> list:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return table


_TABLE = tuple(_table())


def crc16(data: bytes | bytearray, length: int) -> int:
    """CRC-16/MODBUS of the first `length` bytes; 0 over a frame that ends with its right CRC."""
    crc = 0xFFFF
    for i in range(length):
        crc = (crc >> 8) ^ _TABLE[(crc ^ data[i]) & 0xFF]
    return crc


def is_right(data: bytes | bytearray, length: int) -> bool:
    """Whether the first `length` bytes are a frame with a right CRC."""
    return MIN_FRAME <= length <= len(data) and crc16(data, length) == 0


def with_crc(body: bytes) -> bytes:
    """The frame of unit, function and data."""
    crc = crc16(body, len(body))
    return body + bytes((crc & 0xFF, crc >> 8))


def request_length(data: bytes | bytearray) -> int:
    """The length of the request that `data` begins with: 0 not known yet, -1 only silence ends it."""
    if len(data) < 2:
        return 0
    function = data[1]
    if function in (1, 2, READ_HOLDING, READ_INPUT, 5, WRITE_ONE, 8):
        return 8
    if function in (7, 11, 12, 17):
        return 4
    if function in (15, WRITE_SEVERAL):
        return 9 + data[6] if len(data) > 6 else 0
    if function == READ_FILE:
        return 5 + data[2] if len(data) > 2 else 0
    if function == ENCAPSULATED:
        if len(data) < 3:
            return 0
        return 7 if data[2] == READ_DEVICE_ID else -1
    return -1


def reply_length(request: bytes) -> int:
    """The length of a full reply to `request`; 0 if only silence ends it."""
    function = request[1]
    if function in (READ_HOLDING, READ_INPUT):
        return 5 + 2 * (request[4] << 8 | request[5])
    if function in (1, 2):
        return 5 + ((request[4] << 8 | request[5]) + 7) // 8
    if function in (5, WRITE_ONE, 8, 15, WRITE_SEVERAL):
        return 8
    return 0


def told_length(reply: bytes | bytearray) -> int:
    """The length that a reply of functions 0x14 and 0x2B says of itself; 0 not known (yet)."""
    if len(reply) < 8:
        return 0
    if reply[1] == READ_FILE:
        return 5 + reply[2]
    if reply[1] != ENCAPSULATED or reply[2] != READ_DEVICE_ID:
        return 0
    at = 8
    for _ in range(reply[7]):
        if at + 1 >= len(reply):
            return 0
        at += 2 + reply[at + 1]
    return at + 2


def character_us(baud: int, line_format: int) -> int:
    """Microseconds of one character: 10 bits, 11 with parity or a second stop bit; rounded up."""
    bits = 10 if line_format == 0 else 11
    return (bits * 1_000_000 + baud - 1) // baud


def silence_us(baud: int, line_format: int) -> int:
    """t3.5: the silence that parts two frames (Modbus over Serial Line V1.02, 2.5.1.1)."""
    if baud > _FIXED_T35_ABOVE_BAUD:
        return _FIXED_T35_US
    return (7 * character_us(baud, line_format) + 1) // 2


def since(now: int, then: int) -> int:
    """Microseconds from `then` to `now`."""
    return (now - then) & TICKS_MASK
