"""The executable for SBPF v3: no sections, system calls by their hash."""

import struct
from collections.abc import Callable

from toolchain.elf.link_v3 import TEXT_ADDRESS, link_v3
from toolchain.elf.murmur3 import murmur3
from toolchain.elf.relocatable import read_object

SPEAKER = """
@text = private constant [5 x i8] c"hello"
declare void @sol_log_(ptr, i64)
define i64 @entrypoint(ptr %input) {
  call void @sol_log_(ptr @text, i64 5)
  ret i64 0
}
"""


def test_data_comes_first_then_text_and_there_are_no_sections(object_of: Callable[[str], bytes]) -> None:
    image = link_v3(read_object(object_of(SPEAKER)))
    (entry,) = struct.unpack_from("<Q", image, 24)
    (flags,) = struct.unpack_from("<I", image, 48)
    segments, _, sections = struct.unpack_from("<HHH", image, 56)
    addresses = [struct.unpack_from("<Q", image, 64 + 56 * index + 16)[0] for index in range(segments)]
    assert (flags, sections, addresses) == (3, 0, [0, TEXT_ADDRESS])
    assert entry >= TEXT_ADDRESS


def test_a_system_call_holds_the_hash_of_its_name(object_of: Callable[[str], bytes]) -> None:
    image = link_v3(read_object(object_of(SPEAKER)))
    assert struct.pack("<I", murmur3(b"sol_log_")) in image
    assert b"sol_log_" not in image
