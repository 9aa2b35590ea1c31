"""The annotated configuration, and `agent check`."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from tests.meteredge.install.machine import CONFIG

from meterbridge.__main__ import main
from meteredge.config import AgentConfig, parse
from meteredge.install.check import mistakes
from meteredge.install.template import annotated_config
from meteredge.privacy import tables_in

FILLED = {
    "name": "engineering", "domain": "0011223344556677", "id": "METER_001", "profile": "sdm120",
    "port": "/dev/ttyUSB0", "rpc": "https://api.devnet.solana.com",
}  # fmt: skip


def test_every_key_of_the_schema_is_in_it_with_its_reason() -> None:
    lines = annotated_config().splitlines()
    for name, info in AgentConfig.model_fields.items():
        for table in tables_in(info.annotation):
            assert re.search(rf"^(# )?\[{info.alias or name}\]$", "\n".join(lines), re.MULTILINE), name
            for key in (key for key, inner in table.model_fields.items() if not tables_in(inner.annotation)):
                place = next(i for i, line in enumerate(lines) if re.match(rf"^(# )?{key} = ", line))
                assert re.match(r"^# \w", lines[place - 1]), f"{name}.{key} stands there without a word"


def test_as_it_comes_the_check_names_every_value_that_is_still_to_be_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(annotated_config())
    found = "\n".join(mistakes(path))
    for key in ("site.name", "site.domain", "meter.id", "bus.port", "chain.rpc", "meter.profile"):
        assert key in found


def test_filled_in_it_is_a_good_configuration(tmp_path: Path) -> None:
    text = annotated_config()
    for key, value in FILLED.items():
        text, changed = re.subn(rf'^{key} = "".*$', f'{key} = "{value}"', text, flags=re.MULTILINE)
        assert changed == 1, key
    assert parse(text, "test").chain.relayer == "/var/lib/meterbridge/relayer.json"
    path = tmp_path / "agent.toml"
    path.write_text(text)
    assert mistakes(path) == ()


def test_with_every_comment_mark_taken_away_the_defaults_are_good_ones() -> None:
    text = re.sub(r"^# (\[?\w+\]?( = .*)?)$", r"\1", annotated_config(), flags=re.MULTILINE)
    for key, value in FILLED.items():
        text = re.sub(rf'^{key} = "".*$', f'{key} = "{value}"', text, flags=re.MULTILINE)
    text = re.sub(r"^credential = .*$", "", text, flags=re.MULTILINE)  # a key is a file or a credential, not both
    text = re.sub(r"^relayer = .*$", "", text, flags=re.MULTILINE)  # a wallet pays or a relay, not both
    config = parse(text, "test")
    assert config.bridge is not None
    assert tomllib.loads(text)["bus"]["baud"] == 9600


def test_the_command_says_all_mistakes_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG.replace("sdm120", "sdm121").replace("unit = 1", "unitt = 1").replace("http:", "ftp:"))
    assert main(["agent", "check", "--config", str(path), "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert len(document["mistakes"]) == 4  # unit is missing, unitt unknown, the address, the profile
    path.write_text(CONFIG)
    assert main(["agent", "check", "--config", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: good\n"


def test_a_meter_that_adds_its_phases_otherwise_than_its_site_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    text = CONFIG.replace("sdm120", "em340").replace("[meter]", 'phase_accounting = "vector"\n[meter]')
    path.write_text(text)
    (mistake,) = mistakes(path)
    assert "METER_001 adds its phases as per_phase" in mistake
    path.write_text(text.replace('"vector"', '"per_phase"'))
    assert mistakes(path) == ()
