"""`meterbridge scan` on a pseudo-terminal, and what its report says."""

import json
from dataclasses import replace

import pytest
from tests.meteredge.cabinet import Cabinet
from tests.meteredge.scan.bench import Bench, bench, plan

from meterbridge.__main__ import main
from meteredge import bus
from meteredge.scan.plan import ScanError, Wanted, parse_numbers
from meteredge.scan.report import ScanReport, says
from meteredge.scan.run import run_scan
from metersim.bus.faults import SwappedPair
from metersim.bus.intruders import SameAddress, SecondMaster
from metersim.bus.line import Line

AT_9600 = ["--baud", "9600", "--framing", "8N1", "--units", "1,2", "--timeout", "0.5"]


def test_the_meter_of_the_configuration_is_found(
    cabinet: Cabinet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "SILENCE_S", 0.05)  # between the many models that are tried
    assert main(["scan", "--take-port", "--config", str(cabinet.config), "--quick", "--json", *AT_9600]) == 0
    out, err = capsys.readouterr()
    (device,) = json.loads(out)["devices"]
    assert (device["unit"], device["baud"], device["framing"]) == (1, 9_600, "8N1")
    assert [c["profile"] for c in device["candidates"]] == ["eastron-sdm120"]
    assert "certain" in device["how_sure"]
    assert "no agent runs: the port is free" in err
    assert "unit 1 answers at 9600 8N1" in err


def test_nothing_found_is_exit_code_1_with_what_to_do(cabinet: Cabinet, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--baud", "9600", "--framing", "8N1", "--units", "7", "--timeout", "0.05"]
    assert main(["scan", "--port", cabinet.port, "--quick", *few]) == 1
    out = capsys.readouterr().out
    assert "nothing answers" in out
    assert "leave out --quick" in out


@pytest.mark.parametrize("words", [["--units", "0"], ["--units", "x"], ["--baud", "300"], ["--framing", "7E1"]])
def test_what_cannot_be_scanned_is_told(words: list[str], cabinet: Cabinet, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--port", cabinet.port, *words]) in {2, 3}
    assert capsys.readouterr().err


def test_numbers_may_be_lists_and_ranges() -> None:
    assert parse_numbers("1-3,7,0x10", "--units", 1, 248) == (1, 2, 3, 7, 16)
    with pytest.raises(ScanError, match="within 1 to 248"):
        parse_numbers("1-300", "--units", 1, 248)


def report_of(on_bus: Bench, **options: object) -> ScanReport:
    wanted = Wanted(bauds=(9_600, 2_400), framings=("8N1",), units=(1, 2))
    return run_scan("memory", on_bus.open, on_bus.clock, wanted, **options)  # type: ignore[arg-type]


def test_hints_name_what_is_wrong_with_the_bus() -> None:
    swapped = report_of(bench(("sdm120", 1), faults=(SwappedPair(),)), depth="quick")
    assert any("swap A and B" in hint for hint in swapped.hints())
    busy = report_of(bench(("sdm120", 1), faults=(SecondMaster(0.4),)))
    assert any("second master" in hint for hint in busy.hints())
    line = Line(9_600)
    twin = replace(plan("sdm120", 1, line, "20000002", seed=9), turnaround_s=0.2)
    doubled = report_of(Bench(line, [plan("sdm120", 1, line).build()], (SameAddress(twin),)))
    assert any("give the other another unit id" in hint for hint in doubled.hints())
    assert doubled.document()["devices"][0]["nature"] == "two devices"


def test_a_device_without_a_profile_is_still_there() -> None:
    class Stranger:
        unit = 1
        turnaround_s = 0.02

        def answer(self, request: object) -> bytes:
            return b"\x84\x02" if request.pdu[0] == 4 else b"\x83\x02"  # type: ignore[attr-defined]

    (device,) = report_of(Bench(Line(9_600), [Stranger()])).devices
    assert says(device)[0] == "an unknown device"
