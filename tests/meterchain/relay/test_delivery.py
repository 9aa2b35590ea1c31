"""A relay's turn: genuine records go four by four, strangers' cost nothing, nobody has to trust it."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.meterchain.conftest import NewMeter, Signer
from tests.meterchain.relay.conftest import NewRelay, next_record, window_of

from meterbridge.__main__ import main
from meterchain import instructions
from meterchain.accounts import MeterStatus
from meterchain.chain import ChainUnreachable
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import SignedRecord
from meterchain.record import Record
from meterchain.relay import delivery
from meterchain.relay.delivery import LEAVE_ALONE_S, Relay
from meterchain.relay.kept import MOST_ROWS_A_METER
from meterchain.relay.tables import Tables, TablesError
from meterchain.site import Site
from meterchain.units import Seq, UnixTime
from meterchain.wallets import create_wallet


def _one_slot(meters: list[Signer]) -> list[SignedRecord]:
    """The same slot of each; the clock ends behind the last."""
    return [next_record(meter) for meter in meters]


def test_four_meters_share_one_transaction(relay: Relay, new_meter: NewMeter) -> None:
    meters = [new_meter(f"METER_{n:03}") for n in range(1, 5)]
    turn = relay.turn([window_of([record]) for record in _one_slot(meters)])
    assert turn.delivered == {meter.assignment.meter_id: [1] for meter in meters}
    assert (len(turn.receipts), turn.waiting, turn.problem) == (1, 0, None)
    assert [meter.state().seq for meter in meters] == [1, 1, 1, 1]


def test_fifteen_meters_take_four_transactions_and_one_table(relay: Relay, new_meter: NewMeter) -> None:
    meters = [new_meter(f"METER_{n:03}") for n in range(1, 16)]
    turn = relay.turn([window_of([record]) for record in _one_slot(meters)])
    assert len(turn.receipts) == 4
    assert len(relay.tables.found) == 1
    assert 95_000 <= turn.fees_lamports <= 95_010, "docs/relay.md shows it; each salt costs a lamport or none"
    assert all(meter.state().seq == 1 for meter in meters)


def test_a_backlog_goes_in_order(relay: Relay, meter: Signer) -> None:
    records = [next_record(meter) for _ in range(9)]
    turn = relay.turn([window_of(records)])
    assert turn.delivered == {"METER_001": list(range(1, 10))}
    assert meter.state().gaps == 0


def test_a_window_that_comes_twice_is_delivered_once(relay: Relay, meter: Signer) -> None:
    window = window_of([next_record(meter)])
    assert relay.turn([window, window]).delivered == {"METER_001": [1]}
    again = relay.turn([window])
    assert (again.delivered, again.receipts, again.waiting) == ({}, [], 0)


def test_two_relays_beside_each_other_do_no_harm(new_relay: NewRelay, meter: Signer) -> None:
    first, second = new_relay("first"), new_relay("second")
    window = window_of([next_record(meter), next_record(meter)])
    assert first.turn([window]).delivered == {"METER_001": [1, 2]}
    assert second.turn([window]).receipts == []
    assert meter.state().seq == 2


def test_a_relay_that_was_overtaken_forgets_and_blames_nobody(
    new_relay: NewRelay, meter: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, fast = new_relay("slow"), new_relay("fast")
    window, look = window_of([next_record(meter), next_record(meter)]), delivery.look

    def look_and_be_overtaken(*asked):  # noqa: ANN002, ANN202
        seen = look(*asked)
        monkeypatch.setattr(delivery, "look", look)
        fast.turn([window])
        return seen

    monkeypatch.setattr(delivery, "look", look_and_be_overtaken)
    turn = slow.turn([window])
    assert (turn.delivered, turn.refused, turn.problem, turn.waiting) == ({}, [], None, 0)


def _forged(record: SignedRecord) -> SignedRecord:
    evil = Record.decode(record.encoded)
    return replace(record, encoded=replace(evil, export_mwh=evil.export_mwh + 1).encode())


def test_what_the_registered_key_did_not_sign_costs_nothing(relay: Relay, new_meter: NewMeter) -> None:
    meter, other = new_meter("METER_001"), new_meter("METER_002")
    record = next_record(meter)
    by_another = SignedRecord(record.encoded, other.signature(record.encoded))
    elsewhere = replace(Record.decode(record.encoded), domain=bytes(8)).encode()
    unknown = replace(Record.decode(record.encoded), meter_id="METER_999").encode()
    installed = replace(Record.decode(record.encoded), install_id=2).encode()
    bad = [_forged(record), by_another, *(SignedRecord(e, meter.signature(e)) for e in (elsewhere, unknown, installed))]
    turn = relay.turn([window_of([each]) for each in bad])
    assert (turn.not_ours, turn.receipts, turn.waiting) == (len(bad), [], 0)
    assert relay.turn([window_of([record])]).delivered == {"METER_001": [1]}, "the same, unharmed"


def test_a_forged_window_does_not_displace_the_genuine_one(relay: Relay, meter: Signer) -> None:
    record = next_record(meter)
    turn = relay.turn([window_of([_forged(record)]), window_of([record]), window_of([_forged(record)])])
    assert turn.delivered == {"METER_001": [1]}
    assert turn.not_ours == 2


def test_one_that_the_chain_refuses_does_not_hold_up_its_neighbours(
    relay: Relay, new_meter: NewMeter, chain: EmbeddedChain
) -> None:
    good, absurd = new_meter("METER_001"), new_meter("METER_002")
    windows = [window_of([next_record(absurd, kwh=5_000)]), window_of([next_record(good)])]
    turn = relay.turn(windows)
    assert turn.delivered == {"METER_001": [1]}
    assert [(refusal.meter_id, "Implausible" in refusal.reason) for refusal in turn.refused] == [("METER_002", True)]
    quiet = relay.turn(windows[:1])
    assert (quiet.refused, quiet.waiting) == ([], 1), "left alone for a while"
    chain.set_unix_time(UnixTime(chain.clock().unix_s + LEAVE_ALONE_S))
    assert [refusal.times for refusal in relay.turn(windows[:1]).refused] == [2]


def test_what_is_refused_for_now_goes_later(
    relay: Relay, meter: Signer, site: Site, chain: EmbeddedChain, authority: Keypair
) -> None:
    window = window_of([next_record(meter)])

    def take_to(status: MeterStatus) -> None:
        chain.send([instructions.set_meter_status(site.programs, authority.pubkey(), "METER_001", status)], [authority])

    take_to(MeterStatus.MAINTENANCE)
    assert len(relay.turn([window]).refused) == 1
    take_to(MeterStatus.ACTIVE)
    chain.set_unix_time(UnixTime(chain.clock().unix_s + LEAVE_ALONE_S))
    assert relay.turn([window]).delivered == {"METER_001": [1]}


def test_a_chain_that_is_away_loses_nothing_that_a_node_does_not_bring_again(relay: Relay, meter: Signer) -> None:
    window = window_of([next_record(meter)])
    chain = relay.chain

    class Away:
        def __getattr__(self, name: str):  # noqa: ANN204
            raise ChainUnreachable("no answer")

    relay.chain = Away()  # type: ignore[assignment]
    assert relay.turn([window]).problem == "no answer"
    relay.chain = chain
    assert relay.turn([window]).delivered == {"METER_001": [1]}


def test_an_rpc_that_loses_a_meter_for_a_moment_stops_nothing(
    relay: Relay, new_meter: NewMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter, other = new_meter("METER_001"), new_meter("METER_002")
    windows, look = [window_of([next_record(each)]) for each in (meter, other)], delivery.look
    relay.kept.take_in(windows[0], look(relay.chain, relay.programs, ["METER_001"])["METER_001"])

    def without_the_first(*asked):  # noqa: ANN002, ANN202
        return {name: view for name, view in look(*asked).items() if name != "METER_001"}

    monkeypatch.setattr(delivery, "look", without_the_first)
    assert "METER_002" in relay.turn([windows[1]]).delivered
    monkeypatch.setattr(delivery, "look", look)
    relay.turn([windows[0]])
    assert (meter.state().seq, other.state().seq) == (1, 1)


def test_without_the_mqtt_client_the_command_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "meterchain.relay.broker", raising=False)
    monkeypatch.setitem(sys.modules, "aiomqtt", None)
    wallet = tmp_path / "relay.json"
    create_wallet(wallet)
    assert main(["relay", "run", "--payer", str(wallet), "--broker", "mqtts://broker.example"]) == 2
    assert "pip install 'meterbridge[relay]'" in capsys.readouterr().err


def test_it_mints_at_its_cadence(relay: Relay, meter: Signer) -> None:
    relay.settle_every = 2
    assert relay.turn([window_of([next_record(meter)])]).settled == []
    assert relay.turn([window_of([next_record(meter)])]).settled == ["METER_001"]
    assert meter.state().minted_mwh == meter.state().cum_export_mwh == 1_000_000


def test_nobody_can_fill_a_relay(relay: Relay, meter: Signer) -> None:
    meter_last = None
    for start in range(1, 1_000, 40):
        records = []
        for seq in range(start, start + 40):
            record = replace(Record.decode(meter_last or next_record(meter).encoded), seq=Seq(seq + 10)).encode()
            meter_last = record
            records.append(SignedRecord(record, meter.signature(record)))
        relay.kept.take_in(window_of(records), delivery.look(relay.chain, relay.programs, ["METER_001"])["METER_001"])
    assert len(relay.kept) == MOST_ROWS_A_METER


def test_tables_are_found_again_and_grow(relay: Relay, new_meter: NewMeter, tmp_path: Path) -> None:
    meters = [new_meter(f"METER_{n:03}") for n in range(1, 4)]
    relay.tables.file = tmp_path / "state" / "tables.json"
    relay.turn([window_of([next_record(meters[0])])])
    before = relay.tables.found[0]
    reborn = Tables(relay.chain, relay.payer, relay.tables.file, relay.tables.shared)
    reborn.open()
    assert reborn.found == [before]
    relay.tables = reborn
    turn = relay.turn([window_of([next_record(meter)]) for meter in meters[1:]])
    assert len(turn.delivered) == 2
    assert [table.key for table in reborn.found] == [before.key]


def test_a_full_table_is_followed_by_another(relay: Relay, meter: Signer, chain: EmbeddedChain) -> None:
    pairs = [(Keypair().pubkey(), Keypair().pubkey()) for _ in range(130)]
    relay.tables.take_in(pairs)
    assert [len(table.addresses) for table in relay.tables.found] == [255, 11]
    assert relay.turn([window_of([next_record(meter)])]).delivered == {"METER_001": [1]}


def test_somebody_elses_table_is_not_ours_to_extend(new_relay: NewRelay, meter: Signer, tmp_path: Path) -> None:
    theirs, ours = new_relay("theirs"), new_relay("ours")
    theirs.tables.file = tmp_path / "tables.json"
    theirs.turn([window_of([next_record(meter)])])
    ours.tables.file = theirs.tables.file
    ours.tables.open()
    assert ours.tables.found == []


def test_a_damaged_list_of_tables_is_told_and_kept(relay: Relay, tmp_path: Path) -> None:
    relay.tables.file = tmp_path / "tables.json"
    relay.tables.file.write_text("{")
    with pytest.raises(TablesError, match="move it away"):
        relay.tables.open()
    assert relay.tables.file.read_text() == "{"
