"""Signed updates on the operator's side: the release key, and a bundle that a node takes."""

import json
import stat
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from solders.pubkey import Pubkey
from tests.meterprov.cards import make_wheel
from tests.meterprov.first_boot.test_node import Boot, boot

from meterbridge.__main__ import main
from meteredge.clock import VirtualClock
from meteredge.install.release import ReleaseRefused, Runs, read_key, refuse_unfit, verify
from meterprov.paths import FOLDER
from meterprov.payload import payload
from meterprov.site_example import example
from meterprov.site_file import SiteFileError, load_site
from meterprov.system import SYSTEMS
from meterprov.update_bundle import UpdateBundleError, make_bundle
from meterprov.wheels import Wheel

__all__ = ["boot"]


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """What a node needs."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    make_wheel(folder, "pip-26.0-py3-none-any.whl")
    make_wheel(folder, "solders-0.29.0-cp310-abi3-manylinux_2_28_aarch64.whl")
    make_wheel(tmp_path, "meterbridge-0.2.0-py3-none-any.whl", requires=("solders==0.29.0",))
    return folder


def made(tmp_path: Path, wheels: Path, *more: str) -> int:
    words = [
        "--system",
        "trixie",
        "--wheel",
        str(tmp_path / "meterbridge-0.2.0-py3-none-any.whl"),
        "--wheels",
        str(wheels),
    ]
    output = ["--key", str(tmp_path / "release.key"), "-o", str(tmp_path / "update.tar")]
    return main(["provision", "update-bundle", *words, *output, *more])


def test_the_operator_makes_a_key_and_a_bundle_that_a_node_with_that_key_takes(
    tmp_path: Path, wheels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "release.key"
    assert main(["provision", "update-key", "-o", str(key), "--json"]) == 0
    public = json.loads(capsys.readouterr().out)["update_key"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert main(["provision", "update-key", "-o", str(key)]) == 4, "a key is never written over"
    capsys.readouterr()

    assert made(tmp_path, wheels, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["version"], said["python"], said["machine"]) == ("0.2.0", "cp313", "aarch64")
    names = ["meterbridge-0.2.0-py3-none-any.whl", "pip-26.0-py3-none-any.whl"]
    assert [each["name"] for each in said["files"]] == [*names, "solders-0.29.0-cp310-abi3-manylinux_2_28_aarch64.whl"]

    with (tmp_path / "update.tar").open("rb") as file:
        release = verify(file, SigningKey(key.read_bytes()).verify_key, "update.tar")
    assert str(Pubkey(bytes(SigningKey(key.read_bytes()).verify_key))) == public
    refuse_unfit(release, Runs("cp313", "aarch64", (2, 41)), "0.1.0", "update.tar", allow_older=False)
    with pytest.raises(ReleaseRefused, match="made for"):
        refuse_unfit(release, Runs("cp311", "aarch64", (2, 36)), "0.1.0", "update.tar", allow_older=False)

    before = (tmp_path / "update.tar").read_bytes()
    assert made(tmp_path, wheels) == 4, "a file is there"
    assert (tmp_path / "update.tar").read_bytes() == before
    assert made(tmp_path, wheels, "--replace") == 0
    assert not (tmp_path / "update.tar.part").exists()
    assert main(["provision", "update-bundle", "--system", "buster", "--key", "x", "-o", "y"]) == 2


def test_a_wheel_that_a_node_lacks_is_missed_before_anything_is_signed(tmp_path: Path, wheels: Path) -> None:
    main(["provision", "update-key", "-o", str(tmp_path / "release.key")])
    next(wheels.glob("solders-*")).unlink()
    assert made(tmp_path, wheels) == 3
    assert not (tmp_path / "update.tar").exists()


def test_without_its_key_nothing_is_signed(tmp_path: Path, wheels: Path) -> None:
    assert made(tmp_path, wheels) == 3
    (tmp_path / "release.key").write_bytes(bytes(32))
    (tmp_path / "release.key").chmod(0o644)
    assert made(tmp_path, wheels) == 4, "others may read it"
    assert not (tmp_path / "update.tar").exists()


def test_a_version_that_nodes_could_not_compare_is_no_release(tmp_path: Path) -> None:
    wheel = Wheel(make_wheel(tmp_path, "meterbridge-0.2rc1-py3-none-any.whl"))
    with pytest.raises(UpdateBundleError, match=r"0\.2rc1 is no release"):
        make_bundle(tmp_path / "b", [wheel], SYSTEMS["trixie"], SigningKey.generate(), VirtualClock(0))


def test_the_sites_release_key_goes_from_the_site_file_by_the_card_to_the_node(tmp_path: Path, boot: Boot) -> None:
    key = SigningKey.generate().verify_key
    path = tmp_path / "site.toml"
    path.write_text(example().replace('# update_key = "…"', f'update_key = "{Pubkey(bytes(key))}"'))
    site = load_site(path)
    files = payload(site, site.meter("METER_001"), [], b"", None)
    (boot.payload / "update.pub").write_bytes(files[f"{FOLDER}/update.pub"])
    boot.run()
    assert read_key(boot.machine.host) == key
    path.write_text(example().replace('# update_key = "…"', 'update_key = "secret"'))
    with pytest.raises(SiteFileError, match=r"no public key; `provision update-key` prints one"):
        load_site(path)


def test_a_site_without_a_release_key_has_nodes_that_take_no_update(boot: Boot) -> None:
    boot.run()
    with pytest.raises(ReleaseRefused, match="knows no release key"):
        read_key(boot.machine.host)
