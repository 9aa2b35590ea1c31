"""The site file: mistakes are told all at once with what to write instead; what is secret is not repeated."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from meterbridge.__main__ import main
from meteredge.config import ConfigError, parse
from meteredge.privacy import shown, unmarked
from meterprov.agent_toml import agent_toml
from meterprov.site_example import example
from meterprov.site_file import MeterDefaults, NoSuchMeter, SiteFile, SiteFileError, load_site
from meterprov.wifi import BadPassphrase, psk_of

WIFI = f'[network.wifi]\nssid = "campus-iot"\npsk = "{"5" * 64}"\ncountry = "TH"\n'
OWNER = "7iLnNGkZnKCuQjT9KG3QxXYvQy8aUz4XCyjpLxNJofhy"


def _load(tmp_path: Path, text: str) -> SiteFile:
    path = tmp_path / "site.toml"
    path.write_text(text)
    return load_site(path)


def test_the_example_describes_fifteen_nodes_that_their_agents_accept(tmp_path: Path) -> None:
    site = _load(tmp_path, example())
    assert [meter.id for meter in site.meters] == [f"METER_{n:03}" for n in range(1, 16)]
    for meter in site.meters:
        config = parse(agent_toml(site, meter), meter.id)
        assert (config.meter.id, config.meter.profile, config.site.domain) == (
            meter.id,
            meter.profile,
            site.site.domain,
        )


def test_the_example_shows_every_key_that_the_file_may_have() -> None:
    seen = set(re.findall(r"^#? ?([a-z_]+) = ", example(), re.MULTILINE))
    tables = SiteFile.model_json_schema(by_alias=True)["$defs"].values()
    assert {key for table in tables for key in table["properties"]} - seen == {"wifi"}
    assert "[network.wifi]" in example()


def test_no_field_is_without_a_mark() -> None:
    assert list(unmarked(SiteFile)) == []


def test_nothing_personal_or_secret_is_left_in_the_redacted_file(tmp_path: Path) -> None:
    text = example().replace("[access]", f"{WIFI}[access]").replace("[defaults]", f'[defaults]\nowner = "{OWNER}"')
    site = _load(tmp_path, text)
    there = json.dumps(shown(site))
    for hidden in ("devnet", "campus-iot", "5" * 64, "AAAAC3", OWNER):
        assert hidden in site.model_dump_json()
        assert hidden not in there
    assert "METER_007" in there


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[access]", "[acess]", r"unknown key 'acess'; did you mean 'access'"),
        ("[access]", "[access]\nsudoo = true", r"unknown key 'access.sudoo'; did you mean 'sudo'"),
        ('id = "METER_003"', 'id = "METER_003"\nprofil = "x"', r"unknown key 'meters\[METER_003\].profil'; did you"),
        ('id = "METER_003"', 'id = "METER_003"\nunit = 0', r"'meters\[METER_003\].unit' is 0: input should be greater"),
        ('id = "METER_003"', 'idd = "METER_003"', r"'meters\[3\].id' is missing"),
        ('id = "METER_003"', 'id = "meter 3"', r"'meters\[meter 3\].id': meter id 'meter 3': 1 to 16 characters"),
        ('id = "METER_003"', 'id = "METER_004"', r"2 have the hostname meter-004 \(METER_004, METER_004\)"),
        ('id = "METER_003"', 'id = "METER-004"', r"2 have the hostname meter-004"),
        ('id = "METER_003"', 'id = "METER_003"\nserial = "10000001"', r"2 have the serial 10000001"),
        ('profile = "sdm120"', 'profile = "sdm12O"', r"'defaults.profile': no profile 'sdm12O'; there is"),
        (
            '"vector"          # how meters',
            '"per_phase" # how meters',
            r"METER_004\]': it adds its phases as vector, the",
        ),
        ('phase_accounting = "vector"          # how meters', "#", r"'site.phase_accounting' is missing: METER_004"),
        ('phase_accounting = "vector"          # how this', 'phase_accounting = "both" # how this', r"is 'both'"),
        (
            'id = "METER_003"',
            'id = "METER_003"\nphase_accounting = "vector"',
            r"sdm120 has one phase; take the key out",
        ),
        (
            '"/dev/serial/by-id/usb-FTDI_FT232R_USB_UART-if00-port0"',
            '"/dev/ttyUSB0"',
            r"may be another adapter tomorrow",
        ),
        (
            'board = "pi5"',
            'board = "pi3"',
            r"driver_enable = \"rts\" needs another board or an adapter .* Raspberry Pi 3",
        ),
        (
            'board = "pi5"',
            'board = "pi4"',
            r"needs port = /dev/ttyAMA3 or /dev/ttyAMA5 on a Raspberry Pi 4; rtc = 'board'",
        ),
        (
            'port = "/dev/ttyAMA0"',
            'port = "/dev/ttyAMA3"',
            r"a Raspberry Pi 5 has /dev/ttyAMA0, /dev/ttyAMA2 on its header",
        ),
        ('board = "pi4"', 'board = "zero2w"', r"'network.wifi' is missing: it is all that METER_001, METER_002"),
        (
            'board = "pi4"',
            'board = "pi9"',
            r"'defaults.board' is 'pi9': input should be 'zero2w', 'pi3', 'pi4' or 'pi5'",
        ),
        ('id = "METER_003"', 'id = "METER_003"\naddress = "192.0.2.3/24"', r"'network.gateway' is missing: METER_003"),
        ('id = "METER_003"', 'id = "METER_003"\naddress = "192.0.2.3"', r"no address in a network; write one like"),
        ("[network]", '[network]\nntp = ["no such host"]', r"'no such host' is no host; write a name like"),
        ("[network]", '[network]\nnameservers = ["1.2.3"]', r"'1.2.3' is no address; write one like 192.0.2.1"),
        ('user = "technician"', 'user = "root"', r"'root': a name of a-z, 0-9, - and _ is expected, neither root"),
        ('    "ssh-ed25519', '    "ssh-ed25519 AAAA", "ssh-ed25519', r"the ssh-ed25519 key is cut or damaged"),
        ('timezone = "Asia/Bangkok"', 'timezone = "Bangkok"', r"'Bangkok' is no time zone; write a name like"),
        (
            '"0011223344556677"',
            '"00"',
            r"'site.domain' is '00'; write the 16 hexadecimal digits that `meterbridge site",
        ),
        ("max_export_w = 5000", "", r"'meters\[METER_001\].max_export_w' is missing"),
        ("[defaults]", '[defaults]\nowner = "nobody"', r"'defaults.owner': no wallet; an address of 32 to 44"),
        ("[[meters]]", "meters = []\n[[metres]]", r"unknown key 'metres'; did you mean 'meters'"),
        ("[access]", 'meters = "none"\n[access]', r"unknown key 'network.meters'"),
        ("schema = 1", "schema = 2", r"'schema' is 2: input should be 1"),
        ("[site]", "[site", r"not TOML"),
    ],
)
def test_each_mistake_is_told_with_file_key_and_next_step(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = example()
    assert old in text
    with pytest.raises(SiteFileError, match=told) as refused:
        _load(tmp_path, text.replace(old, new, 1))
    assert all(line.startswith(str(tmp_path / "site.toml")) for line in str(refused.value).splitlines())


def test_all_mistakes_are_told_at_once_and_each_once(tmp_path: Path) -> None:
    text = (
        example().replace("unit = 1 ", "unit = 0 ").replace("[access]", "[acess]").replace("schema = 1", "schema = 3")
    )
    with pytest.raises(SiteFileError) as refused:
        _load(tmp_path, text)
    lines = str(refused.value).splitlines()
    assert sorted(line.split(": ", 1)[1].split(" is")[0].split(";")[0] for line in lines) == [
        "'access'",
        "'defaults.unit'",
        "'schema'",
        "unknown key 'acess'",
    ]


def test_a_secret_is_not_repeated_even_where_it_is_wrong(tmp_path: Path) -> None:
    wrong = WIFI.replace("5" * 64, "correct horse battery staple")
    text = example().replace("[access]", f"{wrong}[access]").replace("https://api", "hunter2://api")
    with pytest.raises(
        SiteFileError, match=r"'network.wifi.psk' is not what it should be .* never the passphrase"
    ) as it:
        _load(tmp_path, text)
    assert "horse" not in str(it.value)
    assert "hunter2" not in str(it.value)
    with pytest.raises(SiteFileError, match="no public SSH key") as it:
        _load(tmp_path, example().replace("ssh-ed25519 AAAA", "PRIVATE KEY BBBB"))
    assert "BBBB" not in str(it.value)


def test_a_meter_says_otherwise_than_the_defaults(tmp_path: Path) -> None:
    site = _load(tmp_path, example())
    assert (site.meter("METER_004").profile, site.meter("METER_004").max_import_w) == ("sdm630", 22_000)
    assert (site.meter("METER_005").profile, site.meter("METER_005").max_import_w) == ("sdm120", 10_000)
    with pytest.raises(NoSuchMeter, match="no meter 'METER_016'; it has METER_001"):
        site.meter("METER_016")


def test_a_meter_of_unknown_phase_accounting_deserves_a_look(tmp_path: Path) -> None:
    text = example().replace('phase_accounting = "vector"          # how this', "# how this")
    (warning,) = _load(tmp_path, text).warnings()
    assert warning.startswith("METER_004: how sdm630 adds its phases is not known")


def test_defaults_are_keys_that_meters_have() -> None:
    from meterprov.site_file import MeterTable

    assert set(MeterDefaults.model_fields) < set(MeterTable.model_fields)


def test_the_agent_is_told_how_its_site_and_its_meter_add_three_phases(tmp_path: Path) -> None:
    site = _load(tmp_path, example())
    config = parse(agent_toml(site, site.meter("METER_004")), "METER_004")
    assert (config.site.phase_accounting, config.meter.phase_accounting) == ("vector", "vector")
    assert parse(agent_toml(site, site.meter("METER_001")), "METER_001").meter.phase_accounting is None


def test_the_agents_file_keeps_quotes_and_backslashes_whole(tmp_path: Path) -> None:
    site = _load(tmp_path, example().replace('name = "engineering"', 'name = "a \\"b\\" \\\\ ü"'))
    text = agent_toml(site, site.meter("METER_001"))
    assert tomllib.loads(text)["site"]["name"] == 'a "b" \\ ü'


def test_a_node_that_its_agent_would_refuse_is_not_made(tmp_path: Path) -> None:
    site = _load(tmp_path, example())
    broken = site.meter("METER_001").model_copy(update={"unit": 300})
    with pytest.raises(ConfigError, match=r"agent.toml of METER_001: 'meter.unit' is 300"):
        agent_toml(site, broken)


def test_a_passphrase_becomes_the_key_of_the_standards_example() -> None:
    """IEEE 802.11i, annex H.4.2."""
    assert psk_of("IEEE", "password") == "f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e"
    with pytest.raises(BadPassphrase, match="8 to 63") as refused:
        psk_of("IEEE", "short")
    assert "short" not in str(refused.value)


def test_the_commands_write_check_and_show_a_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "site.toml"
    assert main(["provision", "site", "new", str(path)]) == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert main(["provision", "site", "new", str(path)]) == 2
    assert "there is a file already and it stays" in capsys.readouterr().err
    assert main(["provision", "site", "check", str(path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["meters"]) == 15
    path.chmod(0o644)
    assert main(["provision", "site", "check", str(path)]) == 0
    assert "others may read it, and secrets are in it; run: chmod 600" in capsys.readouterr().err
    assert main(["provision", "site", "show", str(path)]) == 0
    assert re.search(r"^chain\.rpc +\(secret, not shown\)$", capsys.readouterr().out, re.MULTILINE)
    assert main(["provision", "site", "show", str(path), "--everything", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["chain"]["rpc"] == "https://api.devnet.solana.com"
    assert main(["provision", "site", "schema"]) == 0
    assert '"privacy": "secret"' in capsys.readouterr().out


def test_the_command_refuses_a_site_with_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "site.toml"
    path.write_text(example().replace("[access]", "[acess]"))
    assert main(["provision", "site", "check", str(path)]) == 2
    assert "did you mean 'access'" in capsys.readouterr().err
