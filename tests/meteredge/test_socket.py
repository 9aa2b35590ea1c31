"""The agent's socket: what is said over it, and clients that are slow, many, mad or gone."""

import json
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteredge import socket_server
from meteredge.bus_errors import CorruptReply, DeviceException, NoReply, PortLent
from meteredge.frame_log import Frame
from meteredge.socket_client import (
    AgentAbsent,
    AgentBusy,
    AgentDenied,
    AgentRefuses,
    AgentSocket,
    SharedBus,
)
from meteredge.socket_protocol import (
    MAX_REQUEST_BYTES,
    BadRequest,
    Counts,
    Frames,
    OtherVersion,
    Read,
    Refusal,
    Release,
    Request,
    Resume,
    Status,
    decode_reply,
    decode_request,
    encode_ok,
    encode_refusal,
    encode_request,
)
from meteredge.socket_server import AgentRunning, Refused, SocketServer, SocketUnusable

WORDS = [17_254, 13_107]


class Told:
    """Answers as a test wants them, and who hung up."""

    def __init__(self) -> None:
        self.answers: dict[str, Mapping[str, Any] | Exception | Callable[[], Mapping[str, Any]]] = {
            "status": {"schema": 1},
            "read": {"words": WORDS},
            "release": {"port": "/dev/ttyUSB0", "baud": 9_600, "format": "8N1", "seconds": 30.0},
            "resume": {"was_lent": True},
        }
        self.asked: list[Request] = []
        self.gone: list[int] = []
        self.someone_left = threading.Event()

    def answer(self, request: Request, _client: int) -> Mapping[str, Any]:
        self.asked.append(request)
        answer = self.answers[request.ask]
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer

    def has_loan(self, _client: int) -> bool:
        return False

    def hung_up(self, client: int) -> None:
        self.gone.append(client)
        self.someone_left.set()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "agent.sock"


@pytest.fixture
def server(path: Path, told: Told) -> Iterator[SocketServer]:
    server = SocketServer(path, told)
    yield server
    server.close()


@pytest.fixture
def agent(server: SocketServer, path: Path) -> Iterator[AgentSocket]:
    with AgentSocket(path, timeout_s=10) as agent:
        yield agent


