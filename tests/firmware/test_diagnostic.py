"""The bridge as a Modbus slave: its map, its settings, and what of them survives a power cut."""

import struct
from decimal import Decimal

import pytest
from bridge import diagnostic, led, stored
from bridge.rtu import with_crc
from hypothesis import given
from hypothesis import strategies as st
from tests.firmware.bench import OWN, WORDS, Bench, Flash, NoValue

from meteredge.profiles import load
from metersim.bus.line import Line


def value(bench: Bench, name: str) -> Decimal | int | str:
    """A register by the profile's name."""
    profile = load("meterbridge-bridge")
    register = profile.register(name)
    return profile.decode(name, bench.read(register.address, register.words, OWN))


def test_the_map_says_what_the_profile_says() -> None:
    bench = Bench()
    bench.read(10, 6)
    bench.ask(with_crc(bytes((1, 6, 0, 1, 0, 0))), 0.1)
    bench.contacts.pulses = 7
    bench.let_pass(3.0)
    assert value(bench, "marker") == 0x4D42
    assert value(bench, "map_version") == 1
    assert value(bench, "firmware_version") == bench.bridge.version
    assert value(bench, "serial_number") == "e66141040325c2e0"
    assert value(bench, "uptime") == 3
    assert value(bench, "supply_voltage") == Decimal("4.987")
    assert (value(bench, "sent"), value(bench, "replies"), value(bench, "drops")) == (1, 1, 1)
    assert value(bench, "s0_pulses") == 7
    assert value(bench, "free_memory") == 80_000
    assert value(bench, "unit") == OWN
    assert value(bench, "baud") == 9_600
    assert value(bench, "late_reply_limit") == 1_000
    assert value(bench, "master_patience") == 0


def test_every_register_of_the_profile_can_be_read_and_no_other() -> None:
    bench = Bench()
    covered = set()
    for register in load("meterbridge-bridge").all_registers():
        bench.read(register.address, register.words, OWN)
        covered |= set(range(register.address, register.end))
    at = diagnostic.SETTINGS_AT
    assert covered == {*range(diagnostic.REGISTERS), *range(at, at + diagnostic.SETTINGS)}
    for address in (diagnostic.REGISTERS, at - 1, at + diagnostic.SETTINGS, 0xFFFF):
        assert bench.ask(with_crc(struct.pack(">BBHH", OWN, 4, address, 1)), 0.1)[1:3] == b"\x84\x02"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ((OWN, 3, 0, 0, 0, 0), 3),
        ((OWN, 3, 0, 0, 0, 126), 3),
        ((OWN, 6, 0, 0, 0, 1), 2),
        ((OWN, 6, 1, 0, 0, 0), 3),
        ((OWN, 6, 1, 0, 0, 248), 3),
        ((OWN, 6, 1, 1, 0, 97), 3),
        ((OWN, 6, 1, 2, 0, 4), 3),
        ((OWN, 6, 1, 3, 0, 1), 3),
        ((OWN, 16, 1, 0, 0, 2, 4, 0, 1), None),
        ((OWN, 6, 1, 5, 0, 19), 3),
        ((OWN, 16, 1, 5, 0, 2, 4, 0, 1, 0, 1), 2),
        ((OWN, 16, 1, 0, 0, 2, 2, 0, 1), 3),
        ((OWN, 5, 0, 0, 0, 0), 1),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(body: tuple[int, ...], code: int | None) -> None:
    bench = Bench()
    reply = bench.ask(with_crc(bytes(body)), 0.1)
    assert reply == (b"" if code is None else with_crc(bytes((OWN, body[1] | 0x80, code))))
    assert diagnostic.settings(bench.bridge.state) == [OWN, 96, 0, 1_000, 1_000, 0]


def test_baud_and_format_are_set_from_a_register_and_stored() -> None:
    bench = Bench(line=Line(38_400, "8E1"))
    with pytest.raises(NoValue):
        bench.read(10, 6)
    assert bench.ask(with_crc(struct.pack(">BBHHBHH", OWN, 16, 0x101, 2, 4, 384, 1)), 0.1)[:2] == bytes((OWN, 16))
    bench.let_pass(1.2)
    assert bench.read(10, 6) == list(WORDS[10:16])
    again = bench.restart()
    again.let_pass(0.01)
    assert again.lines[-1] == (38_400, 1)


def test_another_unit_id_is_answered_at_once_and_the_old_one_becomes_a_meters() -> None:
    bench = Bench()
    assert bench.write(0x100, 9)[:2] == bytes((OWN, 6))
    assert bench.read(0, 1, unit=9) == [0x4D42]
    with pytest.raises(NoValue):
        bench.read(0, 1, unit=OWN)
    assert bench.sent[-1][0] == OWN


def test_settings_that_cannot_be_stored_are_refused() -> None:
    bench = Bench()
    bench.flash.fails = "write"
    assert bench.write(0x100, 9) == with_crc(bytes((OWN, 0x86, 4)))
    assert bench.bridge.state.unit == OWN
    assert int(value(bench, "flags")) & diagnostic.STORAGE_FAILED


@given(st.lists(st.integers(1, 20), max_size=120), st.integers(0, 99))
def test_a_power_cut_loses_at_most_64_pulses(bursts: list[int], busy: int) -> None:
    bench = Bench()
    driven = 0
    for number, burst in enumerate(bursts):
        bench.contacts.pulses = burst
        driven += burst
        if number % 10 < busy // 10:
            bench.to_bridge += with_crc(bytes((1, 3, 0, 0, 0, 2)))
        bench.let_pass(0.001)
    kept = bench.restart().bridge.state.pulses
    assert driven - 64 - 20 <= kept <= driven
    assert bench.flash.writes <= driven / stored.SAVE_AT_REST


