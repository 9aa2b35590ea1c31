"""How true the simulated bus is on a pseudo-terminal, and what it costs: keys `bus.*` of build/bench.json.

`error_percent` is the median of 300 transactions against `Line.transaction_s`, the worst of 9600 and 19200 baud; what a
busy machine adds is in it.  `core_share_15` is the processor time of the process that serves 15 buses while each is
read once a second, over the time that passes.
"""

import select
import statistics
import time
from contextlib import ExitStack
from pathlib import Path

import serial

from metersim.bus import rtu, running
from metersim.bus.bank import RegisterBank
from metersim.bus.line import Line
from metersim.bus.loop import SegmentPlan
from metersim.meters.installation import Installation
from metersim.meters.meter import MeterPlan
from metersim.stage.bench import NOON

TRANSACTIONS = 300
BAUDS = (9_600, 19_200, 115_200)
PROMISED = (9_600, 19_200)
BUSES = 15
SHARE_S = 10.0
_BANK = RegisterBank(tuple(range(200)))
_ASK = rtu.frame(1, bytes([4, 0, 10, 0, 20]))
_REPLY_BYTES = 45
_METER_ASK = rtu.frame(1, bytes([4, 0, 0, 0, 78]))


def measure() -> dict[str, float]:
    """The numbers by key, milliseconds where a key says `ms`."""
    numbers: dict[str, float] = {}
    errors = {}
    for baud in BAUDS:
        line = Line(baud)
        theory_s = line.transaction_s(len(_ASK), _REPLY_BYTES)
        median_s = _median_s(line)
        errors[baud] = 100 * (median_s - theory_s) / theory_s
        numbers[f"median_ms_{baud}"] = round(1e3 * median_s, 3)
        numbers[f"theory_ms_{baud}"] = round(1e3 * theory_s, 3)
    numbers["error_percent"] = round(max(abs(errors[baud]) for baud in PROMISED), 2)
    numbers["error_ms_115200"] = round(abs(numbers["median_ms_115200"] - numbers["theory_ms_115200"]), 3)
    numbers["core_share_15"] = round(_core_share(), 3)
    return numbers


def _median_s(line: Line) -> float:
    """From the write to the last byte, as a master sees it."""
    taken = []
    with (
        running.in_process([SegmentPlan(line, (_BANK,))]) as buses,
        serial.Serial(buses.ports[0], line.baud, timeout=1) as port,
    ):
        for _ in range(TRANSACTIONS):
            _pause(2 * line.t35_s)
            began = time.perf_counter()
            port.write(_ASK)
            if len(port.read(_REPLY_BYTES)) != _REPLY_BYTES:
                raise RuntimeError(f"a transaction at {line.baud} baud had no whole reply")
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _core_share() -> float:
    """15 three-phase meters at 9600 baud, 78 registers read from each once a second."""
    line = Line(9_600)
    plans = [
        MeterPlan("eastron-sdm630", Installation(seed=n, phases=3), line, since_utc=NOON, serial=str(10_000_000 + n))
        for n in range(BUSES)
    ]
    with ExitStack() as stack:
        buses = stack.enter_context(running.in_process([SegmentPlan(line, (plan,), grain_s=0.004) for plan in plans]))
        buses.set_time(NOON, 1.0)
        ports = [stack.enter_context(serial.Serial(path, line.baud, timeout=0)) for path in buses.ports]
        _round(ports)
        _pause(1.0)
        began, used = time.monotonic(), _cpu_s(buses.pid)
        rounds = 0
        while time.monotonic() - began < SHARE_S:
            _pause(began + rounds - time.monotonic())
            _round(ports)
            rounds += 1
        if (answered := min(buses.tally(segment).replies for segment in range(BUSES))) < rounds:
            raise RuntimeError(f"of {rounds} questions to each meter one answered {answered}")
        return (_cpu_s(buses.pid) - used) / (time.monotonic() - began)


def _round(ports: list[serial.Serial]) -> None:
    """One question to each; what they answer is taken later, all at once."""
    for port in ports:
        port.reset_input_buffer()
        port.write(_METER_ASK)


def _cpu_s(pid: int) -> float:
    """User and system time of a process, seconds (proc(5), stat fields 14 and 15; 100 ticks a second)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _pause(seconds: float) -> None:
    if seconds > 0:
        select.select([], [], [], seconds)
