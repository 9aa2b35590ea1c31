"""The table of nodes: where each one stands, who is silent, and what comes next."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.meterprov.life.house import METER, House

from meterprov import manifest
from meterprov.cli import app
from meterprov.fingerprint import fingerprint
from meterprov.manifest import Booted, Flashed, ImageMade


def line_of(house: House, *words: object, code: int = 0) -> dict[str, Any]:
    told = house.operator.run(app, "status", "--site", house.site_file, *words, "--json")
    assert told.code == code, told.err
    found = {line["meter_id"]: line for line in told.document["nodes"]}
    assert len(found) == 15
    assert told.document["stale"] == [name for name, line in found.items() if line["stale"]]
    line: dict[str, Any] = found[METER]
    return line


def card(house: House, **outcome: object) -> Path:
    """The folder of a card that comes back from its node."""
    folder = house.folder / "card"
    folder.mkdir(exist_ok=True)
    (folder / "agent.toml").write_text(house.config.read_text())
    (folder / "outcome.json").write_text(json.dumps({"schema": 1, "board_serial": "10000000abcdef01"} | outcome))
    return folder


def test_a_node_is_followed_from_the_image_to_its_first_record(house: House) -> None:
    path = house.folder / "manifest.jsonl"
    assert "provision image BASE --node METER_001" in line_of(house)["next_step"]
    image = ImageMade(
        at=1, meter_id=METER, site="s", domain="d", generation=1, instance="i", hostname="h", board="pi4",
        system="trixie", version="1", base="b", base_sha256="0" * 64, image="n.img", image_bytes=1,
        image_sha256="1" * 64, files={},
    )  # fmt: skip
    manifest.append(path, image)
    assert line_of(house)["next_step"] == "meterbridge provision flash n.img /dev/sdX"
    manifest.append(path, Flashed(at=2, image="n.img", image_bytes=1, image_sha256="1" * 64, disk="card"))
    assert (line_of(house)["flashed_at"], line_of(house)["booted"]) == (2, None)

    failed = line_of(house, "--card", card(house, ok=False, step="wheels", message="no room"))
    assert (failed["booted"], failed["board_serial"]) == ("wheels", "10000000abcdef01")
    assert "failed at wheels" in failed["next_step"]
    claim = house.claim()
    waiting = card(house, ok=True, step="done", meter_key=claim.public_key, claim={"state": "waiting"})
    assert "doctor" in line_of(house, "--card", waiting)["next_step"]
    nobody = card(house, ok=True, step="done", meter_key=claim.public_key, claim={"state": "not ordered"})
    assert "named no owner" in line_of(house, "--card", nobody)["next_step"]
    written = card(house, ok=True, step="done", meter_key=claim.public_key, claim={"state": "written"})
    for _ in range(2):
        assert line_of(house, "--card", written)["next_step"] == "meterbridge provision enrol CLAIM"
    assert len([fact for fact in house.facts() if isinstance(fact, Booted)]) == 4, "the same is not kept twice"

    house.enrolled(slots=1)
    line = line_of(house)
    assert (line["status"], line["install_id"], line["key_level"], line["age_s"]) == ("active", 1, "file", 0)
    assert line["fingerprint"] == fingerprint(claim.public_key)
    assert line["next_step"] is None


def test_a_silent_node_is_stale_and_one_in_maintenance_is_not(house: House) -> None:
    house.enrolled(slots=1)
    house.advance(3_600)
    assert not line_of(house)["stale"]
    house.advance(1)
    assert "nothing is heard of it" in line_of(house, code=1)["next_step"]
    assert not line_of(house, "--stale-after", 61)["stale"]
    told = house.operator.run(app, "status", "--site", house.site_file)
    assert told.code == 1
    assert "60 min ago, STALE" in told.out
    house.replace("--force")
    assert "maintenance" in line_of(house)["next_step"]


def test_an_enrolled_node_that_never_spoke_is_stale_in_time(house: House) -> None:
    house.enrolled(slots=0)
    assert line_of(house)["next_step"] == "the first record comes with the next slot"
    house.advance(3_601)
    assert line_of(house, code=1)["age_s"] is None


def test_a_newer_card_and_a_foreign_key_are_told(house: House, make_image: Callable[[], None]) -> None:
    house.enrolled(slots=1)
    make_image()
    line = line_of(house)
    assert (line["generation"], line["booted"]) == (2, None)
    assert "a newer card was made: meterbridge provision re-provision METER_001" in line["next_step"]
    path = house.folder / "manifest.jsonl"
    path.write_text(path.read_text().replace(fingerprint(str(house.on_chain().meter_key)), "0" * 16))
    assert "another key than this manifest" in line_of(house)["next_step"]


def test_a_card_that_was_never_in_its_node_is_told(house: House) -> None:
    told = house.operator.run(app, "status", "--site", house.site_file, "--card", house.folder)
    assert told.code == 2
    assert "no outcome.json there yet" in told.err
