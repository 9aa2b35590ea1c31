"""The executable for SBPF v0: what its header says, and that the VM runs it."""

import struct
from collections.abc import Callable

from tests.toolchain.svm import Svm

HELLO = """
@text = private constant [5 x i8] c"hello"
@first = private constant ptr @text
declare void @sol_log_(ptr, i64)
declare void @sol_set_return_data(ptr, i64)
define internal void @say(ptr %p) noinline {
  call void @sol_log_(ptr %p, i64 5)
  ret void
}
define i64 @entrypoint(ptr %input) {
  %function = alloca ptr
  store volatile ptr @say, ptr %function
  %f = load volatile ptr, ptr %function
  %p = load volatile ptr, ptr @first
  call void %f(ptr %p)
  call void @sol_set_return_data(ptr @text, i64 5)
  ret i64 0
}
"""


def test_a_program_runs_with_direct_and_indirect_calls_and_pointers_in_its_data(
    program_of: Callable[[str], bytes], svm: Svm
) -> None:
    result = svm.call(svm.add(program_of(HELLO)), b"")
    assert result == b"hello"


def test_a_program_deploys_through_the_upgradeable_loader(program_of: Callable[[str], bytes], svm: Svm) -> None:
    assert svm.call(svm.deploy(program_of(HELLO)), b"") == b"hello"


def test_the_header_names_version_zero_and_four_segments(program_of: Callable[[str], bytes]) -> None:
    image = program_of(HELLO)
    kind, machine = struct.unpack_from("<HH", image, 16)
    (flags,) = struct.unpack_from("<I", image, 48)
    (segments,) = struct.unpack_from("<H", image, 56)
    assert (image[:4], kind, machine, flags, segments) == (b"\x7fELF", 3, 247, 0, 4)


def test_the_same_code_gives_the_same_bytes(program_of: Callable[[str], bytes]) -> None:
    assert program_of(HELLO) == program_of(HELLO)
