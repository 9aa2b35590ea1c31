"""Images made by the command, judged by the tools of others: dosfstools, mtools, e2fsprogs, cloud-init, netplan."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from tests.meterprov import cards
from tests.meterprov.first_boot.trixie import Trixie

from meterbridge.__main__ import main
from meterprov import manifest
from meterprov.cloud_init import seed_files
from meterprov.disk_image import SECTOR
from meterprov.site_example import example
from meterprov.site_file import SiteFile, load_site

pytestmark = pytest.mark.ci

BOOT_MB = 64
WIFI = f'[network.wifi]\nssid = "campus: \\"iot\\" #1"\npsk = "{"5" * 64}"\ncountry = "TH"\nhidden = true\n'
FIXED = 'address = "192.0.2.17/24"\n'


def _ran(*words: object) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def _base(folder: Path, codename: str) -> Path:
    """A card as the tools make it: FAT32 by mkfs.vfat, ext4 with blocks of 4 KiB and a hashed folder by mke2fs."""
    boot, root, tree = folder / "boot", folder / "root", folder / "tree"
    with boot.open("wb") as file:
        file.truncate(BOOT_MB << 20)
    _ran("mkfs.vfat", "-F", "32", "-n", "bootfs", boot)
    for name, data in {"cmdline.txt": cards.CMDLINES[codename].encode(), **cards.FILES}.items():
        (folder / name).write_bytes(data)
        _ran("mcopy", "-i", boot, folder / name, f"::{name}")
    version, python = {"trixie": ("13", "3.13"), "bookworm": ("12", "3.11")}[codename]
    for each in ("etc", "usr/lib", "usr/bin"):
        (tree / each).mkdir(parents=True)
    (tree / "lib").symlink_to("usr/lib")
    (tree / "etc/os-release").symlink_to("../usr/lib/os-release")
    release = f'PRETTY_NAME="Debian GNU/Linux {version} ({codename})"\nVERSION_CODENAME={codename}\n'
    (tree / "usr/lib/os-release").write_text(release)
    names = (f"python{python}", "cloud-init", *(f"one-of-many-programs-{number}" for number in range(2000)))
    for name in ("usr/lib/ld-linux-aarch64.so.1", *(f"usr/bin/{name}" for name in names)):
        (tree / name).write_text(name)
    _ran("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-L", "rootfs", "-d", tree, root, "24M")
    base = folder / f"{codename}.img"
    base.write_bytes(cards.assembled(boot.read_bytes(), root.read_bytes()))
    return base


@pytest.fixture(scope="module")
def site_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("site") / "site.toml"
    text = example().replace("[access]", f"{WIFI}[access]").replace("[network]", '[network]\nntp = ["ntp.example.org"]')
    text = text.replace("[network]", '[network]\ngateway = "192.0.2.1"\nnameservers = ["192.0.2.1", "2001:db8::1"]')
    text = text.replace('id = "METER_005"', f'id = "METER_005"\n{FIXED}')
    path.write_text(text.replace('id = "METER_006"', f'id = "METER_006"\nlink = "wifi"\n{FIXED.replace("17", "18")}'))
    return path


@pytest.fixture(scope="module")
def site(site_path: Path) -> SiteFile:
    return load_site(site_path)


def _check_card(image: Path, made: manifest.ImageMade, folder: Path) -> None:
    """Fsck finds nothing, and mtools reads every file with the manifest's digest."""
    boot = folder / "boot.part"
    with image.open("rb") as file:
        file.seek(cards.BOOT_AT * SECTOR)
        boot.write_bytes(file.read(BOOT_MB << 20))
    _ran("fsck.vfat", "-n", boot)
    listed = _ran("mdir", "-/", "-b", "-i", f"{image}@@1M", "::").split()
    assert {f"::/{path}" for path in made.files} < set(listed)
    out = folder / "out"
    out.mkdir()
    _ran("mcopy", "-s", "-n", "-i", f"{image}@@1M", "::*", out)
    for path, digest in made.files.items():
        assert hashlib.sha256((out / path).read_bytes()).hexdigest() == digest, path
    sums = out / "meterbridge"
    done = subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=sums, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"")
    assert cards.CONFIG_TXT.rstrip() in (out / "config.txt").read_text()


