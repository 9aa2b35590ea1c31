"""Every check: which fact leads to which verdict, and that the next step names what to do."""

from dataclasses import replace

import pytest
from tests.meteredge.doctor.facts import KEY, NOW, adapter, healthy, sick

from meteredge.doctor.checks import CHECKS, judge
from meteredge.doctor.facts import BridgeFacts, Culprit, Facts, LoadStep, Trouble, Unknown
from meteredge.doctor.sheet import Check, Verdict

FAIL, WARN, PASS, OUT = Verdict.FAIL, Verdict.WARN, Verdict.PASS, Verdict.NOT_APPLICABLE


def line(facts: Facts, name: str) -> Check:
    (found,) = (check for check in judge(facts).checks if check.name == name)
    return found


def test_a_healthy_node_has_nothing_to_do() -> None:
    assert judge(healthy()).problems == ()


def test_every_check_has_a_name_of_its_own() -> None:
    names = [check.name for check in judge(healthy()).checks]
    assert len(set(names)) == len(names) == len(CHECKS)


def test_a_node_of_which_nothing_can_be_found_out_is_still_a_sheet() -> None:
    unknown = Unknown("no answer")
    facts = replace(
        healthy(), wire=unknown, meter=unknown, chain=unknown, journal=unknown, bridge=unknown,
        key=replace(healthy().key, public_key=unknown), clock=replace(healthy().clock, chain_ahead_s=unknown),
    )  # fmt: skip
    assert {check.name for check in judge(facts).problems} == {"chain", "journal"}


PORT = [
    ({"trouble": Trouble("port_missing", "it is not there", "plug it in"), "device": None, "agent_has_it": False},
     "port", FAIL, "plug it in"),
    ({"trouble": Trouble("port_denied", "no permission", "add the user to dialout"), "agent_has_it": False},
     "permissions", FAIL, "dialout"),
    ({"trouble": Trouble("port_busy", "busy", "stop it"), "agent_has_it": False}, "owner", FAIL, "root"),
    ({"holders": (Culprit(77, "screen"),)}, "owner", FAIL, "screen (process 77)"),
    ({"holders": (Culprit(42, "meterbridge"),)}, "owner", PASS, "the agent alone"),
    ({"spec": "/dev/ttyUSB0"}, "naming", WARN, "/dev/serial/by-path/x"),
    ({"meddlers": (Culprit(9, "brltty"),)}, "meddlers", WARN, "brltty (process 9)"),
    ({"meddlers": (Culprit(9, "ModemManager"),)}, "meddlers", PASS, "none"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "name", "verdict", "says"), PORT)
def test_the_port(changes: dict[str, object], name: str, verdict: Verdict, says: str) -> None:
    check = line(sick("port", **changes), name)
    assert (check.verdict, says in f"{check.fact} {check.next_step}") == (verdict, True), check


def test_two_ch340_share_a_by_id_name_so_by_path_is_advised() -> None:
    check = line(adapter(vid=0x1A86, pid=0x7523, serial_number=None, twins=("/dev/ttyUSB1",)), "naming")
    assert check.verdict is WARN
    assert "/dev/serial/by-path/x" in str(check.next_step)
    assert "/dev/ttyUSB1" in check.fact


def test_an_ftdi_that_holds_bytes_back_is_told_with_the_udev_rule() -> None:
    check = line(adapter(latency_timer_ms=16), "latency")
    assert (check.verdict, "16 ms" in check.fact, "udev" in str(check.next_step)) == (WARN, True, True)


def test_modem_manager_is_a_culprit_where_the_udev_rule_is_missing() -> None:
    facts = adapter(modem_manager_ignores=False)
    facts = replace(facts, port=replace(facts.port, meddlers=(Culprit(9, "ModemManager"),)))
    assert line(facts, "meddlers").verdict is WARN


SILENT = {"answered": 0, "silent": 5, "asked": 5}
WIRE = [
    (SILENT, "wiring", FAIL, "power"),
    (SILENT | {"answers_at": ("2400 8N1",), "tried": ("2400 8N1",)}, "wiring", FAIL, "answers at 2400 8N1"),
    (SILENT | {"unasked_bytes": 400}, "wiring", FAIL, "noise"),
    (SILENT | {"breaks": 5, "breaks_everywhere": True}, "wiring", FAIL, "swap A and B"),
    ({"answered": 0, "asked": 5, "damaged": 5}, "wiring", FAIL, "two devices on one address"),
    ({"answered": 3, "asked": 5, "doubled": 2}, "wiring", FAIL, "two devices have one address"),
    ({"answered": 950, "silent": 50}, "wiring", WARN, "50 without an answer"),
    ({"answered": 950, "damaged": 50}, "wiring", WARN, "120 Ω"),
    ({"answered": 950, "wrong": 50}, "wiring", WARN, "later than its profile"),
    ({"answered": 999, "silent": 1}, "wiring", PASS, "999 of 1000"),
    ({"asked": 0, "answered": 0}, "wiring", OUT, "nothing was asked"),
    ({"echoes": 1_000}, "echo", WARN, "hears itself"),
    ({"leading_zeros": 12}, "bias", WARN, "390 to 680"),
    ({"strangers": ("01 04 00 00 00 02 71 cb",)}, "second_master", FAIL, "inverters"),
]


