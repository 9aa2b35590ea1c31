"""What reaches a meter: requests that read, to one meter; nothing that comes over USB changes that."""

import pytest
from bridge import guard
from bridge.rtu import with_crc
from hypothesis import given
from hypothesis import strategies as st
from tests.firmware.bench import OWN, Bench

READS = (
    bytes((1, 3, 0, 0, 0, 2)),
    bytes((7, 4, 0x10, 0, 0, 60)),
    bytes((1, 0x2B, 0x0E, 1, 0)),
    bytes((1, 0x14, 7, 6, 0, 4, 0, 1, 0, 2)),
)
OTHERS = (
    bytes((1, 6, 0, 1, 0, 0)),
    bytes((1, 5, 0, 1, 0xFF, 0)),
    bytes((1, 16, 0, 0, 0, 1, 2, 0, 0)),
    bytes((1, 1, 0, 0, 0, 8)),
    bytes((1, 0x17, 0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 0)),
    bytes((1, 0x2B, 0x0D, 0, 0)),
    bytes((1, 0x42)),
    bytes((1, 0x15, 7, 6, 0, 4, 0, 1, 0, 1)),
    bytes((0, 3, 0, 0, 0, 2)),
    bytes((0, 6, 0, 1, 0, 0)),
)


@pytest.mark.parametrize("body", READS)
def test_a_read_passes(body: bytes) -> None:
    bench = Bench()
    bench.ask(with_crc(body), 0.2)
    assert bench.sent == [with_crc(body)]
    assert bench.bridge.counters.drops == 0


@pytest.mark.parametrize("body", OTHERS)
def test_all_else_is_dropped_and_counted(body: bytes) -> None:
    bench = Bench()
    assert bench.ask(with_crc(body), 0.2) == b""
    assert bench.sent == []
    assert bench.bridge.counters.drops == 1


@pytest.mark.parametrize("body", [*READS, *OTHERS])
def test_the_service_switch_lets_everything_pass(body: bytes) -> None:
    bench = Bench()
    bench.contacts.service = True
    bench.ask(with_crc(body), 0.2)
    assert bench.sent == [with_crc(body)]


def test_the_guard_is_back_as_soon_as_the_switch_opens() -> None:
    bench = Bench()
    bench.contacts.service = True
    bench.ask(with_crc(OTHERS[0]), 1.5)
    bench.contacts.service = False
    bench.ask(with_crc(OTHERS[0]), 0.2)
    assert len(bench.sent) == 1


@pytest.mark.parametrize("function", [3, 4, 6, 16, 0x2B, 0x42])
def test_frames_for_the_bridge_never_reach_the_wire(function: int) -> None:
    bench = Bench()
    body = bytes((OWN, function, 1, 0, 0, OWN if function == 6 else 1)) + (
        bytes((2, 0, OWN)) if function == 16 else b""
    )
    bench.ask(with_crc(body[:2] if function == 0x42 else body), 0.2)
    bench.contacts.service = True
    bench.ask(with_crc(body[:2] if function == 0x42 else body), 0.2)
    assert bench.sent == []


def test_a_damaged_request_is_not_sent() -> None:
    bench = Bench()
    bench.ask(with_crc(READS[0])[:-1] + b"\0", 0.2)
    assert bench.sent == []
    assert bench.bridge.counters.usb_errors == 1


def test_a_request_that_ends_too_early_is_none() -> None:
    bench = Bench()
    bench.contacts.service = True
    for body in (bytes((1, 16, 0, 0, 0, 2, 4, 0, 1)), bytes((OWN, 16, 1, 0, 0, 2, 4, 0, 1)), bytes((1, 3, 0, 0))):
        assert bench.ask(with_crc(body), 0.1) == b""
    assert bench.sent == []
    assert bench.bridge.counters.usb_errors == 3


@given(st.lists(st.binary(max_size=24), max_size=12), st.integers(0, 3))
def test_no_bytes_over_usb_open_the_guard(chunks: list[bytes], pause: int) -> None:
    bench = Bench()
    for chunk in chunks:
        bench.ask(chunk, 0.01 * pause + 0.001)
        bench.ask(with_crc(chunk[:-2]) if len(chunk) > 3 else chunk, 0.03)
    for body in OTHERS:
        bench.ask(with_crc(body), 0.03)
    assert all(guard.passes(frame, service_closed=False) for frame in bench.sent)
    assert all(frame[0] != 0 and frame[1] in (3, 4, 0x14, 0x2B) for frame in bench.sent)


@given(st.data())
def test_a_request_passes_however_usb_cuts_it(data: st.DataObject) -> None:
    bench = Bench()
    frames = b"".join(
        with_crc(body) for body in data.draw(st.lists(st.sampled_from([*READS, *OTHERS[:4]]), max_size=3))
    )
    while frames:
        size = data.draw(st.integers(1, len(frames)))
        bench.ask(frames[:size], 0.005)
        frames = frames[size:]
    bench.let_pass(0.3)
    assert all(with_crc(frame[:-2]) == frame and frame[:-2] in READS for frame in bench.sent)
    assert bench.bridge.counters.usb_errors == 0
