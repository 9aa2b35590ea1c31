"""Readings from before the time was known, and a node whose clock does whatever clocks do."""

import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.meteredge.node import BASELINE_EXPORT, BASELINE_IMPORT, MAX_W, METER_ID, Node, agent_of, closing

from meterchain.chain import ChainUnreachable
from meterchain.embedded import START
from meterchain.record import Record, TimeStatus
from meterchain.units import SLOT_S, Mwh, Seq, Slot, UnixTime
from meteredge.agent import Agent
from meteredge.dating import KEEP_EVERY_S, first_dated
from meteredge.guards import Rated
from meteredge.journal import LastSigned, Row, State, Undated
from meteredge.slots import GuardBreached
from meteredge.status import rows_for_people
from meteredge.timesource import ToldTime

LAST = LastSigned(Seq(1), Slot(START - 900), UnixTime(START), BASELINE_EXPORT, BASELINE_IMPORT, bytes(32))
RATED = Rated(MAX_W, MAX_W)
S, I, U = TimeStatus.SYNCHRONISED, TimeStatus.INFORMATIVE, TimeStatus.UNKNOWN  # noqa: E741


def kept_at(second: float, export_mwh: int = BASELINE_EXPORT) -> Undated:
    return Undated("boot", int(second * 1_000), Mwh(export_mwh), BASELINE_IMPORT, 1_000)


def dated_slots(kept: list[Undated], offset_s: float, now: float) -> list[tuple[int, int]]:
    """Slot and time of all closings, one after the other."""
    closings, last = [], LAST
    while dated := first_dated(kept, offset_s, now, last, RATED):
        closing_, kept = dated.closing, [one for one in kept if one.monotonic_ms > dated.undated.monotonic_ms]
        assert closing_.time_status is TimeStatus.RELATIVE
        last = replace(last, slot=closing_.slot, ts=closing_.ts, export_mwh=closing_.export_mwh)
        closings.append((closing_.slot, closing_.ts))
    return closings


def test_each_slot_is_closed_by_the_first_reading_in_its_window() -> None:
    kept = [kept_at(n * 60) for n in range(60)]
    assert dated_slots(kept, START + 10.0, START + 3_600) == [
        (START, START + 910),
        (START + 900, START + 1_810),
        (START + 1_800, START + 2_710),
    ]


def test_a_slot_without_a_reading_in_its_window_is_not_closed() -> None:
    assert dated_slots([kept_at(895), kept_at(1_011)], START, START + 2_000) == []


def test_nothing_is_dated_into_the_future_or_before_what_is_signed() -> None:
    assert dated_slots([kept_at(905)], START, START + 900) == []
    assert dated_slots([kept_at(5)], START, START + 900) == []


def test_a_reading_that_could_not_follow_the_signed_one_closes_nothing_and_the_next_may() -> None:
    fell, fine = kept_at(900, BASELINE_EXPORT - 5_000), kept_at(960)
    assert dated_slots([fell, fine], START, START + 1_000) == [(START, START + 960)]


@given(
    offset_s=st.floats(START - 10_000, START + 10_000),
    gaps=st.lists(st.floats(0.1, 400), max_size=60),
    now=st.floats(START - 10_000, START + 40_000),
)
def test_what_is_dated_keeps_the_rules_of_the_chain(offset_s: float, gaps: list[float], now: float) -> None:
    kept, second = [], 0.0
    for gap in gaps:
        second += gap
        kept.append(kept_at(second))
    before = (LAST.slot, LAST.ts)
    for slot, ts in dated_slots(kept, offset_s, now):
        assert slot % SLOT_S == 0
        assert slot + 895 <= ts <= slot + 1_020
        assert slot > before[0]
        assert ts - before[1] >= 60
        assert ts <= now
        before = (slot, ts)


# -- the agent


def begin(node: Node, boot_id: str | None, status: TimeStatus = U) -> ToldTime:
    """Start the node's agent anew, with a time source of that status."""
    source = ToldTime(status)
    node.agent = agent_of(node, node.journal, time_source=source, boot_id=boot_id)
    return source


