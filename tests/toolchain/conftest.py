"""What tests of the builder share: an SVM, programs from LLVM's text, a small workspace."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.toolchain.svm import Svm

from toolchain import llvm
from toolchain.elf.link_v0 import link_v0
from toolchain.elf.relocatable import read_object
from toolchain.linker import compile_modules

LAYOUT = """
target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"
target triple = "bpfel"
"""
ALPHA = "11111111111111111111111111111112"


@pytest.fixture
def svm() -> Svm:
    return Svm()


@pytest.fixture(scope="session")
def no_builtins() -> bytes:
    """Bitcode of an empty module, in the place of compiler_builtins."""
    return bytes(llvm.from_text('target triple = "bpfel"\n').as_bitcode())


@pytest.fixture
def object_of(no_builtins: bytes) -> Callable[[str], bytes]:
    """From LLVM's text to the relocatable object, by the whole lowering."""

    def build(text: str) -> bytes:
        module = llvm.from_text(LAYOUT + text)
        return compile_modules([bytes(module.as_bitcode())], no_builtins)[1]

    return build


@pytest.fixture
def program_of(object_of: Callable[[str], bytes]) -> Callable[[str], bytes]:
    """From LLVM's text to the program that we would ship."""
    return lambda text: link_v0(read_object(object_of(text)))


@pytest.fixture
def workspace_root(tmp_path: Path) -> Path:
    """A workspace of one program, its interface crate and a common crate; cargo never sees it."""
    root = tmp_path / "programs"
    files = {
        "Cargo.toml": (
            '[workspace]\nmembers = ["common", "alpha", "alpha/interface"]\n'
            '[workspace.dependencies]\nouter = "1"\ncommon = { path = "common" }\n'
            'alpha_interface = { path = "alpha/interface" }\n'
        ),
        "Cargo.lock": "version = 4\n",
        "common/Cargo.toml": '[package]\nname = "common"\n',
        "common/src/lib.rs": "pub fn shared() {}\n",
        "alpha/Cargo.toml": (
            '[package]\nname = "alpha"\n[dependencies]\nouter.workspace = true\ncommon.workspace = true\n'
            'alpha_interface = { path = "interface" }\n'
        ),
        "alpha/src/lib.rs": f'declare_id!("{ALPHA}");\n#[program]\npub mod alpha {{}}\n',
        "alpha/src/instructions/go.rs": "// one instruction\n",
        "alpha/interface/Cargo.toml": '[package]\nname = "alpha_interface"\n',
        "alpha/interface/src/lib.rs": f'declare_id!("{ALPHA}");\n',
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root
