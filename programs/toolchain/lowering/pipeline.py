"""The order of the rewriting, with LLVM's own passes between."""

import re

from toolchain import llvm
from toolchain.lowering.hooks import replace_hooks
from toolchain.lowering.multiply import expand_checked_multiply
from toolchain.lowering.names import name_values
from toolchain.lowering.operations import replace_operations
from toolchain.lowering.signatures import lower_signatures
from toolchain.runtime import runtime_ir

ENTRYPOINT = "entrypoint"
ROUNDS = 6
"""A runtime function may hold what another rule replaces; four rounds are the most seen."""
INLINE = ("always_inliner", "global_dead_code_eliminate", "strip_dead_prototype")
SIMPLIFY = (
    "global_dead_code_eliminate",
    "lower_atomic",
    "sroa",
    "instruction_combine",
    "simplify_cfg",
    "aggressive_dce",
    "global_dead_code_eliminate",
    "strip_dead_prototype",
)
STRUCT_RESULT = re.compile(r"\bsret\([^()]*\) ")


def lower(module: llvm.Module, builtins: llvm.Module) -> llvm.Module:
    """A module that the back end accepts.  `module` is used up, `builtins` (compiler_builtins) stays."""
    available = llvm.defined(builtins)
    for round_ in range(ROUNDS):
        before = name_values(str(module), f"v{round_}.")
        text = replace_operations(before if round_ else replace_hooks(before))
        if round_ and text.strip() == before.strip():
            break
        module = llvm.from_text(text)
        llvm.link(module, llvm.from_text(runtime_ir()))
        llvm.make_internal(module, keep={ENTRYPOINT})
        llvm.run_passes(module, *INLINE)
        if available & llvm.undefined(module):
            llvm.link(module, builtins, keep_other=True)
            llvm.make_internal(module, keep={ENTRYPOINT})
        llvm.run_passes(module, *SIMPLIFY)
    # The back end takes `sret` for an aggregate result.
    text = STRUCT_RESULT.sub("", name_values(str(module), "x"))
    return llvm.from_text(lower_signatures(expand_checked_multiply(text)))
