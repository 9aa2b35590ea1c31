"""The S0 counter's PIO program, run instruction by instruction at its own clock against contacts that bounce."""

import sys
import types
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

FIFO = 8
"""Words of a joined RX FIFO."""


class _Recorder:
    """What rp2.asm_pio does to a program, as far as this one goes: instructions in order, labels by name."""

    def __init__(self) -> None:
        self.code: list[tuple[Any, ...]] = []
        self.labels: dict[str, int] = {}

    def names(self) -> dict[str, Any]:
        def jmp(*words: str) -> None:
            self.code.append(("jmp", *words))

        return {
            **{name: name for name in ("pin", "x", "x_dec", "noblock")},
            "label": lambda name: self.labels.__setitem__(name, len(self.code)),
            "wait": lambda level, _source, _index: self.code.append(("wait", level)),
            "set": lambda _register, value: self.code.append(("set", value)),
            "push": lambda _how: self.code.append(("push",)),
            "jmp": jmp,
            "wrap_target": lambda: None,
            "wrap": lambda: None,
        }


@pytest.fixture(scope="module")
def counter() -> Iterator[types.ModuleType]:
    """bridge.pulses with an rp2 that records."""
    recorder = _Recorder()

    def asm_pio(**_options: object) -> Callable[[types.FunctionType], _Recorder]:
        def record(program: types.FunctionType) -> _Recorder:
            types.FunctionType(program.__code__, recorder.names())()
            return recorder

        return record

    rp2 = types.ModuleType("rp2")
    rp2.asm_pio = asm_pio  # type: ignore[attr-defined]
    rp2.PIO = types.SimpleNamespace(JOIN_RX=2)  # type: ignore[attr-defined]
    sys.modules["rp2"] = rp2
    try:
        yield import_module("bridge.pulses")
    finally:
        del sys.modules["rp2"], sys.modules["bridge.pulses"]


def counted(module: types.ModuleType, levels: list[tuple[int, float]]) -> int:
    """Pulses in the FIFO's input after the contact has gone through `levels`: (level, milliseconds)."""
    program: _Recorder = module.program
    wave = [level for level, ms in levels for _ in range(round(ms * module.FREQUENCY_HZ / 1_000))]
    at = x = pushed = 0
    for level in wave:
        match program.code[at % len(program.code)]:
            case ("wait", wanted):
                at += level == wanted
            case ("set", value):
                x = value
                at += 1
            case ("push",):
                pushed += 1
                at += 1
            case ("jmp", "pin", target):
                at = program.labels[target] if level else at + 1
            case ("jmp", "x_dec", target):
                at, x = (program.labels[target] if x else at + 1), x - 1
            case ("jmp", target):
                at = program.labels[target]
        at %= len(program.code)
    return pushed


def test_the_program_fits_into_the_pio(counter: types.ModuleType) -> None:
    assert len(counter.program.code) <= 32
    assert 2_290 <= counter.FREQUENCY_HZ <= 125_000_000


def test_the_shortest_pulses_of_the_standard_are_counted(counter: types.ModuleType) -> None:
    assert counted(counter, [(1, 50), *[(0, 30), (1, 30)] * 100]) == 100


def test_a_spike_is_no_pulse(counter: types.ModuleType) -> None:
    assert counted(counter, [(1, 50), *[(0, 10), (1, 40)] * 20]) == 0


@given(st.data())
def test_a_contact_that_bounces_counts_once(counter: types.ModuleType, data: st.DataObject) -> None:
    bounce = st.lists(st.floats(0.25, 2), max_size=4)
    levels: list[tuple[int, float]] = [(1, 50)]
    pulses = data.draw(st.integers(0, 6))
    for _ in range(pulses):
        for level in (0, 1):
            for length in data.draw(bounce):
                levels += [(level, length), (1 - level, length)]
            levels.append((level, data.draw(st.floats(30, 200))))
    assert counted(counter, levels) == pulses
