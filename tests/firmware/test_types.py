"""The firmware fits the types of MicroPython on a Pico, as its stubs say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUBS = "micropython-rp2-rpi_pico-stubs==1.29.0.post1"
CHECKER = "basedpyright==1.40.2"


@pytest.mark.ci
def test_pyright_has_nothing_to_say_about_the_firmware(tmp_path: Path) -> None:
    """Stubs go where `stubPath` and `typeshedPath` point: beside Python's own they would lose against typeshed."""
    typings, tools = tmp_path / "typings", tmp_path / "tools"
    for target, what in ((typings, STUBS), (tools, CHECKER)):
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, "--target", str(target), what], check=True)
    project = tmp_path / "pyrightconfig.json"
    settings = {
        "include": [str(ROOT / "firmware")],
        "extraPaths": [str(ROOT / "firmware")],
        "stubPath": str(typings),
        "typeshedPath": str(typings),
        "typeCheckingMode": "standard",
        "reportMissingModuleSource": "none",
    }
    project.write_text(json.dumps(settings))
    checked = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--project", str(project), "--outputjson"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(tools), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    report = json.loads(checked.stdout)
    found = [f"{d['file']}:{d['range']['start']['line'] + 1}: {d['message']}" for d in report["generalDiagnostics"]]
    assert report["summary"]["filesAnalyzed"] >= 12
    assert found == [], "\n".join(found)
