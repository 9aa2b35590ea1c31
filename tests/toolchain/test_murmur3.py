"""MurmurHash3, by published vectors and by hashes of system calls that every SBPF v3 program holds."""

import pytest

from toolchain.elf.murmur3 import murmur3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("hello", 0x248BFA47),
        ("hello, world", 0x149BBB7F),
        ("The quick brown fox jumps over the lazy dog", 0x2E4FF723),
        ("abort", 0xB6FC1A11),
        ("sol_log_", 0x207559BD),
        ("sol_panic_", 0x686093BB),
    ],
)
def test_the_hash_is_that_of_the_published_vectors(text: str, expected: int) -> None:
    assert murmur3(text.encode()) == expected