@pytest.mark.parametrize(("changes", "name", "verdict", "says"), WIRE)
def test_the_wire(changes: dict[str, object], name: str, verdict: Verdict, says: str) -> None:
    check = line(sick("wire", **changes), name)
    assert (check.verdict, says in f"{check.fact} {check.next_step}") == (verdict, True), check


METER = [
    ({"trouble": Trouble("no_reply", "no answer", "power")}, "meter", FAIL, "power"),
    ({"trouble": Trouble("other_meter", "another one", "call")}, "serial", FAIL, "another one"),
    ({"trouble": Trouble("wrong_settings", "mode is A", "set it")}, "mode", FAIL, "set it"),
    ({"serial": "999"}, "serial", FAIL, "the registry has 10000001"),
    ({"profile": "eastron-sdm230"}, "meter", WARN, "the registry has eastron-sdm120"),
    ({"phases": 3, "phase_accounting": "unknown"}, "phases", WARN, "netted"),
    ({"phases": 3, "phase_accounting": "vector"}, "phases", PASS, "netted over the phases"),
    (
        {"phases": 3, "phase_accounting": "vector", "site_phase_accounting": "vector"},
        "phases", PASS, "netted over the phases",
    ),
    (
        {"phases": 3, "phase_accounting": "per_phase", "site_phase_accounting": "vector"},
        "phases", FAIL, "the same flow mints other amounts",
    ),
    ({"identity_level": "label", "serial": None}, "serial", FAIL, "another model"),
    ({"settings": {"mode": "B"}, "require": {"mode": 1}}, "mode", PASS, "mode = B"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "name", "verdict", "says"), METER)
def test_the_meter(changes: dict[str, object], name: str, verdict: Verdict, says: str) -> None:
    check = line(sick("meter", **changes), name)
    assert (check.verdict, says in f"{check.fact} {check.next_step}") == (verdict, True), check


LOADS = [
    (LoadStep("kettle", 2_000, 300, 2_290, 0, 12_000, 30), PASS, "import rose by 12.0 Wh"),
    (LoadStep("kettle", 2_000, -5_000, -3_010, 9_000, 0, 30), PASS, "export rose by 9.0 Wh"),
    (LoadStep("kettle", 2_000, -300, -2_290, 12_000, 0, 30), FAIL, "current transformer"),
    (LoadStep("kettle", 2_000, 300, 320, 0, 1_000, 60), FAIL, "no step of 2,000 W"),
    (LoadStep("kettle", 2_000, 300, 2_290, 12_000, 0, 30), FAIL, "did not rise"),
]


@pytest.mark.parametrize(("step", "verdict", "says"), LOADS)
def test_direction_is_proved_by_a_load(step: LoadStep, verdict: Verdict, says: str) -> None:
    check = line(replace(healthy(), load_step=step), "direction")
    assert (check.verdict, says in f"{check.fact} {check.next_step}") == (verdict, True), check


