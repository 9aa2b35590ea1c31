"""The differential fuzz: the same Rust, compiled by the builder and natively, agrees on random operations."""

import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from solders.compute_budget import ComputeBudget
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from tests.toolchain.svm import Svm

from toolchain.cargo import Cargo
from toolchain.elf.link_v3 import link_v3
from toolchain.elf.relocatable import read_object
from toolchain.pins import find_compiler
from toolchain.progress import on_stderr
from toolchain.sysroot import sysroot

PROGRAMS = Path(__file__).parents[2] / "programs"
SOURCE = PROGRAMS / "toolchain/fuzz"
CACHE = PROGRAMS / "target"
CASES_PER_KIND = 240
KINDS = {
    0: ("8-bit integers", 40),
    1: ("16- and 32-bit integers", 60),
    2: ("64-bit integers", 40),
    3: ("128-bit integers", 30),
    4: ("trait objects", 3),
    5: ("collections", 2),
    6: ("text", 4),
    7: ("floats", 60),
}
"""Kind: what it is, rounds per case."""

pytestmark = pytest.mark.ci


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fuzz program; beside it the object it was linked from."""
    compiler, progress, out = find_compiler(), on_stderr(), tmp_path_factory.mktemp("fuzz") / "fuzz.so"
    root = sysroot(compiler, CACHE, progress)
    bundle = Cargo(compiler, SOURCE, CACHE / "fuzz", root, progress).bundle("fuzz")
    command: list[str | Path] = [sys.executable, "-m", "toolchain.linker", bundle, out, "--sysroot", root, "--keep-ir"]
    subprocess.run(command, check=True)
    return out


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("native") / "native"
    subprocess.run([find_compiler().rustc, "--edition", "2021", "-O", "-o", out, SOURCE / "native.rs"], check=True)
    return out


@pytest.fixture(scope="module")
def roomy() -> Svm:
    """An SVM with compute and heap enough for long cases."""
    budget = ComputeBudget(simd_0268_active=True)
    budget.compute_unit_limit = 2_000_000_000
    budget.heap_size = 256 * 1024
    return Svm(LiteSVM().with_compute_budget(budget))


@pytest.fixture(scope="module")
def program(linked: Path, roomy: Svm) -> Pubkey:
    return roomy.add(linked.read_bytes())


@pytest.mark.parametrize("kind", KINDS)
def test_the_program_computes_what_the_native_twin_computes(
    kind: int, program: Pubkey, roomy: Svm, native: Path
) -> None:
    source = random.Random(kind)
    cases = [(source.getrandbits(64), KINDS[kind][1], kind) for _ in range(CASES_PER_KIND)]
    lines = "\n".join(" ".join(map(str, case)) for case in cases)
    said = subprocess.run([native], input=lines, text=True, capture_output=True, check=True).stdout
    different = [
        (case, hex(expected))
        for case, expected in zip(cases, map(int, said.split()), strict=True)
        if roomy.call(program, struct.pack("<QQQ", *case)).ljust(8, b"\0") != struct.pack("<Q", expected)
    ]
    assert different == []


def test_a_built_program_deploys_through_the_upgradeable_loader_and_runs(linked: Path, svm: Svm, native: Path) -> None:
    expected = subprocess.run([native], input="5 1 2", text=True, capture_output=True, check=True).stdout
    answer = svm.call(svm.deploy(linked.read_bytes()), struct.pack("<QQQ", 5, 1, 2))
    assert int.from_bytes(answer, "little") == int(expected)


def test_the_same_object_links_for_version_three_too(linked: Path) -> None:
    image = link_v3(read_object(linked.with_suffix(".o").read_bytes()))
    assert image[:4] == b"\x7fELF"
