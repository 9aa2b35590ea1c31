"""The agent's configuration: what is wrong is named, with what to write instead."""

import tomllib
from pathlib import Path

import pytest

from meteredge.config import AgentConfig, ConfigError, load

GOOD = """
schema = 1

[site]
name = "engineering"
domain = "0011223344556677"
timezone = "Asia/Bangkok"

[meter]
id = "METER_001"
profile = "sdm120"
unit = 1

[bus]
port = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A1B2C3D4-if00-port0"

[key]
file = "/var/lib/meterbridge/meter.key"

[chain]
rpc = "https://api.devnet.solana.com"
relayer = "/var/lib/meterbridge/relayer.json"
"""


def _load(tmp_path: Path, text: str) -> AgentConfig:
    path = tmp_path / "agent.toml"
    path.write_text(text)
    return load(path)


def test_a_good_file_is_read_and_the_rest_has_defaults(tmp_path: Path) -> None:
    config = _load(tmp_path, GOOD)
    assert config.domain == bytes.fromhex("0011223344556677")
    assert config.journal_path == Path("/var/lib/meterbridge/METER_001.journal")
    assert (config.bus.baud, config.bus.poll_s, config.chain.settle_every) == (None, 10.0, 4)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("unit = 1", "unit = 1\nprofil = 3", r"unknown key 'meter.profil'; did you mean 'profile'"),
        ("[bus]", "[buss]", r"unknown key 'buss'; did you mean 'bus'"),
        ("unit = 1", "unit = 1\nzzzzzz = 3", r"unknown key 'meter.zzzzzz'; known here are id, profile, unit"),
        ("unit = 1", "", r"'meter.unit' is missing"),
        ("unit = 1", "unit = 0", r"'meter.unit' is 0: input should be greater than or equal to 1"),
        ("unit = 1", 'unit = "1"', r"'meter.unit' is '1': input should be a valid integer"),
        ('"METER_001"', '"meter 1"', r"'meter.id': meter id 'meter 1': 1 to 16 characters of A-Z"),
        ('"0011223344556677"', '"00112233"', r"'site.domain' is '00112233'; write the 16 hexadecimal digits"),
        ('"Asia/Bangkok"', '"Bangkok"', r"'Bangkok' is no time zone; write a name like Asia/Bangkok"),
        ('"https://api.devnet.solana.com"', '"devnet"', r"'devnet' is no RPC address"),
        ("[chain]", "[key2]\n[chain]", r"unknown key 'key2'; did you mean 'key'"),
        ('file = "/var', 'credential = "meter.key"\nfile = "/var', r"'key': write either file"),
        ("[chain]", "[chain]\nsettle_every = 97", r"'chain.settle_every' is 97: input should be less than or equal"),
        ("[bus]", '[bus]\nframing = "7E1"', r"'bus.framing' is '7E1'; write 8N1, 8E1"),
        ("schema = 1", "schema = 2", r"'schema' is 2: input should be 1"),
        ("[meter]", "[meter", r"not TOML"),
    ],
)
def test_each_mistake_is_told_with_file_key_and_next_step(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        _load(tmp_path, GOOD.replace(old, new, 1))
    assert str(tmp_path / "agent.toml") in str(refused.value)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        _load(tmp_path, GOOD.replace("unit = 1", "unitt = 1"))
    assert len(str(refused.value).splitlines()) == 2


def test_a_missing_file_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file; name the agent's configuration with --config FILE"):
        load(tmp_path / "none.toml")


def test_the_annotated_file_of_the_documentation_is_accepted_and_shows_every_key(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "agent.md").read_text("utf-8")
    text = page.split("```toml\n", 1)[1].split("```", 1)[0]
    config = _load(tmp_path, text)
    shown = {f"{table}.{key}" for table, keys in tomllib.loads(text).items() if table != "schema" for key in keys}
    known = {
        f"{table}.{key}"
        for table, keys in (config.model_dump(by_alias=True) | {"meter": config.meter.model_dump()}).items()
        if table not in {"schema", "relay"}  # who pays is either a wallet or a relay
        for key in keys
    }
    assert known - shown == {
        "chain.programs", "key.credential", "meter.key", "meter.phase_accounting", "site.phase_accounting",
    }  # fmt: skip


def test_the_relay_of_the_documentation_takes_the_place_of_the_wallet(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "relay.md").read_text("utf-8")
    text = page.split("```toml\n", 1)[1].split("```", 1)[0]
    config = _load(tmp_path, GOOD.replace('relayer = "/var/lib/meterbridge/relayer.json"\n', "") + text)
    assert config.relay is not None
    assert all(config.relay.model_dump().values()), "every key is shown"


# --- several meters on one bus

SEVERAL = GOOD.replace(
    """[meter]
id = "METER_001"
profile = "sdm120"
unit = 1
""",
    """[[meter]]
id = "METER_001"
profile = "sdm120"
unit = 1
key = { file = "/var/lib/meterbridge/METER_001.key" }

[[meter]]
id = "METER_002"
profile = "sdm630"
unit = 2
key = { credential = "METER_002.key" }
""",
).replace('[key]\nfile = "/var/lib/meterbridge/meter.key"\n', "")


def test_several_meters_have_a_key_a_journal_and_a_status_each(tmp_path: Path) -> None:
    config = _load(tmp_path, SEVERAL)
    one, two = config.each()
    assert (one.meter.id, two.meter.id) == ("METER_001", "METER_002")
    assert (one.key.file, two.key.credential) == ("/var/lib/meterbridge/METER_001.key", "METER_002.key")
    assert one.journal_path != two.journal_path
    assert one.status_path != two.status_path
    assert one.socket_path == two.socket_path == config.socket_path
    assert config.of("METER_002") == two


def test_a_meter_alone_has_the_key_of_the_file_or_its_own(tmp_path: Path) -> None:
    alone = _load(tmp_path, GOOD)
    assert alone.key.file == "/var/lib/meterbridge/meter.key"
    assert alone.each() == (alone.of(),)
    own = _load(tmp_path, SEVERAL.split("[[meter]]")[0] + "[[meter]]" + SEVERAL.split("[[meter]]")[1] + _rest())
    assert own.key.file == "/var/lib/meterbridge/METER_001.key"


def _rest() -> str:
    return SEVERAL[SEVERAL.index("[bus]") :]


def test_which_of_several_meters_is_never_guessed(tmp_path: Path) -> None:
    config = _load(tmp_path, SEVERAL)
    with pytest.raises(ConfigError, match="several meters; name one of them: --meter METER_001, METER_002"):
        config.meter  # noqa: B018
    with pytest.raises(ConfigError, match="there is no meter METER_009; this configuration has METER_001, METER_002"):
        config.of("METER_009")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("unit = 2", "unit = 1", "two meters have the same unit 1"),
        ('"METER_002"', '"METER_001"', "two meters have the same id METER_001"),
        ('{ credential = "METER_002.key" }', '{ file = "/var/lib/meterbridge/METER_001.key" }', "the same key"),
        ('key = { credential = "METER_002.key" }', "", r"meter METER_002 has no key; write key = \{ file"),
        ("[chain]", '[key]\nfile = "x"\n[chain]', r"\[key\] is for one meter alone"),
        ("[chain]", "[bridge]\nunit = 2\n[chain]", "two meters have the same unit 2"),
        ("unit = 2", "unit = 0", r"'meter\[METER_002\].unit' is 0"),
        ("unit = 2", "unit = 2\nbaud = 9600", r"unknown key 'meter\[METER_002\].baud'"),
    ],
)
def test_what_meters_on_one_bus_must_not_share_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        _load(tmp_path, SEVERAL.replace(old, new))


def test_one_meter_without_a_word_of_its_key_has_the_usual_one(tmp_path: Path) -> None:
    text = GOOD.replace('[key]\nfile = "/var/lib/meterbridge/meter.key"\n', "")
    assert _load(tmp_path, text).key.file == "/var/lib/meterbridge/meter.key"