OTHERS = [
    ("clock", {"status": "I"}, "clock", WARN, "carry I"),
    ("clock", {"status": "U"}, "clock", WARN, "nobody vouches"),
    ("agent", {"time_status": "S"}, "clock", PASS, "records carry S"),
    ("agent", {"time_status": "I"}, "clock", WARN, "chrony"),
    ("agent", {"time_status": "U", "undated": 3}, "clock", WARN, "the agent does not know it: readings are kept"),
    ("agent", {"time_status": "U", "undated": 3}, "clock", WARN, "3 readings wait"),
    ("clock", {"status": "U", "utc": 86_400.0}, "clock", FAIL, "no slot"),
    ("clock", {"chain_ahead_s": 45.0}, "chain_clock", FAIL, "45 s ahead"),
    ("clock", {"rtc": False}, "rtc", OUT, "power cut"),
    ("key", {"trouble": "meter.key: mode 0644, others may read it; run: chmod 600 meter.key"}, "key", FAIL, "chmod"),
    ("key", {"public_key": "another"}, "key_registry", FAIL, "rotate"),
    ("key", {"level": "board"}, "key_level", WARN, "in the registry it is file"),
    ("key", {"level": "chip"}, "key_level", WARN, "meter key-level METER_001 chip"),
    ("key", {"level": "board", "public_key": "another"}, "key_level", PASS, "bound to this machine"),
    ("chain", {"domain": "ffffffffffffffff"}, "site", FAIL, "[site] domain"),
    ("chain", {"domain": None}, "site", FAIL, "no site"),
    ("chain", {"meter": None}, "registration", FAIL, "agent claim"),
    ("chain", {"paused": True}, "deliveries", WARN, "paused"),
    ("chain", {"oracle_active": False}, "deliveries", WARN, "inactive"),
    ("chain", {"relayer_listed": False}, "deliveries", FAIL, "list it"),
    ("chain", {"relayer_lamports": 12_000_000}, "fees", WARN, "10 days"),
    ("chain", {"relayer_lamports": 0}, "fees", FAIL, "send it at least"),
    ("chain", {"relayer": Unknown("cannot be read")}, "fees", OUT, "cannot be read"),
    ("journal", {"records": {"final": 7, "held": 2}, "codes": {"Frozen": 2}}, "journal", FAIL, "Frozen (2)"),
    ("journal", {"records": {"closed": 100}}, "journal", WARN, "100 waiting"),
    ("journal", {"last_seq": 3}, "last_record", WARN, "ends at number 3"),
    ("journal", {"key": "another"}, "key_registry", FAIL, "another node's journal"),
    ("agent", {"running": False}, "agent", WARN, "systemctl start"),
    ("agent", {"stopped": "Fork: two"}, "agent", FAIL, "call the operator"),
    ("agent", {"slot_problem": "the meter is silent; look"}, "agent", WARN, "look"),
    ("agent", {"written_at": NOW - 1_000}, "agent", FAIL, "said nothing"),
    ("agent", {"version": "0.0.9"}, "versions", WARN, "restart"),
    ("host", {"disk_free_bytes": 1 << 20}, "disk", FAIL, "make room"),
    ("host", {"disk_free_bytes": 200 << 20}, "disk", WARN, "upgrade"),
    ("host", {"disk_read_only": True}, "disk", FAIL, "worn out"),
    ("host", {"under_voltage": "now"}, "supply", FAIL, "supply"),
    ("host", {"under_voltage": "since boot"}, "supply", WARN, "supply"),
    ("host", {"under_voltage": None}, "supply", OUT, "does not tell"),
]  # fmt: skip


@pytest.mark.parametrize(("part", "changes", "name", "verdict", "says"), OTHERS)
def test_the_rest_of_the_line(part: str, changes: dict[str, object], name: str, verdict: Verdict, says: str) -> None:
    check = line(sick(part, **changes), name)
    assert (check.verdict, says in f"{check.fact} {check.next_step}") == (verdict, True), check


@pytest.mark.parametrize(
    ("status", "owner_status", "verdict"),
    [("active", "active", PASS), ("provisioned", "active", WARN), ("maintenance", "active", WARN),
     ("decommissioned", "active", FAIL), ("compromised", "active", FAIL), ("active", "suspended", WARN)],
)  # fmt: skip
def test_registration_states(status: str, owner_status: str, verdict: Verdict) -> None:
    meter = replace(healthy().chain.meter, status=status, owner_status=owner_status)  # type: ignore[union-attr, type-var]
    assert line(sick("chain", meter=meter), "registration").verdict is verdict


def test_a_frozen_account_is_a_second_node() -> None:
    account = replace(healthy().chain.account, frozen=True)  # type: ignore[union-attr, type-var]
    assert "two nodes sign" in str(line(sick("chain", account=account), "deliveries").next_step)


def test_an_old_record_points_to_what_holds_the_next_ones_up() -> None:
    account = replace(healthy().chain.account, last_ts=int(NOW) - 7_000)  # type: ignore[union-attr, type-var]
    assert line(sick("chain", account=account), "last_record").verdict is WARN


@pytest.mark.parametrize(
    ("values", "verdict", "says"),
    [
        ({"firmware_version": "1.0.0", "uptime": 3_600, "flags": 0, "supply_voltage": 5.0}, PASS, "up 1.0 h"),
        ({"flags": 2}, WARN, "tamper"),
        ({"flags": 1}, WARN, "guard is open"),
        ({"flags": 4}, FAIL, "replace"),
        ({"collisions": 3}, WARN, "3 collisions"),
    ],
)
def test_the_bridge_says_how_it_is(values: dict[str, float | str], verdict: Verdict, says: str) -> None:
    check = line(replace(healthy(), bridge=BridgeFacts(247, values)), "bridge")
    assert (check.verdict, says in f"{check.fact} {check.next_step}") == (verdict, True), check


def test_a_bridge_with_too_little_voltage_names_the_cable() -> None:
    facts = replace(healthy(), bridge=BridgeFacts(247, {"supply_voltage": 4.1}))
    check = line(facts, "supply")
    assert (check.verdict, "cable" in str(check.next_step)) == (FAIL, True)


def test_the_key_in_the_registry_is_compared_with_ours() -> None:
    assert line(healthy(), "key_registry").verdict is PASS
    assert KEY in line(healthy(), "key").fact
