"""Under every fault of the bench a reading is what the meter held, or none; the long run prints what each cost."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from meterchain.units import Mwh
from metersim.bus.bank import RegisterBank
from metersim.bus.catalogue import FAULTS as FAULTS_OF_A_WIRE
from metersim.bus.fault import Fault
from metersim.bus.faults import (
    BitFlip,
    BrownOut,
    Echo,
    ExtraBytes,
    LateReply,
    LeadZero,
    LostBytes,
    Silence,
    SwappedPair,
    Truncation,
    Unplugged,
    WrongLine,
)
from metersim.bus.intruders import Babbling, SameAddress, SecondMaster
from metersim.bus.moods import ExceptionStorm, RebootOnFastPolling
from metersim.stage import reads
from metersim.stage.reads import read_on_ptys, read_under

LONG = 10_000
SHORT = 60
ON_PTYS = 100
ALWAYS_LOST = {"wrong_line", "swapped_pair", "unplugged", "same_address"}
FAULTS: dict[str, tuple[Fault, ...]] = {
    "none": (),
    "late_reply": (LateReply(0.62, 0.3),),
    "silence": (Silence(0.3),),
    "echo": (Echo(),),
    "lead_zero": (LeadZero(2, 0.3), LeadZero(1, 0.5)),
    "bit_flip": (BitFlip(0.003, requests=True),),
    "lost_bytes": (LostBytes(0.003, requests=True),),
    "extra_bytes": (ExtraBytes(0.003),),
    "truncation": (Truncation(None, 0.2),),
    "brown_out": (BrownOut(20.0, times=LONG, probability=0.05),),
    "wrong_line": (WrongLine(19_200),),
    "swapped_pair": (SwappedPair(),),
    "unplugged": (Unplugged(),),
    "babbling": (Babbling(0.8),),
    "second_master": (SecondMaster(1.5),),
    "same_address": (SameAddress(RegisterBank(tuple(range(400)), turnaround_s=0.02)),),
    "exception_storm": (ExceptionStorm(6, 0.3),),
    "reboot_on_fast_polling": (RebootOnFastPolling(0.06, 20.0),),
    "many": (Echo(), LeadZero(1, 0.2), BitFlip(0.001), LateReply(0.62, 0.1), Babbling(5.0)),
}


def test_every_fault_that_a_wire_can_have_is_here() -> None:
    assert set(FAULTS) == {"none", "many", *FAULTS_OF_A_WIRE}


@pytest.mark.parametrize("name", FAULTS)
def test_some_reads_under_a_fault_are_true_or_lost(name: str) -> None:
    done = read_under(FAULTS[name], SHORT)
    assert done.false == ()
    assert (done.good == 0) == (name in ALWAYS_LOST)
    assert done.good + done.lost.total() == SHORT


@pytest.mark.parametrize("profile", ["dtsu666", "em24"])
def test_a_map_that_needs_several_requests_is_no_easier_to_fool(profile: str) -> None:
    assert read_under((LateReply(0.62, 0.3),), SHORT, profile=profile).false == ()


def test_without_a_fault_nothing_is_lost() -> None:
    assert read_under((), SHORT).good == SHORT


def test_a_false_reading_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Liar(reads.Reader):
        def read(self) -> reads.Reading:
            return replace(super().read(), export_mwh=Mwh(7))

    monkeypatch.setattr(reads, "Reader", Liar)
    assert len(read_under((), 2).false) == 2


def told(name: str, done: reads.Reads) -> str:
    """What a fault cost, as a line."""
    lost = ", ".join(f"{count} {kind}" for kind, count in sorted(done.lost.items())) or "none"
    return f"{name:<24} {done.good:>6} read, lost {lost} in {done.passed_s:,.0f} s"


def ten_thousand(name: str) -> reads.Reads:
    """In memory, in a process of the pool."""
    return read_under(FAULTS[name], LONG, profile="sdm230")


@pytest.mark.ci
def test_ten_thousand_reads_in_memory_and_a_hundred_on_a_pty_under_each_fault_are_true_or_lost(tmp_path: Path) -> None:
    """Both at once: what runs on ptys mostly waits."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool, ThreadPoolExecutor(1) as beside:
        on_ptys = beside.submit(read_on_ptys, FAULTS, ON_PTYS, tmp_path, acts=lambda number: number % 10 < 5)
        in_memory = dict(zip(FAULTS, pool.map(ten_thousand, FAULTS), strict=True))
        for name, done in in_memory.items():
            print(told(name, done))  # noqa: T201
        for name, done in on_ptys.result().items():
            print("pty", told(name, done))  # noqa: T201
            in_memory[f"pty {name}"] = done
    assert {name: done.false for name, done in in_memory.items() if done.false} == {}
    for name in FAULTS:
        assert in_memory[name].good + in_memory[name].lost.total() == LONG
        assert (in_memory[name].good == 0) == (name in ALWAYS_LOST)
        assert in_memory[f"pty {name}"].good > 0, "the fault comes and goes"


@pytest.mark.soak
def test_ten_thousand_reads_on_ptys_under_each_fault_are_true_or_lost(tmp_path: Path) -> None:
    done = read_on_ptys(FAULTS, LONG, tmp_path, acts=lambda number: number % 50 < 10)
    for name, result in done.items():
        print("pty", told(name, result))  # noqa: T201
    assert {name: result.false for name, result in done.items() if result.false} == {}
    assert all(result.good >= LONG // 2 for result in done.values())
