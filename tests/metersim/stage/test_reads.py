"""Under every fault of the bench a reading is what the meter held, or none; the long run prints what each cost."""

from dataclasses import replace

import pytest

from meterchain.units import Mwh
from metersim.bus.bank import RegisterBank
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
    Truncation,
    Unplugged,
    WrongLine,
)
from metersim.bus.intruders import Babbling, SameAddress, SecondMaster
from metersim.bus.moods import ExceptionStorm, RebootOnFastPolling
from metersim.stage import reads
from metersim.stage.reads import read_under

LONG = 10_000
SHORT = 60
ALWAYS_LOST = {"wrong_line", "unplugged", "same_address"}
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
    "unplugged": (Unplugged(),),
    "babbling": (Babbling(0.8),),
    "second_master": (SecondMaster(1.5),),
    "same_address": (SameAddress(RegisterBank(tuple(range(400)), turnaround_s=0.02)),),
    "exception_storm": (ExceptionStorm(6, 0.3),),
    "reboot_on_fast_polling": (RebootOnFastPolling(0.06, 20.0),),
    "many": (Echo(), LeadZero(1, 0.2), BitFlip(0.001), LateReply(0.62, 0.1), Babbling(5.0)),
}


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


@pytest.mark.soak
@pytest.mark.parametrize("name", FAULTS)
def test_ten_thousand_reads_under_a_fault_are_true_or_lost(name: str) -> None:
    done = read_under(FAULTS[name], LONG)
    print(f"{name}: {done.good} good, lost {dict(done.lost)} in {done.virtual_s:.0f} s of the bus")  # noqa: T201
    assert done.false == ()
    assert (done.good == 0) == (name in ALWAYS_LOST)