def keep_for(node: Node, seconds: int) -> None:
    """Let so much time pass in which nobody vouches for the date."""
    for _ in range(seconds // 20):
        node.advance(20)
        node.meter.export_mwh += 5_000
        assert node.agent.close_due_slot() is None
        assert node.agent.seconds_to_close() <= KEEP_EVERY_S


def close_all(agent: Agent) -> list[Row]:
    rows = []
    while agent.seconds_to_close() == 0 and (row := agent.close_due_slot()) is not None:
        rows.append(row)
    return rows


def statuses(rows: list[Row]) -> str:
    return "".join(Record.decode(row.record).time_status for row in rows)


def test_an_agent_that_starts_again_in_the_same_boot_dates_what_the_one_before_kept(node: Node) -> None:
    node.agent.deliver()
    begin(node, "one boot")
    keep_for(node, 2_000)
    source = begin(node, "one boot")
    assert node.agent.status().undated > 0
    assert node.agent.status().time_status is U
    source.now = S
    assert statuses(close_all(node.agent)) == "RRR"
    assert (node.agent.status().undated, node.journal.undated("one boot")) == (0, [])
    node.agent.deliver()
    assert node.agent.counts()[State.FINAL] == 3


def test_what_an_earlier_boot_kept_is_told_and_forgotten(node: Node) -> None:
    node.agent.deliver()
    begin(node, "one boot")
    keep_for(node, 2_000)
    begin(node, "another boot", S)
    assert (node.agent.status().undated, node.agent.status().undatable) == (0, 34)
    assert close_all(node.agent) == []
    node.pass_slot()
    assert statuses(close_all(node.agent)) == "S"
    node.agent.deliver()
    assert node.state().cum_export_mwh == node.meter.export_mwh - BASELINE_EXPORT


def test_two_readings_that_do_not_agree_are_not_kept(node: Node) -> None:
    node.agent.deliver()
    begin(node, "one boot")
    node.meter.next_readings = [(BASELINE_EXPORT, BASELINE_IMPORT), (BASELINE_EXPORT + 230_200, BASELINE_IMPORT)]
    with pytest.raises(GuardBreached):
        node.agent.close_due_slot()
    assert node.journal.undated("one boot") == []


def test_of_one_boot_only_so_many_readings_are_kept(node: Node) -> None:
    for second in range(20):
        node.journal.keep_undated(kept_at(second), most=7)
    assert [one.monotonic_ms for one in node.journal.undated("boot")] == [second * 1_000 for second in range(13, 20)]


def test_a_record_made_of_a_kept_reading_and_the_end_of_that_reading_are_one_commit(node: Node) -> None:
    node.agent.deliver()
    node.journal.keep_undated(kept_at(1), most=7)

    def no_key(_encoded: bytes) -> bytes:
        raise RuntimeError("no key")

    with pytest.raises(RuntimeError):
        node.journal.append(closing(1), no_key, kept_at(1))
    assert len(node.journal.undated("boot")) == 1
    node.journal.append(closing(1), node.signer.sign_record, kept_at(1))
    assert node.journal.undated("boot") == []


MWH_PER_S = 100
HONEST_WITHIN_S = {"S": 2.0, "I": 32.0, "R": 32.0}
"""So far a record's time may be from the true time of its reading: a synchronised clock is within 2 s, a witness 30."""


@dataclass
class Wild:
    """A node whose clock, witnesses, network and power come and go; the meter shows the true time by its register."""

    node: Node
    chance: random.Random
    true: float = START
    boots: int = 0
    rows: list[Row] = field(default_factory=list)
    source: ToldTime = field(default_factory=ToldTime)

    def __post_init__(self) -> None:
        self.node.agent.deliver()
        self.boot()

    def pass_time(self) -> None:
        seconds = self.chance.choice((3.0, 8.0, 30.0, 60.0, 115.0, 400.0))
        self.true += seconds
        self.node.clock.advance(seconds)
        self.node.chain.set_unix_time(UnixTime(int(self.true)))
        self.node.meter.export_mwh = BASELINE_EXPORT + int((self.true - START) * MWH_PER_S)
        while (row := self.node.agent.close_due_slot()) is not None:
            self.rows.append(row)

    def set_clock(self) -> None:
        """By hand, by a dead battery, or by a time service."""
        wrong_s = self.chance.choice((0.0, 0.0, 1.5, -1.5, 25.0, -900.0, 900.0, 3_600.0, -86_400.0, -1.7e9))
        self.node.clock.set_utc(self.true + wrong_s)
        honest = [status for status, within_s in ((S, 2.0), (I, 30.0), (U, 1e12)) if abs(wrong_s) < within_s]
        self.source.now = self.chance.choice(honest)

    def boot(self) -> None:
        self.boots += self.chance.randrange(2)  # or only the agent starts again
        self.source = begin(self.node, f"boot {self.boots}", self.source.now)

    def network(self) -> None:
        self.node.chain.unreachable = self.chance.choice((None, ChainUnreachable("no network")))
        self.node.agent.deliver()

    def end(self) -> None:
        self.node.clock.set_utc(self.true)
        self.source.now, self.node.chain.unreachable = S, None
        for _ in range(10):
            self.pass_time()
        for _ in range(10):
            self.node.agent.deliver()


@pytest.mark.parametrize("seed", range(8))
def test_whatever_clocks_do_no_record_says_a_wrong_time_and_no_energy_is_lost(node: Node, seed: int) -> None:
    wild = Wild(node, random.Random(seed))
    for _ in range(250):
        acts = (wild.pass_time, wild.set_clock, wild.boot, wild.network)
        wild.chance.choices(acts, (20, 2, 1, 3))[0]()
    wild.end()
    records = [Record.decode(row.record) for row in wild.rows]
    for record in records:
        read_at = START + (record.export_mwh - BASELINE_EXPORT) / MWH_PER_S
        assert abs(record.ts - read_at) <= HONEST_WITHIN_S[record.time_status], record
        assert record.epoch + 895 <= record.ts <= record.epoch + 1_020
    assert [record.epoch for record in records] == sorted({record.epoch for record in records})
    assert node.journal.undelivered() == 0
    assert node.state().export_reg_mwh == records[-1].export_mwh


def test_the_wild_node_signs_every_status(node: Node) -> None:
    wild = Wild(node, random.Random(5))
    for _ in range(400):
        wild.chance.choices((wild.pass_time, wild.set_clock, wild.boot, wild.network), (20, 2, 1, 1))[0]()
    wild.end()
    seen = set(statuses(wild.rows))
    assert seen == {"S", "I", "R"}


@pytest.mark.parametrize(
    ("status", "undated", "words"),
    [
        ("S", 0, "synchronised"),
        ("I", 0, "not synchronised, confirmed by a witness"),
        ("U", 12, "unknown: nobody vouches for the date, 12 readings wait for it"),
    ],
)
def test_the_status_says_how_the_time_is_known(status: str, undated: int, words: str) -> None:
    meter = {"meter_id": METER_ID, "records": {}, "time_status": status, "undated": undated}
    document = {"running": None, "bus": {"port": "x"}, "timezone": "UTC", "meters": [meter]}
    assert dict(rows_for_people(document))["time"] == words