def raw(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    """What the agent answers to these bytes, until it has answered as often or hung up."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(b"".join(lines))
        with connection.makefile("rb") as answers:
            return [json.loads(line) for line in (answers.readline() for _ in lines) if line]


def _open_files() -> int:
    """How many descriptors this process has open."""
    return sum(1 for _ in Path("/dev/fd").iterdir())


# --- the protocol


_read = st.builds(
    Read,
    unit=st.integers(1, 248),
    fc=st.sampled_from([3, 4]),
    address=st.integers(0, 65_000),
    words=st.integers(1, 125),
    response_s=st.floats(0.001, 2.0),
    gap_s=st.floats(0.0, 1.0),
)
_requests = st.one_of(
    _read,
    st.builds(Frames, seconds=st.floats(0, 86_400)),
    st.builds(Release, seconds=st.floats(1, 120)),
    st.sampled_from([Status(), Counts(), Resume()]),
)


@given(_requests)
def test_a_request_arrives_as_it_was_sent(request: Request) -> None:
    line = encode_request(request)
    assert len(line) <= MAX_REQUEST_BYTES
    assert decode_request(line) == request


@given(
    st.builds(
        Refusal,
        st.text(),
        st.text(),
        st.text(),
        st.none() | st.floats(0, 900),
        st.none() | st.integers(1, 255),
        st.binary(),
    )
)
def test_a_refusal_arrives_as_it_was_sent(refusal: Refusal) -> None:
    assert decode_reply(encode_refusal(refusal)) == refusal


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(
    st.binary(max_size=200)
    | _json.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {"v": st.just(1), "ask": st.sampled_from(["read", "status", "release", "frames"]) | _json},
        optional=dict.fromkeys(("unit", "fc", "address", "words", "seconds", "response_s", "x"), _json),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_is_sent_is_a_request_or_told_to_be_none(line: bytes) -> None:
    try:
        request = decode_request(line)
    except (BadRequest, OtherVersion):
        return
    assert decode_request(encode_request(request)) == request


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"unit": 0}, "unit is 0; allowed is 1 to 248"),
        ({"unit": 249}, "unit is 249"),
        ({"fc": 6}, "the agent only reads"),
        ({"fc": 16}, "the agent only reads"),
        ({"address": 65_535, "words": 2}, "words is 2; allowed is 1 to 1"),
        ({"words": 126}, "words is 126"),
        ({"words": True}, "words is True, no whole number"),
        ({"words": 2.0}, "words is 2.0, no whole number"),
        ({"response_s": 60}, "response_s is 60; allowed is 0.001 to 2"),
        ({"value": 1}, "read has no 'value'; it takes unit, fc, address"),
        ({"ask": "write"}, "unknown request 'write'; known are status"),
        ({"ask": ["read"]}, "unknown request"),
    ],
)
def test_each_mistake_in_a_request_is_named(change: dict[str, Any], told: str) -> None:
    good = {"v": 1, "ask": "read", "unit": 1, "fc": 3, "address": 0, "words": 2}
    assert isinstance(decode_request(json.dumps(good).encode()), Read)
    with pytest.raises(BadRequest, match=told):
        decode_request(json.dumps(good | change).encode())


def test_a_request_that_lacks_something_is_told_what() -> None:
    with pytest.raises(BadRequest, match="read lacks fc, words"):
        decode_request(b'{"v": 1, "ask": "read", "unit": 1, "address": 0}')


def test_another_version_is_not_guessed_at() -> None:
    for line in (b'{"v": 2, "ask": "status"}', b'{"ask": "status"}'):
        with pytest.raises(OtherVersion, match="this agent speaks version 1"):
            decode_request(line)


# --- asking


def test_each_question_has_its_answer(agent: AgentSocket, told: Told) -> None:
    told.answers["counts"] = {"counts": {"requests": 7}}
    told.answers["frames"] = {
        "baud": 9_600, "format": "8N1", "began_utc": 5.0, "frames": [{"t": 0.5, "dir": "tx", "hex": "0104"}],
    }  # fmt: skip
    assert agent.ask(Status()) == {"schema": 1}
    assert agent.ask(Counts()) == {"requests": 7}
    assert agent.ask(Read(1, 4, 0, 2)) == tuple(WORDS)
    assert agent.ask(Frames()).frames == (Frame(0.5, "tx", b"\x01\x04"),)
    assert agent.ask(Release(60)).seconds == 30.0
    assert agent.ask(Resume()) is True


def test_the_shared_bus_asks_as_a_bus_does(agent: AgentSocket, told: Told) -> None:
    assert SharedBus(agent).read_block(5, 3, 16, 2) == tuple(WORDS)
    assert told.asked == [Read(5, 3, 16, 2, 0.5, 0.0)]


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (Refusal("busy", "a slot is being closed", "ask again in 9 s", 9.0), AgentBusy),
        (Refusal("no_reply", "unit 1 did not answer", "check the wires"), NoReply),
        (Refusal("device_exception", "unit 1 answers 2", "check `profile`", code=2), DeviceException),
        (Refusal("corrupt_reply", "damaged", "check baud", raw=b"\x01\xff"), CorruptReply),
        (Refusal("port_lent", "lent", "wait"), PortLent),
        (Refusal("anything", "fact", "step"), AgentRefuses),
    ],
)
def test_what_the_agent_refuses_is_raised_as_what_it_is(
    agent: AgentSocket, told: Told, refusal: Refusal, kind: type[Exception]
) -> None:
    told.answers["read"] = Refused(refusal)
    with pytest.raises(kind, match=f"{refusal.fact}; {refusal.next_step}") as caught:
        agent.ask(Read(1, 4, 0, 2))
    assert getattr(caught.value, "wait_s", None) == refusal.wait_s
    assert getattr(caught.value, "code", None) == refusal.code
    assert getattr(caught.value, "raw", b"") == refusal.raw
    assert agent.ask(Status()) == {"schema": 1}, "the connection lives on"


def test_words_that_are_not_as_many_as_asked_for_are_not_believed(agent: AgentSocket) -> None:
    with pytest.raises(AgentRefuses, match="2 words for 3"):
        agent.ask(Read(1, 4, 0, 3))


def test_without_an_agent_the_next_step_is_told(path: Path) -> None:
    with AgentSocket(path) as agent, pytest.raises(AgentAbsent, match=r"no agent runs behind .* start it"):
        agent.ask(Status())


def test_a_socket_that_a_dead_agent_left_behind_is_no_agent(path: Path, told: Told) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with AgentSocket(path) as agent, pytest.raises(AgentAbsent, match="no agent runs"):
        agent.ask(Status())
    server = SocketServer(path, told)
    with AgentSocket(path) as agent:
        assert agent.ask(Status()) == {"schema": 1}
    server.close()


def test_who_may_not_talk_to_the_agent_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("meteredge.socket_client.socket.socket.connect", refuse, raising=False)
    with AgentSocket(path) as agent, pytest.raises(AgentDenied, match="add the user to the agent's group"):
        agent.ask(Status())


def test_an_agent_that_went_away_is_told_and_found_again(path: Path, told: Told) -> None:
    first = SocketServer(path, told)
    with AgentSocket(path) as agent:
        agent.ask(Status())
        first.close()
        with pytest.raises(AgentAbsent, match="went away"):
            agent.ask(Status())
        second = SocketServer(path, told)
        assert agent.ask(Status()) == {"schema": 1}
        second.close()


def test_an_agent_that_does_not_answer_is_not_waited_for_for_ever(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with AgentSocket(path, timeout_s=0.05) as agent, pytest.raises(AgentAbsent, match="does not answer within"):
            agent.ask(Status())


# --- clients that are a nuisance


def test_bad_lines_are_answered_and_the_next_good_one_too(server: SocketServer, path: Path) -> None:
    answers = raw(path, b"\n", b"nonsense\n", b'{"v":1,"ask":"write"}\n', b"[" * 900 + b"\n", encode_request(Status()))
    assert [answer.get("error", {}).get("kind") for answer in answers] == ["bad_request"] * 4 + [None]


def test_a_line_without_an_end_is_hung_up_on(server: SocketServer, path: Path, told: Told) -> None:
    (answer,) = raw(path, b"x" * (3 * MAX_REQUEST_BYTES))
    assert "at most 1024 bytes" in answer["error"]["fact"]
    assert told.someone_left.wait(10)


def test_a_fault_of_ours_costs_one_answer(server: SocketServer, path: Path, told: Told) -> None:
    told.answers["read"] = ZeroDivisionError("a fault")
    answers = raw(path, encode_request(Read(1, 3, 0, 1)), encode_request(Status()))
    assert answers[0]["error"]["kind"] == "failed"
    assert answers[1]["ok"] == {"schema": 1}


def test_a_ninth_client_is_told_that_the_agent_is_busy_and_the_eight_go_on(server: SocketServer, path: Path) -> None:
    eight = [AgentSocket(path, timeout_s=10) for _ in range(socket_server.MAX_CLIENTS)]
    try:
        for agent in eight:
            agent.ask(Status())
        with AgentSocket(path, timeout_s=10) as ninth, pytest.raises((AgentBusy, AgentAbsent)):
            ninth.ask(Status())
        assert eight[0].ask(Status()) == {"schema": 1}
    finally:
        for agent in eight:
            agent.close()


def test_a_client_that_begins_a_line_and_sleeps_is_hung_up_on(
    path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_server, "LINE_WITHIN_S", 0.05)
    server = SocketServer(path, told)
    assert raw(path, b'{"v":1') == []
    server.close()


def test_a_client_that_says_nothing_is_hung_up_on(path: Path, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_server, "IDLE_S", 0.05)
    server = SocketServer(path, told)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        assert connection.recv(1) == b""
    server.close()


def test_a_client_that_does_not_take_its_answer_is_hung_up_on(
    path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_server, "SEND_WITHIN_S", 0.05)
    told.answers["status"] = {"long": "x" * 4_000_000}
    server = SocketServer(path, told)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(encode_request(Status()))
        assert told.someone_left.wait(10)
    server.close()


def test_one_slow_answer_keeps_nobody_else_waiting(server: SocketServer, path: Path, told: Told) -> None:
    go_on = threading.Event()

    def slowly() -> Mapping[str, Any]:
        assert go_on.wait(10)
        return {"words": WORDS}

    told.answers["read"] = slowly
    with AgentSocket(path, 10) as slow, AgentSocket(path, 10) as quick:
        waiting = threading.Thread(target=slow.ask, args=(Read(1, 4, 0, 2),))
        waiting.start()
        assert quick.ask(Status()) == {"schema": 1}
        go_on.set()
        waiting.join()


def test_the_agent_learns_that_a_client_hung_up(agent: AgentSocket, told: Told) -> None:
    agent.ask(Status())
    agent.close()
    assert told.someone_left.wait(10)
    assert told.gone == [1]


# --- the file


def test_the_socket_is_for_owner_and_group(server: SocketServer, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_the_socket_is_gone_with_its_agent(path: Path, told: Told) -> None:
    SocketServer(path, told).close()
    assert not path.exists()


def test_a_second_agent_fails_clearly_and_harms_the_first_one_not(
    server: SocketServer, agent: AgentSocket, path: Path, told: Told
) -> None:
    with pytest.raises(AgentRunning, match="another agent runs here; stop it first"):
        SocketServer(path, told)
    assert agent.ask(Status()) == {"schema": 1}


def test_anything_that_has_the_sockets_name_is_replaced(path: Path, told: Told) -> None:
    path.parent.mkdir()
    path.write_text("left here by somebody")
    SocketServer(path, told).close()


def test_a_folder_that_cannot_be_had_is_told(tmp_path: Path, told: Told) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SocketUnusable, match=r"\[state\] runtime"):
        SocketServer(tmp_path / "file" / "agent.sock", told)
    with pytest.raises(SocketUnusable, match="too long for a socket"):
        SocketServer(tmp_path / ("x" * 100) / "agent.sock", told)


def test_closing_leaves_no_descriptor_behind(path: Path, told: Told) -> None:
    before = _open_files()
    server = SocketServer(path, told)
    with AgentSocket(path, 10) as agent:
        agent.ask(Status())
        server.close()
    assert _open_files() == before


def test_a_reply_that_is_none_is_told(path: Path) -> None:
    for line in (b"{}", b'{"v":1,"error":{}}', encode_ok({})[:-1].replace(b'"v":1', b'"v":9')):
        with pytest.raises((BadRequest, OtherVersion)):
            decode_reply(line)
