"""RpcChain against an RPC that lags, lies, breaks or hangs: what is known is told apart from what is not."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.system_program import TransferParams, transfer

from meterchain import base58
from meterchain.chain import AlreadyProcessed, BadTransaction, BlockhashExpired, ChainUnreachable, TransactionFailed
from meterchain.programs import Programs
from meterchain.rpc import RpcChain
from meterchain.units import Lamports

PAYER = Keypair.from_seed(bytes(32))
TO = Pubkey([8] * 32)
PAY = transfer(TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=TO, lamports=5))
Answer = Any
Rule = Callable[..., Answer]
Refusal = tuple[int, str | None]
"""HTTP status and Retry-After."""


class RpcError(Exception):
    """What the server answers instead of a result."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, "data": data}


class Scripted:
    """A JSON-RPC server whose methods are functions of the test; counts the calls."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {
            "getLatestBlockhash": lambda *_: {"value": {"blockhash": str(Hash.default()), "lastValidBlockHeight": 9}},
            "sendTransaction": lambda *_: "signature",
            "getBlockHeight": lambda *_: 9,
        }
        self.calls: list[str] = []
        self.raw: Callable[[], tuple[int, bytes]] | None = None
        self.refusals: dict[str, list[Refusal]] = {}
        """By method: how the next questions are refused."""
        self.release = threading.Event()
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                scripted.calls.append(request["method"])
                refused = scripted.refusals.get(request["method"])
                after = None
                if refused:
                    (status, after), body = refused.pop(0), b"busy"
                else:
                    status, body = scripted.raw() if scripted.raw else scripted.answer(request)
                self.send_response(status)
                if after is not None:
                    self.send_header("retry-after", after)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # a client that has hung up is no news
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, request: dict[str, Any]) -> tuple[int, bytes]:
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            reply["result"] = self.rules[request["method"]](*request["params"])
        except RpcError as error:
            reply["error"] = error.error
        return 200, json.dumps(reply).encode()

    def statuses(self, *statuses: Answer) -> None:
        """Answer getSignatureStatuses with these in turn, the last for ever."""
        left = list(statuses)
        self.rules["getSignatureStatuses"] = lambda *_: {"value": [left.pop(0) if len(left) > 1 else left[0]]}

    def landed(self, **meta: Answer) -> None:
        """Show a transaction with this meta data."""
        self.rules["getTransaction"] = lambda *_: {"meta": {"err": None, "fee": 5000, "logMessages": [], **meta}}

    def close(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


CONFIRMED = {"confirmationStatus": "confirmed", "err": None}
PROCESSED = {"confirmationStatus": "processed", "err": None}


@pytest.fixture
def server() -> Iterator[Scripted]:
    scripted = Scripted()
    yield scripted
    scripted.close()


@pytest.fixture
def rpc(server: Scripted) -> Iterator[RpcChain]:
    url = f"http://127.0.0.1:{server.server.server_port}/key-of-the-provider"
    chain = RpcChain(url, timeout_s=5, poll_s=0.001, confirm_s=5)
    yield chain
    chain.close()


def test_a_closed_port_is_unreachable_and_the_message_keeps_the_provider_s_key() -> None:
    chain = RpcChain("http://127.0.0.1:1/secret-key", timeout_s=5)
    with pytest.raises(ChainUnreachable, match=r"no answer from 127\.0\.0\.1") as lost:
        chain.clock()
    assert "secret-key" not in str(lost.value)
    chain.close()


@pytest.mark.parametrize("status", [404, 500, 503])
def test_an_http_error_is_unreachable(server: Scripted, rpc: RpcChain, status: int) -> None:
    server.raw = lambda: (status, b"busy")
    with pytest.raises(ChainUnreachable, match="check the network"):
        rpc.send([PAY], [PAYER])


@pytest.mark.parametrize(("refusal", "again"), [((429, None), "again or"), ((503, "7"), "again in 7 s or")])
def test_an_rpc_without_time_is_unreachable_and_asked_once(
    server: Scripted, rpc: RpcChain, refusal: Refusal, again: str
) -> None:
    server.refusals["getGenesisHash"] = [refusal]
    with pytest.raises(ChainUnreachable, match=f"no time for getGenesisHash .*HTTP {refusal[0]}.* {again}"):
        rpc.genesis_hash()
    assert server.calls == ["getGenesisHash"]


def test_a_web_page_is_no_rpc(server: Scripted, rpc: RpcChain) -> None:
    server.raw = lambda: (200, b"<html>welcome</html>")
    with pytest.raises(ChainUnreachable, match="does not speak"):
        rpc.accounts([TO])


def test_an_rpc_that_hangs_is_unreachable_after_the_time_out(server: Scripted) -> None:
    def hang() -> tuple[int, bytes]:
        server.release.wait(20)
        return 200, b""

    server.raw = hang
    chain = RpcChain(f"http://127.0.0.1:{server.server.server_port}", timeout_s=0.1)
    with pytest.raises(ChainUnreachable, match="Timeout"):
        chain.clock()
    server.release.set()
    chain.close()


def test_a_transport_error_is_not_retried_behind_our_back(server: Scripted, rpc: RpcChain) -> None:
    server.raw = lambda: (502, b"")
    with pytest.raises(ChainUnreachable):
        rpc.genesis_hash()
    assert server.calls == ["getGenesisHash"]


def test_s5_a_receipt_of_a_lying_rpc_is_contradicted_by_the_accounts(server: Scripted, rpc: RpcChain) -> None:
    server.statuses(CONFIRMED)
    server.landed()
    server.rules["getMultipleAccounts"] = lambda *_: {"value": [None]}
    assert rpc.send([PAY], [PAYER]).fee == 5_000
    assert rpc.accounts([TO]) == [None], "nobody may believe the receipt alone"


def test_s2_a_dropped_transaction_is_sent_again_as_it_is_until_it_expires(server: Scripted, rpc: RpcChain) -> None:
    server.statuses(None)
    heights = iter([7, 8, 9])
    server.rules["getBlockHeight"] = lambda *_: next(heights, 10)
    sent: list[str] = []
    server.rules["sendTransaction"] = lambda wire, _options: sent.append(wire) or "signature"
    with pytest.raises(BlockhashExpired, match="build it anew"):
        rpc.send([PAY], [PAYER])
    assert len(sent) == 4
    assert len(set(sent)) == 1


def test_s2_what_landed_in_the_last_block_is_not_called_expired(server: Scripted, rpc: RpcChain) -> None:
    server.statuses(None, CONFIRMED)
    server.rules["getBlockHeight"] = lambda *_: 10
    server.landed(computeUnitsConsumed=150)
    assert rpc.send([PAY], [PAYER]).compute_units == 150


def test_a_transaction_is_done_when_it_is_confirmed_not_when_it_is_processed(server: Scripted, rpc: RpcChain) -> None:
    server.statuses(None, PROCESSED, PROCESSED, CONFIRMED)
    server.landed()
    rpc.send([PAY], [PAYER])
    assert server.calls.count("getSignatureStatuses") == 4
    assert server.calls.index("getTransaction") > server.calls.index("getSignatureStatuses")


def test_a_confirmation_that_never_comes_leaves_everything_open(server: Scripted) -> None:
    server.statuses(PROCESSED)
    chain = RpcChain(f"http://127.0.0.1:{server.server.server_port}", poll_s=0.001, confirm_s=0.05)
    with pytest.raises(ChainUnreachable, match="look at the accounts"):
        chain.send([PAY], [PAYER])
    chain.close()


def test_a_transaction_that_fails_after_landing_is_a_failure(server: Scripted, rpc: RpcChain, built: Programs) -> None:
    server.statuses({"confirmationStatus": "confirmed", "err": {"InstructionError": [0, {"Custom": 6011}]}})
    server.landed(err={"InstructionError": [0, {"Custom": 6011}]}, logMessages=["a line"], computeUnitsConsumed=7)
    with pytest.raises(TransactionFailed, match="StaleSequence") as refused:
        rpc.send([Instruction(built.id("oracle"), b"", [])], [PAYER])
    assert (refused.value.logs, refused.value.compute_units) == (("a line",), 7)


def test_the_receipt_holds_events_by_self_cpi_and_return_data(server: Scripted, rpc: RpcChain) -> None:
    server.statuses(CONFIRMED)
    steps = [{"programIdIndex": 2, "accounts": [], "data": base58.encode(b"\0event")}]
    server.landed(
        innerInstructions=[{"index": 0, "instructions": steps}],
        returnData={"programId": str(TO), "data": [base64.b64encode(b"value").decode(), "base64"]},
    )
    receipt = rpc.send([PAY], [PAYER])
    assert receipt.inner_data == ((SYSTEM, b"\0event"),)
    assert (receipt.return_program, receipt.return_data) == (TO, b"value")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RpcError(-32002, "simulation failed", {"err": "AlreadyProcessed", "logs": []}), AlreadyProcessed),
        (RpcError(-32003, "This transaction has already been processed"), AlreadyProcessed),
        (RpcError(-32002, "simulation failed", {"err": "BlockhashNotFound", "logs": []}), BlockhashExpired),
        (RpcError(-32002, "failed", {"err": {"InstructionError": [0, {"Custom": 1}]}, "logs": []}), TransactionFailed),
        (RpcError(-32003, "Transaction signature verification failure"), BadTransaction),
        (RpcError(-32602, "too large"), BadTransaction),
        (RpcError(-32005, "Node is behind by 42 slots"), ChainUnreachable),
        (RpcError(-32603, "Internal error"), ChainUnreachable),
    ],
)
def test_a_refusal_on_arrival_is_told_apart(
    server: Scripted, rpc: RpcChain, error: RpcError, kind: type[Exception]
) -> None:
    def refuse(*_: object) -> None:
        raise error

    server.rules["sendTransaction"] = refuse
    with pytest.raises(kind) as refused:
        rpc.send([PAY], [PAYER])
    assert type(refused.value) is kind


def test_an_rpc_that_answers_for_other_accounts_is_not_believed(server: Scripted, rpc: RpcChain) -> None:
    server.rules["getMultipleAccounts"] = lambda *_: {"value": []}
    with pytest.raises(ChainUnreachable, match="cannot be right"):
        rpc.accounts([TO])
    server.rules["getMultipleAccounts"] = lambda *_: {"value": [None]}
    with pytest.raises(ChainUnreachable, match="Clock"):
        rpc.clock()


def test_program_accounts_are_filtered_here_too(server: Scripted, rpc: RpcChain) -> None:
    def account(data: bytes) -> dict[str, Any]:
        return {
            "owner": str(SYSTEM), "lamports": 1, "executable": False,
            "data": [base64.b64encode(data).decode(), "base64"],
        }  # fmt: skip

    entries = [
        {"pubkey": str(TO), "account": account(b"wanted")},
        {"pubkey": str(SYSTEM), "account": account(b"other")},
    ]
    server.rules["getProgramAccounts"] = lambda *_: entries
    assert list(rpc.program_accounts(SYSTEM, b"want")) == [TO]


def test_a_public_faucet_that_says_no_is_quoted(server: Scripted, rpc: RpcChain) -> None:
    def refuse(*_: object) -> None:
        raise RpcError(-32601, "Method not found")

    server.rules["requestAirdrop"] = refuse
    with pytest.raises(BadTransaction, match=r"fund .* from another wallet"):
        rpc.airdrop(TO, Lamports(1))


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8899", True), ("http://localhost:8899", True), ("http://[::1]:8899", True),
        ("http://127.8.9.10", True), ("https://api.devnet.solana.com", False), ("http://192.168.1.5:8899", False),
        ("http://127.0.0.1.example.org", False), ("http://localhost.example.org", False),
    ],
)  # fmt: skip
def test_only_loopback_counts_as_local(url: str, local: bool) -> None:
    chain = RpcChain(url)
    assert chain.is_local is local
    chain.close()


@pytest.mark.parametrize("url", ["", "localhost:8899", "ftp://host", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadTransaction, match="must look like"):
        RpcChain(url)


@given(st.binary(max_size=80))
def test_base58_survives_and_agrees_with_solders(raw: bytes) -> None:
    assert base58.decode(base58.encode(raw)) == raw
    if len(raw) == 32:
        assert base58.encode(raw) == str(Pubkey(raw))


def test_base58_of_keys_is_solders_own() -> None:
    for raw in (bytes(32), bytes(range(32)), b"\xff" * 32):
        assert base58.encode(raw) == str(Pubkey(raw))
    with pytest.raises(ValueError, match="substring"):
        base58.decode("0OIl")
