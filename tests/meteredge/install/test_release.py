"""The update bundle: what is not whole, not signed, not for this node or older is refused, each with its reason."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.pubkey import Pubkey
from tests.meteredge.install.bundles import HERE, RELEASE_KEY, STRANGER, WHEELS, bundle
from tests.meteredge.install.machine import Machine

from meteredge.install.errors import InstallFailed
from meteredge.install.release import (
    UPDATE_KEY,
    Release,
    ReleaseRefused,
    Runs,
    parts_of,
    read_key,
    refuse_unfit,
    runs_here,
    unpack,
    verify,
)
from meteredge.install.slots import digest_of

HEADER = 512


def taken(path: Path) -> Release:
    with path.open("rb") as file:
        return verify(file, RELEASE_KEY.verify_key, path.name)


def refused(path: Path, reason: str) -> None:
    with pytest.raises(ReleaseRefused, match=reason):
        taken(path)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return bundle(tmp_path / "good.tar")


def test_a_bundle_gives_back_the_wheels_that_were_signed(good: Path, tmp_path: Path) -> None:
    verified = taken(good)
    assert verified.manifest.version == "0.2.0"
    folder = tmp_path / "wheels"
    folder.mkdir()
    with good.open("rb") as file:
        unpack(file, verified, folder, good.name)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == WHEELS
    assert verified.digest == digest_of(folder), "a slot made from the bundle is one made from its wheels"


def test_a_bundle_is_a_tar_for_everybody(good: Path) -> None:
    listed = subprocess.run(["tar", "-tf", good], capture_output=True, text=True, check=True)
    assert listed.stdout.split() == ["manifest.json", "manifest.sig", *(f"wheels/{name}" for name in WHEELS)]
    assert listed.stderr == ""


def test_long_names_travel_too(tmp_path: Path) -> None:
    long = f"meterbridge-0.2.0-cp313-cp313-{'manylinux_2_28_aarch64.' * 4}manylinux2014_aarch64.whl"
    assert taken(bundle(tmp_path / "long.tar", wheels={long: b"x"})).manifest.files[0].name == long


def test_what_another_key_signed_is_refused(tmp_path: Path) -> None:
    refused(
        bundle(tmp_path / "b.tar", key=STRANGER),
        f"not of this node's release key .{Pubkey(bytes(RELEASE_KEY.verify_key))}",
    )


def test_what_nobody_signed_is_refused(good: Path, tmp_path: Path) -> None:
    content = good.read_bytes()
    at = content.index(b"manifest.sig")
    unsigned = tmp_path / "unsigned.tar"
    unsigned.write_bytes(content[:at] + content[at + 1_024 :])
    refused(unsigned, "it is not signed")
    blank = tmp_path / "blank.tar"
    blank.write_bytes(content[: at + 512] + bytes(64) + content[at + 576 :])
    refused(blank, "the signature is not of this node's release key")


def test_a_signature_of_something_else_by_the_same_key_is_refused(good: Path, tmp_path: Path) -> None:
    content = good.read_bytes()
    at = content.index(b"manifest.sig") + 512
    told = content[512 : content.index(b"\0", 512)]
    other = tmp_path / "other.tar"
    other.write_bytes(content[:at] + RELEASE_KEY.sign(told).signature + content[at + 64 :])
    refused(other, "the signature is not")


def test_a_bundle_that_was_cut_is_to_be_copied_again_wherever_it_was_cut(good: Path) -> None:
    size = good.stat().st_size
    for left in reversed(range(size)):
        os.truncate(good, left)
        refused(good, "copy it again" if left >= HEADER else "no update bundle")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
@given(data=st.data())
def test_no_byte_can_be_changed(good: Path, data: st.DataObject) -> None:
    content = bytearray(good.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    changed = good.with_name("changed.tar")
    changed.write_bytes(content)
    refused(changed, "changed.tar: ")


def test_the_changed_wheel_is_named(good: Path) -> None:
    good.write_bytes(good.read_bytes().replace(b"p" * 512, b"q" * 512))
    refused(good, r"pip-26\.0-py3-none-any\.whl is not the file that was signed")


def test_nothing_can_be_appended(good: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.tar"
    more.write_bytes(good.read_bytes() + b"x")
    refused(more, "1 bytes follow that nobody signed")


@pytest.mark.parametrize("name", ["../../etc/cron.d/x.whl", "/etc/x.whl", "a/b.whl", ".hidden.whl", "x.tar", "x.whl\n"])
def test_a_name_that_leads_elsewhere_is_refused_even_if_it_is_signed(tmp_path: Path, name: str) -> None:
    wheels = dict(sorted({**WHEELS, name: b"x"}.items()))
    refused(bundle(tmp_path / "b.tar", wheels=wheels), "signed, but its manifest cannot be taken: files")


@pytest.mark.parametrize(
    ("field", "value"),
    [("version", "1.0rc1"), ("version", "latest"), ("schema_", 2), ("python", "py3"), ("files", ())],
)
def test_a_manifest_that_says_something_else_is_refused_even_if_it_is_signed(
    tmp_path: Path, field: str, value: object
) -> None:
    refused(bundle(tmp_path / "b.tar", **{field: value}), f"signed, but its manifest.*: {field.rstrip('_')}")


@pytest.mark.parametrize(
    "names", [["pip-1-py3-none-any.whl"], ["pip-1-py3-none-any.whl", "meterbridge-1-py3-none-any.whl"]]
)
def test_wheels_out_of_order_or_without_ours_are_refused(tmp_path: Path, names: list[str]) -> None:
    refused(bundle(tmp_path / "b.tar", wheels=dict.fromkeys(names, b"x")), "does not list meterbridge's wheels")


@pytest.mark.parametrize("content", [b"", b"PK\3\4", bytes(10_240), b"x" * 2_000])
def test_another_file_is_no_bundle(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    refused(tmp_path / "x", "no update bundle")


def unfit(release: Release, running: str, here: Runs = HERE, *, allow_older: bool = False) -> None:
    refuse_unfit(release, here, running, "b.tar", allow_older=allow_older)


@pytest.mark.parametrize(
    "here", [Runs("cp311", "aarch64", (2, 41)), Runs("cp313", "x86_64", (2, 41)), Runs("cp313", "aarch64", (2, 31))]
)
def test_a_bundle_for_another_machine_is_refused(good: Path, here: Runs) -> None:
    unfit(taken(good), "0.1.0")
    with pytest.raises(ReleaseRefused, match=r"made for cp313, aarch64, glibc 2\.36; this node has"):
        unfit(taken(good), "0.1.0", here, allow_older=True)


@pytest.mark.parametrize("running", ["0.2.1", "0.10", "1", "0.2.0.1", "2.0.dev1"])
def test_an_older_version_is_refused_unless_it_is_wanted(good: Path, running: str) -> None:
    with pytest.raises(ReleaseRefused, match=f"0.2.0 is older than {running}, which runs; --allow-older"):
        unfit(taken(good), running)
    unfit(taken(good), running, allow_older=True)


@pytest.mark.parametrize("running", ["0.2", "0.2.0", "0.1.9", "0.1.10", "0"])
def test_the_same_version_and_a_newer_one_are_taken(good: Path, running: str) -> None:
    unfit(taken(good), running)


def test_versions_are_compared_as_numbers() -> None:
    assert parts_of("1.10") == (1, 10)
    assert parts_of("1.0.0") == (1,)
    assert parts_of("1.0a") is None


def test_this_machine_says_what_it_runs() -> None:
    assert runs_here().python.startswith("cp3")


def test_a_node_without_a_release_key_takes_nothing(machine: Machine) -> None:
    with pytest.raises(ReleaseRefused, match="knows no release key"):
        read_key(machine.host)
    place = machine.host.at(UPDATE_KEY)
    place.parent.mkdir(parents=True)
    place.write_text("not a key\n")
    with pytest.raises(ReleaseRefused, match="no public key"):
        read_key(machine.host)
    place.write_text(f"{Pubkey(bytes(RELEASE_KEY.verify_key))}\n")
    assert read_key(machine.host) == RELEASE_KEY.verify_key


def test_a_bundle_that_changes_after_it_was_verified_is_found_while_it_is_unpacked(good: Path, tmp_path: Path) -> None:
    verified = taken(good)
    good.write_bytes(good.read_bytes().replace(b"m" * 3_000, b"n" * 3_000))
    folder = tmp_path / "wheels"
    folder.mkdir()
    with good.open("rb") as file, pytest.raises(ReleaseRefused, match=r"meterbridge-.* is not the file"):
        unpack(file, verified, folder, good.name)


def test_a_full_disk_is_told(good: Path, tmp_path: Path) -> None:
    with good.open("rb") as file, pytest.raises(InstallFailed, match="No such file or directory; nothing was changed"):
        unpack(file, taken(good), tmp_path / "none", good.name)
