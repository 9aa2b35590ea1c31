"""An image for one node, made from small cards of both kinds: what is in it, and what is refused."""

import hashlib
import json
import lzma
import tomllib
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from tests.meterprov import cards

from meterbridge.__main__ import main
from meteredge.clock import VirtualClock
from meteredge.config import parse
from meterprov import manifest
from meterprov.boot_text import OddCommandLine
from meterprov.disk_image import NoCardImage, read_layout
from meterprov.fat import FatError, fat_volume
from meterprov.image import BadOutput, Order, make_image, rehearse
from meterprov.payload import PayloadError
from meterprov.site_example import example
from meterprov.site_file import SiteFile, load_site
from meterprov.system import System, SystemUnknown
from meterprov.telling import Heard
from meterprov.unpack import UnpackError
from meterprov.wheels import Wheel

OWNER = "7iLnNGkZnKCuQjT9KG3QxXYvQy8aUz4XCyjpLxNJofhy"
INSTALL = b"#!/bin/sh\nexit 0\n"
WIFI = f'[network.wifi]\nssid = "campus-iot"\npsk = "{"5" * 64}"\ncountry = "TH"\n'


class Silent:
    """Nobody watches."""

    def say(self, line: str) -> None:
        """One step."""

    def bar(self, what: str) -> nullcontext[Heard]:
        """A step that takes its time."""
        del what
        return nullcontext(lambda _done, _total: None)


@pytest.fixture
def site(tmp_path: Path) -> SiteFile:
    path = tmp_path / "site.toml"
    text = example().replace("[access]", f"{WIFI}[access]").replace("[network]", '[network]\nntp = ["ntp.example.org"]')
    text = text.replace("[defaults]", f'[defaults]\nowner = "{OWNER}"')
    text = text.replace('id = "METER_003"', 'id = "METER_003"\nboard = "zero2w"\nport = "/dev/ttyAMA0"\nrtc = "ds3231"')
    path.write_text(text)
    return load_site(path)


@pytest.fixture
def wheels(tmp_path: Path) -> tuple[Wheel, ...]:
    folder = tmp_path / "wheels"
    folder.mkdir()
    names = ("meterbridge-0.1.0-py3-none-any.whl", "solders-0.29.0-cp310-abi3-manylinux_2_28_aarch64.whl")
    return tuple(Wheel(cards.make_wheel(folder, name)) for name in names)


def _order(tmp_path: Path, site: SiteFile, codename: str = "trixie", meter: str = "METER_007") -> Order:
    base = tmp_path / f"{codename}.img"
    if not base.exists():
        base.write_bytes(cards.card(codename))
    return Order(site, site.meter(meter), base, tmp_path / f"{meter}.img", INSTALL)


def _make(order: Order, wheels: tuple[Wheel, ...]) -> manifest.ImageMade:
    return make_image(order, lambda _system: wheels, Silent(), VirtualClock(1_900_000_000))


def _files(image: Path) -> dict[str, str]:
    with fat_volume(image, read_layout(image).boot) as volume:
        return {name: volume.read(f"/{name}").decode() for name in volume.names("/") if name not in ("meterbridge",)}


def test_a_trixie_card_gets_what_cloud_init_reads(tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]) -> None:
    order = _order(tmp_path, site)
    made = _make(order, wheels)
    files = _files(order.output)
    assert set(files) == {"meta-data", "user-data", "network-config", "cmdline.txt", "config.txt"}
    assert files["meta-data"] == f'instance-id: "{made.instance}"\nlocal-hostname: "meter-007"\n'
    assert files["user-data"].startswith("#cloud-config\n")
    assert '  - "sh"\n    - "/boot/firmware/meterbridge/install.sh"' in files["user-data"]
    assert "ntp.example.org" in files["user-data"]
    words = files["cmdline.txt"].split()
    assert words[-1] == f"ds=nocloud;i={made.instance}"
    assert files["cmdline.txt"].count("ds=nocloud") == 1
    assert files["cmdline.txt"].count("\n") == 1
    assert not [word for word in words if word.startswith("console=serial0")]
    assert {"console=tty1", "root=PARTUUID=1234abcd-02", "init=/usr/lib/raspberrypi-sys-mods/firstboot"} < set(words)
    assert "wifis" not in files["network-config"]


