"""Rewrite LLVM IR, as text, until LLVM 22's BPF back end accepts it.

Its limits are hard errors: more than five argument registers, aggregate or 128-bit results, whatever would need a
library call (128-bit multiplication, division and variable shifts, checked 64-bit multiplication, memcpy of large or
unknown length, floats), signed division, atomics with a result.

    names.py        a name for every numbered value, so that lines can be added anywhere
    operations.py   single instructions become calls into runtime/ or compiler_builtins
    hooks.py        std's panic and out-of-memory hooks become sol_panic_ and abort
    signatures.py   at most five registers in and one out, by type alone, so that indirect calls stay consistent
    multiply.py     checked 64-bit multiplication, last of all
    pipeline.py     the order of all that, with LLVM's own passes between
"""
