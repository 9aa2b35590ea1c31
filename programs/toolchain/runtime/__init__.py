"""LLVM IR that stands in for what the BPF back end cannot select; lowering/operations.py calls it by name.

memory.py      memcmp, bcmp, memset by system call
integers.py    signed division, 128- and 256-bit arithmetic, checked multiplication
floats.py      comparisons (arithmetic is compiler_builtins')
"""

from toolchain.runtime import floats, integers, memory

LAYOUT = """
target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "bpfel"
"""


def runtime_ir() -> str:
    """The whole runtime as one module."""
    return LAYOUT + memory.MEMORY + integers.integers() + floats.floats()
