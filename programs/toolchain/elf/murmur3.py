"""MurmurHash3 (x86, 32 bits, seed 0), by which SBPF v3 names its system calls."""

MASK = 0xFFFF_FFFF


def murmur3(data: bytes) -> int:
    """The 32-bit hash of `data` (Austin Appleby's MurmurHash3_x86_32)."""
    whole, h = len(data) & ~3, 0
    for i in range(0, whole, 4):
        h = (_rotate(h ^ _mix(int.from_bytes(data[i : i + 4], "little")), 13) * 5 + 0xE654_6B64) & MASK
    if whole < len(data):
        h ^= _mix(int.from_bytes(data[whole:], "little"))
    h ^= len(data)
    for shift, factor in ((16, 0x85EB_CA6B), (13, 0xC2B2_AE35), (16, 1)):
        h = (h ^ h >> shift) * factor & MASK
    return h


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & MASK


def _mix(word: int) -> int:
    return _rotate(word * 0xCC9E_2D51 & MASK, 15) * 0x1B87_3593 & MASK
