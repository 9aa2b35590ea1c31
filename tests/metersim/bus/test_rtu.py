"""metersim.bus.rtu: frames against vectors from makers' documents (Eastron SDM120 V2.5; PZEM-004T, ESPHome)."""

import pytest

from metersim.bus import rtu

VECTORS = [
    "01 04 00 00 00 02 71 CB",
    "01 04 04 43 66 33 34 1B 38",
    "01 03 04 3F 80 00 00 F7 CF",
    "01 04 14 08 D1 00 6C 00 00 00 F4 00 00 00 26 00 00 01 F4 00 64 00 00 51 34",
]


@pytest.mark.parametrize("vector", VECTORS)
def test_a_frame_from_a_document_is_made_and_read(vector: str) -> None:
    adu = bytes.fromhex(vector)
    assert rtu.frame(adu[0], adu[1:-2]) == adu
    assert rtu.unframe(adu) == (adu[0], adu[1:-2])


def test_a_frame_with_a_wrong_bit_is_no_frame() -> None:
    adu = bytearray.fromhex(VECTORS[0])
    adu[3] ^= 1
    assert rtu.unframe(bytes(adu)) is None


def test_a_frame_without_room_for_a_function_is_no_frame() -> None:
    assert rtu.unframe(b"\x01" + rtu.crc16(b"\x01")) is None