def test_a_bookworm_card_gets_custom_toml_and_a_script_that_runs_once(
    tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]
) -> None:
    order = _order(tmp_path, site, "bookworm", "METER_003")
    _make(order, wheels)
    files = _files(order.output)
    assert set(files) == {"custom.toml", "firstrun.sh", "cmdline.txt", "config.txt", "user-data"}
    custom = tomllib.loads(files["custom.toml"])
    assert custom["config_version"] == 1
    assert custom["system"] == {"hostname": "meter-003"}
    assert (custom["wlan"]["ssid"], custom["wlan"]["password"], custom["wlan"]["password_encrypted"]) == (
        "campus-iot",
        "5" * 64,
        True,
    )
    script = files["firstrun.sh"].splitlines()
    first, install = (
        script.index("rm -f /boot/firmware/firstrun.sh"),
        script.index("sh /boot/firmware/meterbridge/install.sh"),
    )
    assert first < install
    assert script[first - 1] == "sed -i 's| systemd\\.[^ ]*||g' /boot/firmware/cmdline.txt"
    assert "systemd.run=/boot/firmware/firstrun.sh" in files["cmdline.txt"].split()
    assert "ds=nocloud" not in files["cmdline.txt"]


@pytest.mark.parametrize(
    ("meter", "lines"),
    [
        ("METER_003", ["enable_uart=1", "dtoverlay=disable-bt", "dtparam=i2c_arm=on", "dtoverlay=i2c-rtc,ds3231"]),
        ("METER_007", []),
        ("METER_008", ["enable_uart=1", "dtoverlay=uart0-pi5,rs485"]),
    ],
)
def test_config_txt_says_what_the_board_needs_and_keeps_the_rest(
    tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...], meter: str, lines: list[str]
) -> None:
    order = _order(tmp_path, site, meter=meter)
    _make(order, wheels)
    text = _files(order.output)["config.txt"]
    assert text.startswith(cards.CONFIG_TXT.rstrip("\n"))
    ours = text.split("down to the line that says end\n")[1].splitlines()
    assert ours == ["[all]", "dtparam=watchdog=on", *lines, "# meterbridge: end"]


def test_the_nodes_folder_holds_all_that_its_installation_needs(
    tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]
) -> None:
    order = _order(tmp_path, site)
    made = _make(order, wheels)
    with fat_volume(order.output, read_layout(order.output).boot) as volume:
        assert set(volume.names("/meterbridge")) == {"agent.toml", "install.sh", "owner", "wheels", "SHA256SUMS"}
        assert set(volume.names("/meterbridge/wheels")) == {wheel.path.name for wheel in wheels}
        assert volume.read("/meterbridge/install.sh") == INSTALL
        assert volume.read("/meterbridge/owner") == f"{OWNER}\n".encode()
        assert parse(volume.read("/meterbridge/agent.toml").decode(), "card").meter.id == "METER_007"
        for line in volume.read("/meterbridge/SHA256SUMS").decode().splitlines():
            digest, path = line.split("  ")
            assert hashlib.sha256(volume.read(f"/meterbridge/{path}")).hexdigest() == digest
            assert made.files[f"meterbridge/{path}"] == digest


def test_the_manifests_line_has_the_digests_of_image_base_and_every_file(
    tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]
) -> None:
    order = _order(tmp_path, site)
    before = order.base.read_bytes()
    made = _make(order, wheels)
    assert made.image_sha256 == hashlib.sha256(order.output.read_bytes()).hexdigest()
    assert made.base_sha256 == hashlib.sha256(before).hexdigest()
    assert order.base.read_bytes() == before
    assert order.output.stat().st_mode & 0o777 == 0o600, "the RPC's address is in it"
    assert (made.at, made.image_bytes, made.version) == (1_900_000_000, len(before), "0.1.0")
    hidden = (site.chain.rpc, "5" * 64, OWNER, "AAAAC3")
    assert not [secret for secret in hidden if secret in manifest.line_of(made)]


def test_a_packed_base_gives_the_same_node(tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]) -> None:
    order = _order(tmp_path, site)
    packed = tmp_path / "trixie.img.xz"
    packed.write_bytes(lzma.compress(order.base.read_bytes(), preset=0))
    plain = _make(order, wheels)
    again = _make(replace(order, base=packed, output=tmp_path / "b.img"), wheels)
    assert (again.files, again.instance) == (plain.files, plain.instance)
    assert again.base_sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()