def test_a_trixie_card_with_all_wheels_for_its_python_and_machine(
    site_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    base, image = _base(tmp_path, "trixie"), tmp_path / "node.img"
    kept = tmp_path / "kept.jsonl"
    words = ["provision", "image", "--site", str(site_path), "--node", "METER_007", str(base), "-o", str(image)]
    assert main([*words, "--manifest", str(kept), "--json"]) == 0
    (made,) = manifest.read(kept)
    assert isinstance(made, manifest.ImageMade)
    assert json.loads(capsys.readouterr().out)["image_sha256"] == made.image_sha256
    _check_card(image, made, tmp_path)
    wheels = [path.rpartition("/")[2] for path in made.files if "/wheels/" in path]
    assert [name for name in wheels if name.startswith("solders-") and "aarch64" in name]
    assert [name for name in wheels if name.startswith("pydantic_core-") and "-cp313-" in name]
    assert not [name for name in wheels if not name.endswith(("-none-any.whl", "aarch64.whl"))]
    assert {"meterbridge", "pip", "pyserial", "PyNaCl".lower()} < {name.partition("-")[0].lower() for name in wheels}


def test_a_bookworm_card(site_path: Path, tmp_path: Path) -> None:
    base, image, kept = _base(tmp_path, "bookworm"), tmp_path / "node.img", tmp_path / "kept.jsonl"
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    own = cards.make_wheel(wheels, "meterbridge-0.1.0-py3-none-any.whl")
    cards.make_wheel(wheels, "pip-26.0-py3-none-any.whl")
    words = ["provision", "image", "--site", str(site_path), "--node", "METER_005", str(base), "-o", str(image)]
    assert main([*words, "--manifest", str(kept), "--wheel", str(own), "--wheels", str(wheels)]) == 0
    (made,) = manifest.read(kept)
    assert isinstance(made, manifest.ImageMade)
    _check_card(image, made, tmp_path)
    script = tmp_path / "out" / "firstrun.sh"
    _ran("sh", "-n", script)
    assert "address1=192.0.2.17/24,192.0.2.1" in script.read_text()


@pytest.fixture(scope="module")
def trixie(tmp_path_factory: pytest.TempPathFactory) -> Trixie:
    """Debian 13, with its own cloud-init and netplan."""
    return Trixie.unpack(tmp_path_factory.mktemp("debian") / "root")


def _judge(trixie: Trixie, kind: str, text: str) -> tuple[int, str]:
    (trixie.root / "root/seed").write_text(text)
    done = trixie.run("cloud-init", "schema", "-t", kind, "-c", "/root/seed")
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("sudo", ["true", "false"])
def test_user_data_passes_the_schema_of_debian_13_which_knows_wrong_keys(
    trixie: Trixie, site_path: Path, tmp_path: Path, sudo: str
) -> None:
    path = tmp_path / "site.toml"
    path.write_text(site_path.read_text().replace("sudo = true", f"sudo = {sudo}"))
    site = load_site(path)
    assert trixie.run("cloud-init", "--version").stdout.split()[-1].startswith("25.")
    text = seed_files(site, site.meter("METER_007"), "meter-007-g1-x")["user-data"]
    assert _judge(trixie, "cloud-config", text)[0] == 0
    code, told = _judge(trixie, "cloud-config", text.replace("ssh_pwauth:", "enable_ssh:"))
    assert code != 0
    assert "enable_ssh" in told


@pytest.mark.parametrize(
    ("meter", "expected"),
    [
        ("METER_007", ["interface-name=eth0", "method=auto"]),
        ("METER_005", ["interface-name=eth0", "address1=192.0.2.17/24", "route1=0.0.0.0/0,192.0.2.1"]),
        ("METER_006", ["interface-name=wlan0", "address1=192.0.2.18/24", f"psk={'5' * 64}", "hidden=true"]),
    ],
)
def test_network_config_is_what_netplan_takes_for_network_manager(
    trixie: Trixie, site: SiteFile, meter: str, expected: list[str]
) -> None:
    text = seed_files(site, site.meter(meter), "x")["network-config"]
    folder = trixie.root / "root" / meter
    (folder / "etc/netplan").mkdir(parents=True)
    (folder / "etc/netplan/00-manager.yaml").write_text("network: {version: 2, renderer: NetworkManager}\n")
    config = folder / "etc/netplan/50-cloud-init.yaml"
    config.write_text(text)
    for path in config.parent.iterdir():
        path.chmod(0o600)
    done = trixie.run("netplan", "generate", "--root-dir", f"/root/{meter}")
    assert done.returncode == 0, done.stderr
    made = "\n".join(path.read_text() for path in (folder / "run").rglob("*.nmconnection"))
    assert [line for line in expected if line not in made] == [], made
    config.write_text(text.replace("optional", "optionel"))
    assert trixie.run("netplan", "generate", "--root-dir", f"/root/{meter}").returncode != 0
