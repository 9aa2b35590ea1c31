"""Free text without secrets: what is known, in every spelling, and what looks like one."""

import base64
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.keypair import Keypair
from tests.meteredge.cabinet import KEY, Cabinet

from meterchain import base58
from meteredge.bundle.scrub import NOT_SHOWN, Scrubber, scrubber_of
from meteredge.config import AgentConfig, load
from meteredge.privacy import unmarked

RPC = "https://user:hunter2222@rpc.example.com/v2/0xAPIKEY123?api-key=QUERYKEY456&x=1"


def test_every_field_of_the_configuration_says_who_may_see_it() -> None:
    assert list(unmarked(AgentConfig)) == []


@pytest.fixture
def scrub(cabinet: Cabinet) -> Scrubber:
    cabinet.rpc = RPC
    return scrubber_of(load(cabinet.config))


SPELLINGS: list[Callable[[bytes], str]] = [
    bytes.hex,
    lambda raw: raw.hex().upper(),
    lambda raw: raw.hex(" "),
    base58.encode,
    lambda raw: base64.b64encode(raw).decode(),
    lambda raw: json.dumps(list(raw)),
    lambda raw: ",".join(map(str, raw)),
    lambda raw: repr(raw)[2:-1],
]


@pytest.mark.parametrize("spelt", SPELLINGS)
def test_the_meters_key_is_found_in_every_spelling(scrub: Scrubber, spelt: Callable[[bytes], str]) -> None:
    assert spelt(KEY) not in scrub(f"fatal: key was {spelt(KEY)} and nothing else")


@pytest.mark.parametrize("spelt", SPELLINGS)
def test_the_wallet_is_found_in_every_spelling(
    cabinet: Cabinet, scrub: Scrubber, spelt: Callable[[bytes], str]
) -> None:
    pair = bytes(json.loads((cabinet.folder / "relayer.json").read_text()))
    for raw in (pair, pair[:32]):
        assert spelt(raw) not in scrub(f"wallet {spelt(raw)}.")


@pytest.mark.parametrize("piece", [RPC, "0xAPIKEY123", "QUERYKEY456", "hunter2222"])
def test_pieces_of_the_rpcs_address_are_hidden_even_alone(scrub: Scrubber, piece: str) -> None:
    assert piece not in scrub(f"connecting to {piece} failed")


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("GET https://other.example.org/v1/abcdef?k=v 429", "abcdef"),
        ("https://me:pass@host.example/", "pass@"),
        ('wpa_supplicant: psk="correct horse battery"', "correct horse"),
        ("psk=" + "ab" * 32, "abab"),
        ("MQTT password: swordfish9", "swordfish9"),
        ("Authorization: Bearer eyJhbGciOi.x.y", "eyJhbGciOi"),
        ("X-Api-Key = k-123456", "k-123456"),
        pytest.param(str(list(bytes(Keypair()))), ", ", id="a wallet"),
        pytest.param(base58.encode(bytes(Keypair())), "1", id="a wallet in base58"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_though_nobody_knew_it(text: str, gone: str) -> None:
    scrubbed = Scrubber(())(text)
    assert gone not in scrubbed.replace(NOT_SHOWN, "")


@pytest.mark.parametrize(
    "text",
    [
        "unit 1 on /dev/ttyUSB0 (9600 baud 8N1) did not answer within 500 ms",
        "METER_001: slot 2026-06-21 12:00 closed, record 7",
        "signs with 9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin",
        "rx 01 04 04 43 66 33 34 1b 38",
        "https://api.devnet.solana.com",
        "site 0011223344556677",
    ],
)
def test_what_a_helper_needs_stays(text: str) -> None:
    assert Scrubber(())(text) == text


@given(st.text(max_size=200), st.text(alphabet="abcdefghijkl0123456789", min_size=8, max_size=40))
def test_a_known_secret_never_survives_wherever_it_stands(around: str, secret: str) -> None:
    assert secret not in Scrubber([secret])(f"{around}{secret}{around}")


def test_a_document_stays_one_whatever_its_texts_say() -> None:
    document = {"said": ['token="a b" and psk=x"y', 7, None, {"password: abcdef": "https://h/secret?x"}]}
    scrubbed = json.loads(json.dumps(Scrubber(["abcdef"]).document(document)))
    assert scrubbed["said"][1:3] == [7, None]
    assert "secret" not in json.dumps(scrubbed)
    assert "abcdef" not in json.dumps(scrubbed)