def test_a_nodes_image_may_be_the_base_of_the_next(tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]) -> None:
    order = _order(tmp_path, site)
    first = _make(order, wheels)
    order = replace(order, base=order.output, output=tmp_path / "b.img", generation=2)
    second = _make(replace(order), wheels[:1])
    files = _files(order.output)
    assert files["config.txt"].count("# meterbridge: end") == 1
    assert files["cmdline.txt"].count("ds=nocloud") == 1
    with fat_volume(order.output, read_layout(order.output).boot) as volume:
        assert volume.names("/meterbridge/wheels") == (wheels[0].path.name,)
    assert first.instance.startswith("meter-007-g1-")
    assert second.instance.startswith("meter-007-g2-")


def test_the_instance_changes_with_what_the_node_is_made_from(
    tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]
) -> None:
    order = _order(tmp_path, site)
    gather = lambda _system: wheels  # noqa: E731
    first = rehearse(order, gather, Silent()).instance
    assert rehearse(order, gather, Silent()).instance == first
    assert rehearse(replace(order, generation=2), gather, Silent()).instance != first
    assert rehearse(replace(order, install=b"#!/bin/sh\nexit 1\n"), gather, Silent()).instance != first


def test_a_rehearsal_leaves_nothing(tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]) -> None:
    order = _order(tmp_path, site)
    packed = tmp_path / "trixie.img.xz"
    packed.write_bytes(lzma.compress(order.base.read_bytes(), preset=0))
    before = sorted(tmp_path.iterdir())
    plan = rehearse(replace(order, base=packed), lambda _system: wheels, Silent())
    assert sorted(tmp_path.iterdir()) == before
    assert plan.system.codename == "trixie"
    assert plan.takes < plan.free


def test_wheels_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]
) -> None:
    big = cards.make_wheel(tmp_path / "wheels", "big-1.0-py3-none-any.whl")
    big.write_bytes(b"\1" * (4 << 20))
    order = _order(tmp_path, site)
    with pytest.raises(
        FatError, match=r"bytes are needed on its boot partition and [\d,]+ are free; take a fresh image"
    ):
        _make(order, (*wheels, Wheel(big)))
    assert not order.output.exists()
    assert not list(tmp_path.glob("*.part"))


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(
    tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]
) -> None:
    order = _order(tmp_path, site)
    order.output.write_bytes(b"mine")
    with pytest.raises(BadOutput, match="there is a file already and it stays; --replace"):
        _make(order, wheels)
    assert order.output.read_bytes() == b"mine"
    _make(replace(order, replace=True), wheels)
    assert order.output.stat().st_size > 4 << 20


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        (lambda card: b"\0" * len(card), NoCardImage, "no partition table in it; name an image of Raspberry Pi OS"),
        (lambda card: card[:450] + b"\x83" + card[451:], NoCardImage, "its first partitions are not FAT and Linux"),
        (lambda card: card[: len(card) // 2], NoCardImage, "it ends before its partitions do"),
        (
            lambda card: card.replace(b"VERSION_CODENAME=trixie", b"VERSION_CODENAME=buster"),
            SystemUnknown,
            "holds Debian",
        ),
        (lambda card: card.replace(b"ld-linux-aarch64", b"ld-linux-armhf__"), SystemUnknown, "no 64-bit system"),
        (lambda card: card.replace(b"cloud-init", b"cloud-none"), SystemUnknown, "take one of 2025-11-24 or later"),
        (lambda card: card.replace(b"python3.13", b"python3.99"), SystemUnknown, "has no Python 3.13"),
        (lambda card: card.replace(b"\x53\xef", b"\0\0"), SystemUnknown, "holds no ext4 file system"),
        (lambda card: card.replace(b"root=PART", b"toor=PART"), OddCommandLine, "not one line with root="),
        (lambda card: card.replace(b"CMDLINE TXT", b"CMDLINE OLD"), FatError, "there is no file /cmdline.txt"),
        (lambda card: card[: 2048 * 512] + bytes(512) + card[2049 * 512 :], FatError, "no FAT file system"),
    ],
)
def test_a_base_that_is_not_what_it_should_be_is_refused(
    tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...], change: object, error: type[Exception], told: str
) -> None:
    order = _order(tmp_path, site)
    assert callable(change)
    order.base.write_bytes(change(order.base.read_bytes()))
    with pytest.raises(error, match=told):
        _make(order, wheels)
    assert not order.output.exists()
    assert not list(tmp_path.glob("*.part"))


