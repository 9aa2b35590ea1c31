"""Labels name the meter and its key, nobody's wallet; the codes are what a scanner reads."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from solders.pubkey import Pubkey

from meterbridge.__main__ import main
from meterprov import manifest
from meterprov.fingerprint import fingerprint
from meterprov.label import LabelError, label_of, lights, sheet
from meterprov.site_example import example
from meterprov.site_file import SiteFile, load_site

OWNER = "7iLnNGkZnKCuQjT9KG3QxXYvQy8aUz4XCyjpLxNJofhy"
KEY = str(Pubkey.from_bytes(bytes(range(32))))


@pytest.fixture
def site_path(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(
        example()
        .replace("[defaults]", f'[defaults]\nowner = "{OWNER}"')
        .replace('id = "METER_003"', 'id = "METER_003"\nbridge_unit = 247')
        .replace('name = "engineering"', 'name = "R&D, Building 4"')
    )
    return path


@pytest.fixture
def site(site_path: Path) -> SiteFile:
    return load_site(site_path)


def test_the_fingerprint_is_of_the_key_and_cannot_be_turned_back() -> None:
    assert fingerprint(KEY) == "630dcd2966c43366"  # sha256 of 00 01 … 1f


def test_a_code_names_meter_site_and_key_and_no_owner(site: SiteFile) -> None:
    label = label_of(site, site.meter("METER_007"), KEY)
    assert label.code == "meterbridge:METER_007?site=R%26D%2C%20Building%204&key=630dcd2966c43366"
    assert label_of(site, site.meter("METER_007"), None).code == "meterbridge:METER_007?site=R%26D%2C%20Building%204"
    assert OWNER.encode() not in sheet([label])


def test_the_same_labels_are_the_same_bytes_and_ten_fill_a_page(site: SiteFile) -> None:
    labels = [label_of(site, meter, None) for meter in site.meters]
    drawn = sheet(labels)
    assert drawn == sheet(labels)
    assert len(re.findall(rb"/Type /Page\b", drawn)) == 2
    assert len(re.findall(rb"/Type /Page\b", sheet(labels[:6], skip=4))) == 1
    assert len(re.findall(rb"/Type /Page\b", sheet(labels[:7], skip=4))) == 2


def test_a_name_that_the_font_cannot_write_is_told(site: SiteFile) -> None:
    meter = site.meter("METER_007")
    there = site.model_copy(update={"site": site.site.model_copy(update={"name": "วิศวะ"})})
    with pytest.raises(LabelError, match=r"letters that the built-in font lacks; name one with --font"):
        sheet([label_of(there, meter, None)])
    with pytest.raises(LabelError, match="no TrueType font"):
        sheet([label_of(there, meter, None)], font=Path(__file__))


def test_the_lights_of_the_bridge_are_those_of_its_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "bridge.md").read_text("utf-8").partition("## What the LED says")[2]
    rows = [row.split("|")[1].strip() for row in page.partition("\n## ")[0].splitlines() if row.startswith("| ")][1:]
    spelled = {
        "one short blink in two seconds": "1 short in 2 s",
        "one second on, one off": "1 s on, 1 s off",
        "two blinks": "2 blinks",
        "three blinks": "3 blinks",
        "off": None,
    }
    assert list(lights()["bridge"]) == [spelled.get(row, row) for row in rows if spelled.get(row, row)]


def test_the_command_draws_and_keeps_the_fact(
    site_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.pdf"
    words = ["provision", "label", "--site", str(site_path), "-o", str(out), "--json"]
    assert main([*words, "--node", "METER_007", "--node", "METER_003"]) == 0
    assert [label["meter_id"] for label in json.loads(capsys.readouterr().out)["labels"]] == ["METER_007", "METER_003"]
    assert out.read_bytes().startswith(b"%PDF")
    assert [fact.meter_id for fact in manifest.read(tmp_path / "manifest.jsonl")] == ["METER_007", "METER_003"]
    assert main([*words, "--node", "METER_099"]) == 2
    assert "no meter 'METER_099'" in capsys.readouterr().err


@pytest.mark.ci
def test_a_scanner_reads_every_code_of_the_printed_sheet(site: SiteFile, tmp_path: Path) -> None:
    labels = [label_of(site, meter, KEY if number % 2 else None) for number, meter in enumerate(site.meters)]
    pdf = tmp_path / "labels.pdf"
    pdf.write_bytes(sheet(labels, skip=3))
    subprocess.run(["pdftoppm", "-r", "200", "-gray", "-png", str(pdf), str(tmp_path / "page")], check=True)
    read: list[str] = []
    for page in sorted(tmp_path.glob("page*.png")):
        words = ["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", str(page)]
        read += subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\n")
    assert sorted(filter(None, read)) == sorted(label.code for label in labels)
    text = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True, check=True).stdout
    assert all(label.meter_id in text for label in labels)
    assert text.count("service switch closed: open it") == 1, "only where there is a bridge"
