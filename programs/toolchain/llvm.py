"""The little of LLVM that the builder uses, by llvmlite; no other module imports it.

llvmlite has no types of its own: `Module` and `Machine` are opaque here.
"""

from collections.abc import Iterable
from functools import cache
from typing import TypeAlias

import llvmlite.binding as llvmlite  # type: ignore[import-untyped]
from llvmlite.binding import newpassmanagers

Module: TypeAlias = "llvmlite.ModuleRef"
Machine: TypeAlias = "llvmlite.TargetMachine"

TRIPLE, CPU, FEATURES = "bpfel", "v2", "+allows-misaligned-mem-access"
OPTIONS = (
    "--bpf-stack-size=4096",
    "--bpf-disable-trap-unreachable",
    # LLVM believes that division cannot trap; SBF's by zero does.  These three would hoist one over its own check.
    "--disable-machine-cse",
    "--disable-machine-licm",
    "--disable-postra-machine-licm",
)


@cache
def machine() -> Machine:
    """The BPF back end.  One per process, since LLVM's options are the process's own and may be given once only."""
    llvmlite.initialize_all_targets()
    llvmlite.initialize_all_asmprinters()
    for option in OPTIONS:
        llvmlite.set_option("", option)
    target = llvmlite.Target.from_triple(TRIPLE)
    return target.create_target_machine(cpu=CPU, features=FEATURES, opt=3, reloc="pic", codemodel="default")


def from_bitcode(bitcode: bytes) -> Module:
    """Read a module from bitcode."""
    return llvmlite.parse_bitcode(bitcode)


def from_text(text: str) -> Module:
    """Read and verify a module from LLVM's text.  Raises RuntimeError with LLVM's message if it is not valid."""
    module = llvmlite.parse_assembly(text)
    module.verify()
    return module


def link(into: Module, other: Module, *, keep_other: bool = False) -> None:
    """Link `other` into `into`; without `keep_other` it is used up."""
    into.link_in(other, preserve=keep_other)


def undefined(module: Module) -> set[str]:
    """Names of the functions that the module declares only."""
    return {function.name for function in module.functions if function.is_declaration}


def defined(module: Module) -> set[str]:
    """Names of the functions that the module has."""
    return {function.name for function in module.functions if not function.is_declaration}


def make_internal(module: Module, keep: Iterable[str]) -> None:
    """Make all that the module defines its own, except `keep`."""
    kept = set(keep)
    for value in [*module.functions, *module.global_variables]:
        if not value.is_declaration and value.name not in kept and not value.name.startswith("llvm."):
            value.visibility = "default"
            value.linkage = "internal"


def run_passes(module: Module, *names: str) -> None:
    """Run LLVM's passes of these names (as llvmlite spells them: `sroa`, `lower_atomic`) at speed level 2."""
    builder = newpassmanagers.create_pass_builder(
        machine(), newpassmanagers.create_pipeline_tuning_options(speed_level=2)
    )
    manager = newpassmanagers.create_new_module_pass_manager()
    for name in names:
        getattr(manager, f"add_{name}_pass")()
    manager.run(module, builder)


def emit_object(module: Module) -> bytes:
    """The relocatable BPF object."""
    image: bytes = machine().emit_object(module)
    return image