def test_pulses_that_come_one_by_one_are_never_64_behind() -> None:
    bench = Bench()
    for driven in range(1, 500):
        bench.contacts.pulses = 1
        bench.to_bridge += with_crc(bytes((1, 3, 0, 0, 0, 2)))
        bench.let_pass(0.001)
        assert driven - bench.restart().bridge.state.pulses <= 64


@pytest.mark.parametrize("cut", range(stored.SLOT_BYTES))
def test_a_cut_while_a_slot_is_written_leaves_the_other(cut: int) -> None:
    flash = Flash()
    store = stored.Store(flash)
    state = stored.State()
    for state.pulses in (100, 156):
        store.save(state)
    flash.slots[(state.writes + 1) & 1] = flash.slots[state.writes & 1][:cut]
    assert store.load().pulses == 156


def test_the_slots_of_the_first_firmware_are_still_read_and_what_it_did_not_know_is_off() -> None:
    flash = Flash()
    body = struct.pack(">2sBBHHHHQIHI", b"MB", 1, 9, 192, 1, 800, 500, 12_345, 6, 7, 8)
    flash.slots[0] = with_crc(body)
    bench = Bench(flash=flash)
    assert diagnostic.settings(bench.bridge.state) == [9, 192, 1, 800, 500, 0]
    assert (bench.bridge.state.pulses, bench.bridge.state.tamper_events) == (12_345, 6)
    assert bench.ask(with_crc(struct.pack(">BBHH", 9, 6, 0x105, 450)), 0.1, 8)[:2] == bytes((9, 6))
    assert diagnostic.settings(bench.restart().bridge.state) == [9, 192, 1, 800, 500, 450]
    assert bench.restart().bridge.state.pulses == 12_345


def test_a_slot_of_a_firmware_that_is_not_known_yet_is_none() -> None:
    state = bytearray(stored.State().to_bytes()[:-2])
    state[2] = 3
    assert stored.from_bytes(with_crc(bytes(state))) is None


def test_flash_that_cannot_be_read_is_never_overwritten() -> None:
    flash = Flash()
    first = Bench(flash=flash)
    first.contacts.pulses = 70
    first.let_pass(0.1)
    flash.fails = "read"
    blind = Bench(flash=flash)
    blind.contacts.pulses = 90
    blind.let_pass(62.0)  # what fails is tried again after a minute
    assert not blind.bridge.change_settings([OWN, 192, 0, 1_000, 1_000, 0])
    assert blind.bridge.led_code() == led.BROKEN
    flash.fails = ""
    assert blind.restart().bridge.state.pulses == 70


def test_a_tamper_event_is_counted_once_with_its_age_and_survives() -> None:
    bench = Bench()
    assert bench.bridge.tamper_age_s() == diagnostic.NEVER
    for _ in range(5):
        bench.contacts.door_open = not bench.contacts.door_open
        bench.let_pass(0.005)
    bench.let_pass(10.2)
    assert value(bench, "tamper_events") == 1
    assert value(bench, "tamper_age") == 10
    assert int(value(bench, "flags")) & diagnostic.TAMPER_OPEN
    assert bench.restart().bridge.state.tamper_events == 1


def test_a_door_that_rattles_does_not_wear_the_flash_out() -> None:
    bench = Bench()
    for _ in range(200):
        bench.contacts.door_open = not bench.contacts.door_open
        bench.let_pass(0.3)
    assert value(bench, "tamper_events") == 100
    assert bench.flash.writes <= 3
    bench.let_pass(61)
    assert bench.restart().bridge.state.tamper_events == 100


def test_a_reset_by_the_watchdog_is_told_and_counted() -> None:
    bench = Bench().restart(diagnostic.RESET_WATCHDOG).restart(diagnostic.RESET_WATCHDOG)
    assert (value(bench, "reset_cause"), value(bench, "watchdog_resets")) == (1, 2)
    bench = bench.restart()
    assert (value(bench, "reset_cause"), value(bench, "watchdog_resets")) == (0, 2)


def test_the_led_says_the_most_urgent_thing() -> None:
    bench = Bench()
    bench.let_pass(12)
    assert bench.bridge.led_code() == led.ALIVE
    bench.read(0, 2)
    bench.let_pass(2)
    assert bench.bridge.led_code() == led.TRAFFIC
    with pytest.raises(NoValue):
        bench.read(0, 2, unit=99)
    bench.let_pass(2)
    assert bench.bridge.led_code() == led.ERRORS
    bench.contacts.door_open = True
    bench.let_pass(1)
    assert bench.bridge.led_code() == led.TAMPER
    bench.contacts.service = True
    assert bench.bridge.led_code() == led.SERVICE


@pytest.mark.parametrize(
    ("code", "blinks"), [(led.ALIVE, 1), (led.TRAFFIC, 1), (led.ERRORS, 2), (led.TAMPER, 3), (led.SERVICE, 0)]
)
def test_each_code_of_the_led_looks_different(code: int, blinks: int) -> None:
    seen = [led.is_on(code, ms) for ms in range(0, led.PERIOD_MS, 10)]
    assert sum(now and not before for before, now in zip([seen[-1], *seen], seen, strict=False)) == blinks
    assert sum(seen) == {led.TRAFFIC: 100, led.SERVICE: 200}.get(code, 10 * blinks)


def test_the_clock_may_wrap() -> None:
    bench = Bench()
    bench.now_s = (1 << 30) / 1e6 - 0.01
    bench.let_pass(0.005)
    assert bench.read(10, 6) == list(WORDS[10:16])
    assert bench.now_s * 1e6 > 1 << 30
    assert bench.read(20, 6) == list(WORDS[20:26])
