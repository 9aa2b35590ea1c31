"""metersim.bus.intruders: who speaks unasked."""

from metersim.bus import rtu
from metersim.bus.bank import RegisterBank
from metersim.bus.intruders import Babbling, SameAddress, SecondMaster
from metersim.bus.line import Line
from metersim.bus.symbols import Symbol
from metersim.bus.wire import Wire

LINE = Line(9_600)
BANK = RegisterBank(tuple(range(200)))
ASK = rtu.frame(1, bytes([4, 0, 10, 0, 2]))
REPLY = rtu.frame(1, bytes([4, 4, 0, 10, 0, 11]))


def data(symbols: list[Symbol]) -> bytes:
    return bytes(symbol.value for symbol in symbols)


def listened(wire: Wire, until_s: float) -> list[Symbol]:
    """What a master hears that never sleeps."""
    arrived = wire.advance(0.0)
    while (due := wire.due()) is not None and due <= until_s:
        arrived += wire.advance(due)
    return arrived


def test_a_babbler_speaks_again_and_again_without_a_question() -> None:
    wire = Wire(LINE, [BANK], faults=[Babbling(every_s=0.5, length=6)])
    heard = listened(wire, 60.0)
    assert 60 * 6 < len(heard) < 180 * 6
    assert wire.tally.noise_bytes == len(heard)
    wire.faults = ()
    assert listened(wire, 120.0) == []


def test_a_babbler_is_repeatable_by_seed() -> None:
    def heard(seed: int) -> bytes:
        return data(listened(Wire(LINE, [BANK], faults=[Babbling()], seed=seed), 20.0))

    assert heard(1) == heard(1) != heard(2)


def test_a_babbler_that_speaks_into_a_reply_destroys_it() -> None:
    wire = Wire(LINE, [BANK], faults=[Babbling(every_s=0.01, length=40)])
    wire.transmit(0.0, ASK)
    assert REPLY not in data(listened(wire, 1.0))
    assert wire.tally.collisions > 0


def test_a_long_silence_of_the_master_does_not_pile_up_noise() -> None:
    wire = Wire(LINE, [BANK], faults=[Babbling(every_s=0.1)])
    wire.advance(0.0)
    assert len(wire.advance(1e6)) <= 12


def test_a_second_master_is_answered_and_we_hear_both() -> None:
    wire = Wire(LINE, [BANK], faults=[SecondMaster(every_s=2.0, address=10, count=2)])
    assert data(listened(wire, 5.0)) == 2 * (ASK + REPLY)
    assert wire.tally.requests == 0
    assert wire.tally.replies == 2


def test_a_second_meter_on_an_address_answers_too_until_it_is_taken_away() -> None:
    wire = Wire(LINE, [BANK], faults=[SameAddress(RegisterBank(tuple(range(1_000, 1_200))))])
    wire.transmit(0.0, ASK)
    both = data(wire.advance(1.0))
    assert len(both) == len(REPLY)
    assert rtu.unframe(both) is None
    wire.faults = ()
    wire.transmit(2.0, ASK)
    assert data(wire.advance(3.0)) == REPLY


def test_an_exception_of_one_meter_is_no_question_to_the_other() -> None:
    """Two meters on one address once answered each other's exceptions for ever."""
    wire = Wire(LINE, [BANK], faults=[SameAddress(RegisterBank((1,), turnaround_s=0.05))])
    wire.transmit(0.0, ASK)
    wire.advance(100.0)
    assert wire.due() is None
    assert wire.tally.replies == 2
