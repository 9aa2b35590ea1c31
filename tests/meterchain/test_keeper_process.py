"""The keeper as systemd starts it: a process of its own, a chain over HTTP, READY=1, /metrics, SIGTERM."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.meterchain.market.place import SMALL, key

from meterchain import instructions
from meterchain import site as steps
from meterchain.accounts import Role, UserType
from meterchain.audit_events import audit
from meterchain.history import Archive
from meterchain.localnet import run as local_chain
from meterchain.market import builders
from meterchain.market.accounts import Side
from meterchain.market.creation import create_currency, create_market, issue
from meterchain.market.reading import fetch_history, find_market
from meterchain.programs import Programs
from meterchain.rpc import RpcChain
from meterchain.site import SiteSettings
from meterchain.units import SLOT_S, Atoms, Lamports, slot_of

pytestmark = pytest.mark.ci
PORT, METRICS = 18_996, 18_998


def travel(url: str, unix_s: int) -> None:
    """Let the local chain's time jump forward."""
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "surfnet_timeTravel",
        "params": [{"absoluteTimestamp": unix_s * 1_000}],
    }
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        assert "error" not in json.load(answer)


def an_order(chain: RpcChain, built: Programs, department: Keypair) -> None:
    """One trader with money bids in the present epoch; the chain's time is brought to its beginning."""
    site = steps.initialise(chain, built, SiteSettings("keeper"), department)
    currency = create_currency(chain, department, "baht")
    market = create_market(chain, built, department, currency.address, SMALL)
    chain.send([instructions.set_auto_clearing(built, department.pubkey(), enabled=True)], [department])
    trader = key("anna")
    chain.airdrop(trader.pubkey(), Lamports(10**9))
    steps.register_user(chain, site, department, trader.pubkey(), UserType.CONSUMER, Role.STUDENT)
    issue(chain, department, currency.address, trader.pubkey(), Atoms(10**9))
    chain.send([builders.open_seat(built, market, trader.pubkey())], [trader])
    epoch = slot_of(chain.clock().unix_s) + SLOT_S
    travel(f"http://127.0.0.1:{PORT}", epoch + 5)
    order = builders.create_order(
        built, market, trader.pubkey(), 0, Side.BUY, Atoms(10**9), market.price(100),
        epoch=slot_of(chain.clock().unix_s),
    )  # fmt: skip
    chain.send([order], [trader])
    travel(f"http://127.0.0.1:{PORT}", epoch + SLOT_S + 5)


def test_a_keeper_process_settles_over_rpc_serves_metrics_and_stops_when_told(built: Programs, tmp_path: Path) -> None:
    department, payer = key("department"), key("keeper")
    wallet = tmp_path / "payer.json"
    wallet.touch(mode=0o600)
    wallet.write_text(payer.to_json())
    with local_chain(port=PORT, slot_ms=20) as net, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        chain = RpcChain(net.url, idls=built.by_id)
        try:
            for who in (department, payer):
                chain.airdrop(who.pubkey(), Lamports(100 * 10**9))
            steps.deploy_programs(chain, built, payer=department, authority=department)
            an_order(chain, built, department)
            words = ["keeper", "run", "--rpc", net.url, "--payer", str(wallet), "--listen", f"127.0.0.1:{METRICS}"]
            command = [sys.executable, "-m", "meterbridge", *words, "--keep", str(tmp_path / "kept")]
            environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
            with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as keeper:
                assert manager.recv(64) == b"READY=1\nWATCHDOG=1", "after the first turn"
                with urllib.request.urlopen(f"http://127.0.0.1:{METRICS}/metrics", timeout=10) as answer:
                    text = answer.read().decode()
                keeper.send_signal(signal.SIGTERM)
                _, said = keeper.communicate(timeout=30)
            assert keeper.returncode == 0, said
            assert manager.recv(64) == b"STOPPING=1"
            assert 'transactions_total{outcome="done",what="trigger_market_clearing"} 1.0' in text
            (entry,) = fetch_history(chain, built, find_market(chain, built))
            assert (entry.orders, entry.bid_lots) == (1, 1_000)
            assert (tmp_path / "kept" / f"{entry.epoch}.json").is_file()
            audited = audit(chain, built, Archive(chain, built))
            assert audited.ok, [check for check in audited.checks if not check.ok]
            assert any("clears again" in check.name and check.detail == "1 epochs, 0 fills" for check in audited.checks)
        finally:
            chain.close()