def test_a_cut_download_is_refused(tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]) -> None:
    order = _order(tmp_path, site)
    packed = tmp_path / "cut.img.xz"
    whole = lzma.compress(order.base.read_bytes(), preset=0)
    packed.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnpackError, match=r"it is no whole .xz file \(it ends too early\); download it again"):
        _make(replace(order, base=packed), wheels)
    with pytest.raises(UnpackError, match="cannot be read"):
        _make(replace(order, base=tmp_path / "none.img"), wheels)


def test_a_byte_that_the_card_did_not_keep_is_noticed(
    tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from meterprov import image

    honest = image._write

    def forgetful(path: Path, layout: image.CardLayout, plan: image.Plan) -> None:
        honest(path, layout, plan)
        card = path.read_bytes()
        path.write_bytes(card.replace(b"METER_007", b"METER_00?"))

    monkeypatch.setattr(image, "_write", forgetful)
    order = _order(tmp_path, site)
    with pytest.raises(FatError, match=r"agent\.toml reads back otherwise than it was written"):
        _make(order, wheels)
    assert not order.output.exists()


def test_programs_of_ones_own_travel_along(tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]) -> None:
    idl = tmp_path / "programs-ours" / "idl"
    idl.mkdir(parents=True)
    order = replace(_order(tmp_path, site), programs=idl.parent)
    with pytest.raises(PayloadError, match="no IDLs in its folder idl"):
        _make(order, wheels)
    (idl / "oracle.json").write_text(json.dumps({"address": "x"}))
    made = _make(order, wheels)
    assert "meterbridge/programs/idl/oracle.json" in made.files


def test_what_is_gathered_is_for_the_system_on_the_card(
    tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]
) -> None:
    asked: list[System] = []

    def gather(system: System) -> tuple[Wheel, ...]:
        asked.append(system)
        return wheels

    for codename in ("trixie", "bookworm"):
        rehearse(_order(tmp_path, site, codename), gather, Silent())
    assert [system.tag for system in asked] == ["cp313", "cp311"]


def test_a_serial_number_that_the_wire_does_not_tell_travels_as_the_plates(
    tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]
) -> None:
    order = _order(tmp_path, site)
    silent = order.meter.model_copy(update={"profile": "ddsu666", "serial": "A123"})
    made = _make(replace(order, meter=silent), wheels)
    assert "meterbridge/label" in made.files
    with fat_volume(order.output, read_layout(order.output).boot) as volume:
        assert volume.read("/meterbridge/label") == b"A123\n"
        assert "serial" not in tomllib.loads(volume.read("/meterbridge/agent.toml").decode())["meter"]
    telling = order.meter.model_copy(update={"serial": "10000007"})
    assert "meterbridge/label" not in _make(replace(order, meter=telling, replace=True), wheels).files


def test_a_machine_without_the_extra_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("meterprov.extra.find_spec", lambda name: None if name == "fatfs" else name)
    assert main(["provision", "image", "base.img", "--site", "s", "--node", "M", "-o", "o"]) == 2
    assert capsys.readouterr().err == "meterbridge: missing here: fatfs; pip install 'meterbridge[provision]'\n"


def test_a_card_for_a_later_install_says_so_to_its_node(
    tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]
) -> None:
    order = _order(tmp_path, site)
    first = rehearse(order, lambda _system: wheels, Silent())
    later = rehearse(replace(order, claim_install=3), lambda _system: wheels, Silent())
    assert "/meterbridge/claim-install" not in first.files
    assert later.files["/meterbridge/claim-install"] == b"3\n"
    assert first.instance != later.instance


def test_an_output_that_would_mislead_or_hurt_is_refused(
    tmp_path: Path, site: SiteFile, wheels: tuple[Wheel, ...]
) -> None:
    order = _order(tmp_path, site)
    before = order.base.read_bytes()
    with pytest.raises(BadOutput, match=r"not packed; leave out \.xz"):
        _make(replace(order, output=tmp_path / "node.img.xz"), wheels)
    with pytest.raises(BadOutput, match="this is the base, and it stays; name another file"):
        _make(replace(order, output=order.base, replace=True), wheels)
    with pytest.raises(UnpackError, match=r"cannot be made .* name a file in a folder of yours"):
        _make(replace(order, output=tmp_path / "none" / "node.img"), wheels)
    assert order.base.read_bytes() == before
