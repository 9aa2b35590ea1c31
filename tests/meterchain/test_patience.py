"""Questions that an RPC has no time for are asked again, politely and not for ever; transactions never."""

import base64
import threading
from collections.abc import Iterator

import pytest
from solders.hash import Hash
from solders.signature import Signature
from tests.meterchain.test_rpc import PAY, PAYER, Scripted, server

from meterbridge.__main__ import main
from meterchain import patience as limits
from meterchain import transactions
from meterchain.chain import ChainUnreachable
from meterchain.history import Archive
from meterchain.patience import MOST_S, Patience
from meterchain.programs import Programs
from meterchain.rpc import RpcChain
from meterchain.rpc_http import ComeLater

__all__ = ["server"]


class Waits:
    """A clock that moves by what is waited for."""

    def __init__(self) -> None:
        self.now, self.waited = 1_000.0, list[float]()
        self._lock = threading.Lock()

    def wait(self, seconds: float) -> bool:
        with self._lock:
            self.waited.append(seconds)
            self.now += seconds
        return False


class Left(Exception):
    """Another one, who does not ask a second time."""


def answered(refusals: list[ComeLater]) -> str:
    """An answer, once the refusals are used up."""
    if refusals:
        raise refusals.pop()
    return "answer"


def ask_and_leave(patience: Patience, refusal: ComeLater) -> None:
    """What another thread would do meanwhile: ask, be refused, leave."""
    said: list[Exception] = [Left(), refusal]

    def question() -> None:
        raise said.pop()

    with pytest.raises(Left):
        patience.ask(question)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def patience(waits: Waits) -> Patience:
    return Patience(now=lambda: waits.now, wait=waits.wait)


@pytest.fixture
def rpc(server: Scripted, patience: Patience) -> Iterator[RpcChain]:
    server.rules["getGenesisHash"] = lambda: str(Hash.default())
    chain = RpcChain(f"http://127.0.0.1:{server.server.server_port}", timeout_s=5, poll_s=0.001, patience=patience)
    yield chain
    chain.close()


def test_a_question_is_asked_again_when_the_rpc_said_or_a_little_later_each_time(
    server: Scripted, rpc: RpcChain, waits: Waits
) -> None:
    server.refusals["getGenesisHash"] = [(429, "7"), (503, "3"), (429, None), (429, "0")]
    assert rpc.genesis_hash() == bytes(32)
    assert waits.waited == [7, 3, 4, 8]
    assert server.calls == ["getGenesisHash"] * 5


def test_an_rpc_that_is_down_and_does_not_say_for_how_long_is_not_asked_again(
    server: Scripted, rpc: RpcChain, waits: Waits
) -> None:
    server.refusals["getGenesisHash"] = [(503, None)]
    with pytest.raises(ChainUnreachable, match="check the network"):
        rpc.genesis_hash()
    assert waits.waited == []


@pytest.mark.parametrize("after", [None, "0"])
def test_after_two_minutes_of_refusals_there_is_no_answer(
    server: Scripted, rpc: RpcChain, waits: Waits, after: str | None
) -> None:
    server.refusals["getGenesisHash"] = [(429, after)] * 100
    with pytest.raises(ChainUnreachable, match="no time for getGenesisHash"):
        rpc.genesis_hash()
    assert waits.waited == [1, 2, 4, 8, 16, 30, 30]
    assert sum(waits.waited) <= MOST_S


def test_an_rpc_that_wants_an_hour_is_not_waited_for_and_its_word_is_told(
    server: Scripted, rpc: RpcChain, waits: Waits
) -> None:
    server.refusals["getGenesisHash"] = [(429, "3600")]
    with pytest.raises(ChainUnreachable, match=r"try again in 3,600 s"):
        rpc.genesis_hash()
    assert waits.waited == []


def test_a_transaction_that_was_refused_is_never_sent_again(server: Scripted, rpc: RpcChain, waits: Waits) -> None:
    server.refusals["sendTransaction"] = [(429, "1")]
    with pytest.raises(ChainUnreachable, match="no time for sendTransaction"):
        rpc.send([PAY], [PAYER])
    assert server.calls == ["getLatestBlockhash", "sendTransaction"]
    assert waits.waited == []


