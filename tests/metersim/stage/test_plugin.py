"""metersim.stage.plugin: the page's example runs as it stands there, and nothing is loaded that nobody asked for."""

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "simulator.md"
BY_NAME = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
OF_A_SITE = """
from meterchain.audit import audit

def test_a_site_has_users_and_meters_whose_agents_deliver(site):
    assert [node.meter_id for node in site.nodes] == ["METER_001", "METER_002"]
    site.go_to(1_782_043_200 + 905)
    assert all(site.close_slots())
    assert all(report.final == 1 for report in site.deliver())
    site.settle()
    assert audit(site.chain, site.site.programs, settled=True).ok

def test_several_meters_share_a_bus(bus):
    from metersim.meters.installation import Installation
    from metersim.meters.meter import MeterPlan
    from metersim.stage.bench import NOON
    plans = [MeterPlan("sdm120", Installation(seed=n), unit=n, since_utc=NOON) for n in (1, 2)]
    assert bus(*plans).port != bus(plans[0]).port
"""


def run_pytest(folder: Path, text: str) -> "subprocess.CompletedProcess[str]":
    """Pytest in a process and a project of its own, with our plugin and no other."""
    (folder / "test_yours.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "metersim.stage.plugin", "-p", "no:cacheprovider", "."]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **BY_NAME}, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_example_of_the_page_is_a_test_that_passes(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    done = run_pytest(tmp_path, example)
    assert done.returncode == 0, done.stdout
    assert f"{example.count('def test_')} passed" in done.stdout


def test_a_site_and_a_bus_can_be_had(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, OF_A_SITE)
    assert "2 passed" in done.stdout, done.stdout


def test_the_plugin_loads_nothing_of_ours_before_a_test_asks() -> None:
    script = "import sys, metersim.stage.plugin; print([m for m in sys.modules if m.startswith(('meter', 'serial'))])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "['metersim', 'metersim.stage', 'metersim.stage.plugin']"


def test_pytest_finds_the_plugin_by_its_entry_point() -> None:
    (found,) = entry_points(group="pytest11", name="metersim")
    assert found.value == "metersim.stage.plugin"
