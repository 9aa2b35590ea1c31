"""The payload that `provision image` writes is the one that a node's first boot takes, made from the site file."""

import json
from pathlib import Path

import pytest
from tests.meterprov.first_boot.conftest import OWNER, Card

from meterchain.programs import NAMES, load
from meteredge.config import load as load_config
from meterprov.paths import AGENT_TOML, FOLDER
from meterprov.payload import install_script, payload
from meterprov.site_example import example
from meterprov.site_file import load_site
from meterprov.wheels import Wheel

pytestmark = pytest.mark.ci


def test_a_node_made_from_the_site_file_installs_itself(card: Card, wheels: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs-ours"
    (programs / "idl").mkdir(parents=True)
    for name in NAMES:
        shipped = Path(__file__).parents[3] / "programs" / "meterchain" / "idl" / f"{name}.json"
        (programs / "idl" / f"{name}.json").write_bytes(shipped.read_bytes())
    path = tmp_path / "site.toml"
    text = example().replace("# programs =", "programs =").replace("[defaults]", f'[defaults]\nowner = "{OWNER}"')
    path.write_text(text)
    site = load_site(path)
    there = [Wheel(each) for each in sorted(wheels.glob("*.whl"))]
    files = payload(site, site.meter("METER_007"), there, install_script(), path.parent / str(site.chain.programs))
    for name, data in files.items():
        place = card.folder.parent / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    assert AGENT_TOML.startswith(f"{FOLDER}/")
    ran = card.install()
    assert ran.returncode == 0, ran.stderr
    outcome = json.loads((card.folder / "outcome.json").read_text())
    assert (outcome["ok"], outcome["meter_id"]) == (True, "METER_007")
    assert outcome["claim"]["state"] == "waiting", "there is no meter yet"
    assert card.trixie.run("/opt/meterbridge/current/bin/python", "-c", "import textual, starlette").returncode == 0
    config = load_config(card.path("/etc/meterbridge/agent.toml"))
    assert config.chain.programs is not None
    assert set(load(card.path(config.chain.programs))) == set(NAMES)