def test_while_one_question_is_put_off_the_others_wait_too(waits: Waits) -> None:
    asked: list[tuple[str, float]] = []

    def wait(seconds: float) -> bool:
        if not waits.waited:
            waits.waited.append(seconds)
            patience.ask(other)  # as another thread would meanwhile
            return False
        return waits.wait(seconds)

    def refused_once() -> None:
        asked.append(("first", waits.now))
        if len(asked) == 1:
            raise ComeLater(429, 10)

    def other() -> None:
        asked.append(("other", waits.now))

    patience = Patience(now=lambda: waits.now, wait=wait)
    patience.ask(refused_once)
    assert asked == [("first", 1_000), ("other", 1_010), ("first", 1_010)]


def test_nobody_waits_beyond_his_two_minutes_because_others_are_refused(waits: Waits) -> None:
    others = False

    def wait(seconds: float) -> bool:
        nonlocal others
        if others:
            return True
        waits.wait(seconds)
        others = True
        ask_and_leave(patience, ComeLater(429, 100))
        others = False
        return False

    refusals = [ComeLater(429, 50)]
    patience = Patience(now=lambda: waits.now, wait=wait)
    assert patience.ask(lambda: answered(refusals)) == "answer"
    assert waits.waited == [50, MOST_S - 50]


def test_a_delay_is_told_once_however_many_are_refused_meanwhile(waits: Waits) -> None:
    told: list[tuple[str, float]] = []
    refusals = [ComeLater(503, 5)]

    def tell(later: ComeLater, seconds: float) -> None:
        told.append((str(later), seconds))

    def question() -> str:
        if refusals:
            ask_and_leave(patience, ComeLater(503, 5))
        return answered(refusals)

    patience = Patience(tell, now=lambda: waits.now, wait=lambda _seconds: True)
    assert patience.ask(question) == "answer"
    assert told == [("HTTP 503", 5)]


def test_closing_the_chain_ends_what_still_waits(server: Scripted) -> None:
    waiting, outcome = threading.Event(), list[Exception]()
    server.refusals["getGenesisHash"] = [(429, "100")] * 2
    patience = Patience(lambda _later, _seconds: waiting.set())
    chain = RpcChain(f"http://127.0.0.1:{server.server.server_port}", timeout_s=5, patience=patience)

    def ask() -> None:
        try:
            chain.genesis_hash()
        except ChainUnreachable as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert waiting.wait(5)
    chain.close()
    thread.join(5)
    assert [str(error) for error in outcome] == ["the connection to 127.0.0.1 was closed; make a new RpcChain"]
    assert server.calls == ["getGenesisHash"]


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_walk_through_the_history_outlasts_an_rpc_that_counts_questions(
    server: Scripted, rpc: RpcChain, waits: Waits, built: Programs, at_once: int
) -> None:
    oracle = str(built.id("oracle"))
    lines = [{"signature": str(Signature(bytes([n] * 64))), "slot": n, "err": None} for n in range(9, 0, -1)]
    server.rules["getSignaturesForAddress"] = lambda address, options: (
        lines if address == oracle and "before" not in options else []
    )
    wire = base64.b64encode(bytes(transactions.sign([PAY], [PAYER], Hash.default(), ()))).decode()
    meta = {"err": None, "fee": 5_000, "logMessages": []}
    server.rules["getTransaction"] = lambda *_: {"meta": meta, "transaction": [wire, "base64"]}
    server.refusals = {"getSignaturesForAddress": [(429, "2")], "getTransaction": [(429, "5")] * 3}
    past = Archive(rpc, built, at_once=at_once).walk()
    assert (past.transactions, past.gaps) == (9, [])
    assert server.calls.count("getTransaction") == 12
    assert 2 + 5 <= sum(waits.waited) <= at_once * (2 + 3 * 5)


def test_the_audit_has_patience_and_says_so(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(limits, "FIRST_S", 0.01)
    server.rules["getGenesisHash"] = lambda: str(Hash.default())
    for method in ("getGenesisHash", "getSignaturesForAddress", "getMultipleAccounts", "getProgramAccounts"):
        server.refusals[method] = [(429, None), (429, "9999")]
    assert main(["audit", "--rpc", f"http://127.0.0.1:{server.server.server_port}"]) == 3
    said = capsys.readouterr().err
    assert "the RPC answers HTTP 429: asking again in 0 s" in said
    assert "try again in 9,999 s" in said
    assert len(server.calls) == 2
