"""Windows: what a node publishes, and what a relay takes from a stranger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterchain.record import Record
from meterchain.relay import window
from meterchain.relay.window import MAGIC, MOST_ROWS, WindowError
from meterchain.units import InstallId, Mwh, Seq, Slot, UnixTime

DOMAIN = bytes(range(8))


def row(seq: int, meter_id: str = "METER_001", install: int = 1, domain: bytes = DOMAIN) -> tuple[bytes, bytes]:
    """A record and something in the place of its signature."""
    slot = Slot(1_767_225_600 + 900 * seq)
    record = Record(
        domain, meter_id, InstallId(install), Seq(seq), slot, UnixTime(slot + 900), Mwh(seq), Mwh(0), bytes(16)
    )
    return record.encode(), bytes([seq % 256]) * 64


@given(st.lists(st.integers(1, 2**40), min_size=1, max_size=MOST_ROWS, unique=True))
def test_a_window_survives_its_bytes(numbers: list[int]) -> None:
    rows = [row(seq) for seq in sorted(numbers)]
    read = window.decode(window.encode(rows))
    assert (read.meter_id, read.domain, read.install_id) == ("METER_001", DOMAIN, 1)
    assert [(each.encoded, each.signature) for each in read.rows] == rows


@given(st.binary(max_size=500))
def test_bytes_from_anybody_are_a_window_or_a_clear_refusal(noise: bytes) -> None:
    for payload in (noise, MAGIC + noise, MAGIC + row(1)[0] + noise):
        try:
            read = window.decode(payload)
        except WindowError:
            continue
        assert window.encode([(each.encoded, each.signature) for each in read.rows]) == payload


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([row(2), row(1)], id="out of order"),
        pytest.param([row(1), row(1)], id="one twice"),
        pytest.param([row(1), row(2, "METER_002")], id="two meters"),
        pytest.param([row(1), row(2, install=2)], id="two installs"),
        pytest.param([row(1), row(2, domain=bytes(8))], id="two sites"),
        pytest.param([], id="nothing"),
        pytest.param([row(n) for n in range(1, MOST_ROWS + 2)], id="too many"),
    ],
)
def test_what_no_node_would_publish_is_refused_on_both_sides(rows: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(WindowError):
        window.decode(MAGIC + b"".join(record + signature for record, signature in rows))
    with pytest.raises(WindowError):
        window.encode(rows)


def test_a_topic_names_the_meter_and_other_topics_none() -> None:
    name = window.topic(DOMAIN, "METER_001")
    assert window.meter_of(name, DOMAIN) == "METER_001"
    assert window.topics(DOMAIN, "relays") == f"$share/relays/{name.removesuffix('METER_001')}+"
    for other in (name + "/x", "meterbridge/x", "", name.lower(), window.topic(bytes(8), "METER_001")):
        with pytest.raises(WindowError):
            window.meter_of(other, DOMAIN)
