"""The payload of a card, as `provision image` makes it, for the machine that the tests run on."""

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest
from solders.pubkey import Pubkey
from tests.meterprov.first_boot.trixie import Trixie

TREE = Path(__file__).parents[3]
CARD = Path("boot/firmware/meterbridge")
OWNER = str(Pubkey.from_bytes(b"the owner of the first-boot test"))
PLATFORMS = [
    f"--platform={each}_{platform.machine()}" for each in ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
]

CONFIG = """schema = 1
[site]
name = "engineering"
domain = "0011223344556677"
[meter]
id = "METER_001"
profile = "sdm120"
unit = 1
[bus]
port = "{port}"
baud = 9600
[chain]
rpc = "http://127.0.0.1:1"
"""


@dataclass(frozen=True)
class Card:
    """A trixie root with a card's payload in it."""

    trixie: Trixie

    @property
    def folder(self) -> Path:
        return self.trixie.root / CARD

    def configure(self, port: str) -> None:
        (self.folder / "agent.toml").write_text(CONFIG.format(port=port))

    def path(self, place: str) -> Path:
        return self.trixie.root / place.removeprefix("/")

    def install(self) -> subprocess.CompletedProcess[str]:
        """What cloud-init's runcmd does."""
        return self.trixie.run("sh", f"/{CARD}/install.sh")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """meterbridge, all that it, its page and its screen need and pip, for Python 3.13 on this machine."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, TREE], check=True)
    ours = next(folder.glob("meterbridge-*.whl"))
    words = ["download", "--only-binary=:all:", "--python-version=3.13", "--implementation=cp", *PLATFORMS]
    subprocess.run([*pip, *words, "--dest", folder, f"{ours}[web,technician]", "pip"], check=True)
    return folder


@pytest.fixture
def card(tmp_path: Path, wheels: Path) -> Iterator[Card]:
    card = Card(Trixie.unpack(tmp_path / "trixie"))
    card.folder.mkdir(parents=True)
    shutil.copytree(wheels, card.folder / "wheels")
    shutil.copy(str(files("meterprov") / "first_boot" / "install.sh"), card.folder)
    (card.folder / "owner").write_text(f"{OWNER}\n")
    card.configure("/dev/serial/by-id/none")
    yield card
    shutil.rmtree(card.trixie.root)  # 400 MB, which pytest would keep for three runs
