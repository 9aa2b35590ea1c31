"""Modbus RTU frames as a meter sees them: unit, function and data, CRC (low byte first).

request of 3 and 4: unit 1, function 1, address 2, count 2, crc 2
reply:              unit 1, function 1, bytes 1, data n, crc 2
exception:          unit 1, function | 0x80 1, code 1, crc 2
"""

ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3
MIN_FRAME = 4


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_TABLE = _crc_table()


def crc16(data: bytes) -> bytes:
    """The two CRC bytes as they follow `data` on the wire (Modbus over Serial Line V1.02, 2.5.1.2)."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def frame(unit: int, pdu: bytes) -> bytes:
    """Address, PDU and CRC."""
    body = bytes([unit]) + pdu
    return body + crc16(body)


def unframe(adu: bytes) -> tuple[int, bytes] | None:
    """Unit and PDU of a frame; None if it is too short or its CRC is wrong, which a meter meets with silence."""
    if len(adu) < MIN_FRAME or crc16(adu[:-2]) != adu[-2:]:
        return None
    return adu[0], adu[1:-2]


def exception(function: int, code: int) -> bytes:
    """The PDU of an exception."""
    return bytes([function | 0x80, code])
