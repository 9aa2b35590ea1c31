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
from tests.free_ports import free_port
from tests.meterchain.market.place import KWH, SMALL, key

from meterchain import instructions, pdas
from meterchain import site as steps
from meterchain.accounts import MeterKind, Role, UserType
from meterchain.audit_events import audit
from meterchain.ed25519 import Signed, possession_message
from meterchain.history import Archive
from meterchain.instructions import MeterAssignment, SignedRecord
from meterchain.localnet import run as local_chain
from meterchain.market import builders
from meterchain.market.accounts import Side
from meterchain.market.creation import create_currency, create_market, issue
from meterchain.market.reading import fetch_history, fetch_seats, find_market
from meterchain.programs import Programs
from meterchain.record import Record
from meterchain.rpc import RpcChain
from meterchain.site import Site, SiteSettings
from meterchain.tokens import read_token_account
from meterchain.units import SLOT_S, Atoms, InstallId, Lamports, Mwh, Seq, Slot, UnixTime, slot_of

pytestmark = pytest.mark.ci


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


def an_epoch(chain: RpcChain, url: str, built: Programs, department: Keypair) -> Keypair:
    """A meter reports 1 kWh, which is minted, and its owner sells it to one who bids; returns the buyer.

    The chain's time is brought to the slot's end for the reading, and to the epoch's end after the orders.
    """
    site = steps.initialise(chain, built, SiteSettings("keeper"), department)
    currency = create_currency(chain, department, "baht")
    market = create_market(chain, built, department, currency.address, SMALL)
    chain.send([instructions.set_auto_clearing(built, department.pubkey(), enabled=True)], [department])
    seller, buyer = key("ben"), key("anna")
    for trader, kind in ((seller, UserType.PROSUMER), (buyer, UserType.CONSUMER)):
        chain.airdrop(trader.pubkey(), Lamports(10**9))
        steps.register_user(chain, site, department, trader.pubkey(), kind, Role.STUDENT)
        steps.open_token_account(chain, site, trader, trader.pubkey())
        chain.send([builders.open_seat(built, market, trader.pubkey())], [trader])
    issue(chain, department, currency.address, buyer.pubkey(), Atoms(KWH))
    meter = assigned(chain, site, department, seller)
    epoch = slot_of(chain.clock().unix_s) + 2 * SLOT_S
    travel(url, epoch + 5)
    record = Record(
        site.domain, "METER_001", InstallId(1), Seq(1), Slot(epoch - SLOT_S), UnixTime(epoch), Mwh(1_000_000), Mwh(0),
        bytes(16),
    ).encode()  # fmt: skip
    signed = SignedRecord(record, Signed(bytes(meter.pubkey()), bytes(meter.sign_message(record))))
    chain.send(instructions.submit_meter_data(built, buyer.pubkey(), [signed], position=0), [buyer])
    chain.send([instructions.process_energy_data(built, "METER_001", seller.pubkey())], [buyer])
    for seat, (trader, side) in enumerate(((seller, Side.SELL), (buyer, Side.BUY))):
        order = builders.create_order(
            built, market, trader.pubkey(), seat, side, Atoms(KWH), market.price(100), epoch=Slot(epoch)
        )
        chain.send([order], [trader])
    travel(url, epoch + SLOT_S + 5)
    return buyer


def assigned(chain: RpcChain, site: Site, department: Keypair, owner: Keypair) -> Keypair:
    """METER_001 of `owner`, ready to report; returns its key."""
    meter = key("METER_001")
    wanted = MeterAssignment(
        meter_id="METER_001", owner=owner.pubkey(), kind=MeterKind.BIDIRECTIONAL, max_export_w=5_000,
        max_import_w=10_000, resolution_mwh=1_000, baseline_export_mwh=Mwh(0), baseline_import_mwh=Mwh(0), serial="1",
        model="SDM120", building="Building 4",
    )  # fmt: skip
    message = possession_message(site.domain, "METER_001", owner.pubkey(), InstallId(1))
    claim = Signed(bytes(meter.pubkey()), bytes(meter.sign_message(message)))
    steps.assign_meter(chain, site, department, wanted, claim)
    steps.open_meter(chain, site, owner, "METER_001")
    return meter


def test_energy_measured_over_rpc_is_sold_a_keeper_process_settles_and_the_audit_agrees(
    built: Programs, tmp_path: Path
) -> None:
    """On its way the process serves metrics, and stops when it is told."""
    department, payer = key("department"), key("keeper")
    wallet = tmp_path / "payer.json"
    wallet.touch(mode=0o600)
    wallet.write_text(payer.to_json())
    metrics = f"127.0.0.1:{free_port()}"
    with (
        local_chain(port=free_port(neighbours=1), slot_ms=20) as net,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        chain = RpcChain(net.url, idls=built.by_id)
        try:
            for who in (department, payer):
                chain.airdrop(who.pubkey(), Lamports(100 * 10**9))
            steps.deploy_programs(chain, built, payer=department, authority=department)
            buyer = an_epoch(chain, net.url, built, department)
            words = ["keeper", "run", "--rpc", net.url, "--payer", str(wallet), "--listen", metrics]
            command = [sys.executable, "-m", "meterbridge", *words, "--keep", str(tmp_path / "kept")]
            environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "180000000"}
            with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as keeper:
                assert [manager.recv(64) for _ in range(2)] == [b"READY=1", b"WATCHDOG=1"], "after the first turn"
                with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=10) as answer:
                    text = answer.read().decode()
                keeper.send_signal(signal.SIGTERM)
                _, said = keeper.communicate(timeout=30)
            assert keeper.returncode == 0, said
            assert manager.recv(64) == b"STOPPING=1"
            assert 'transactions_total{outcome="done",what="trigger_market_clearing"} 1.0' in text
            market = find_market(chain, built)
            (entry,) = fetch_history(chain, built, market)
            assert (entry.orders, entry.fills, entry.volume_lots, entry.price) == (2, 2, 1_000, market.price(100))
            assert (tmp_path / "kept" / f"{entry.epoch}.json").is_file()
            chain.send([builders.payout(built, market, fetch_seats(chain, built, market))], [payer])
            (grid,) = chain.accounts([pdas.grid_account(built, buyer.pubkey())[0]])
            assert grid
            assert read_token_account(grid).amount == KWH
            audited = audit(chain, built, Archive(chain, built, at_once=4))
            assert audited.ok, [check for check in audited.checks if not check.ok]
            details = {check.name: check.detail for check in audited.checks}
            assert any("clears again" in name and told == "1 epochs, 2 fills" for name, told in details.items())
            assert f"1 signatures by {key('METER_001').pubkey()}" in details.values()
        finally:
            chain.close()
