"""An RPC that invents a reading, its event and its energy, all in agreement, still lacks the meter's signature."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.meterchain.conftest import Signer
from tests.meterchain.test_audit import deliver
from tests.meterchain.test_audit_events import Retelling, changed, faults

from meterchain import instructions
from meterchain.audit_events import checks
from meterchain.chain import ChainUnreachable, Receipt
from meterchain.ed25519 import PRECOMPILE, BadSignature, Signed, possession_message, signatures_in, verify_message
from meterchain.embedded import EmbeddedChain
from meterchain.history import Archive
from meterchain.programs import Programs
from meterchain.record import RECORD_SIZE, Record
from meterchain.units import InstallId, Mwh, UnixTime

Funded = Callable[[str], Keypair]
Retell = Callable[[str, Receipt], Receipt]
RECORD_AT = 13
THIEF = Keypair.from_seed(b"t" * 32)


@pytest.fixture
def chain() -> EmbeddedChain:
    return EmbeddedChain(remembers=True)


@pytest.fixture
def books(chain: EmbeddedChain, meter: Signer, funded: Funded) -> Signer:
    """Two readings: 100 Wh and 150 Wh of export."""
    deliver(chain, meter, funded("relayer"), 1_100_000, 7_020_000)
    deliver(chain, meter, funded("relayer"), 1_250_000, 7_020_000)
    return meter


def inventing(programs: Programs, key: Keypair | None, more: int = 0) -> Retell:
    """Each reading has `more` mWh of export, also in its event; signed by `key`, or by the signature that was there."""
    oracle = programs.id("oracle")

    def retell(_signature: str, receipt: Receipt) -> Receipt:
        if receipt.called[-1][0] != oracle or len(receipt.called[-1][1]) != RECORD_AT + RECORD_SIZE:
            return receipt
        data = receipt.called[-1][1]
        record = Record.decode(data[RECORD_AT:])
        record = replace(record, export_mwh=Mwh(record.export_mwh + more))
        forged = list(receipt.called)
        forged[-1] = (oracle, data[:RECORD_AT] + record.encode())
        if key is not None:
            signed = Signed(bytes(key.pubkey()), bytes(key.sign_message(record.encode())))
            at = next(n for n, (program, _) in enumerate(forged) if program == PRECOMPILE)
            forged[at] = (PRECOMPILE, bytes(verify_message(signed, record.encode()).data))
        return replace(receipt, called=tuple(forged))

    return retell


def test_honest_readings_are_counted_and_the_keys_named(chain: EmbeddedChain, built: Programs, books: Signer) -> None:
    details = {check.name: check.detail for check in checks(chain, built, Archive(chain, built).walk())}
    name = "METER_001: its key signed each reading, its registers make the energy"
    assert details[name] == f"2 signatures by {books.key.pubkey()}"
    assert details["every accepted reading lies in its transaction, and the other way round"] == "2 readings"


def test_a_reading_that_nobody_signed_is_named(chain: EmbeddedChain, built: Programs, books: Signer) -> None:
    honest = Retelling(chain, inventing(built, books.key))
    assert faults(honest, built) == []
    (fault,) = faults(Retelling(chain, inventing(built, None, more=1_000)), built)
    assert "reading 1 of install 1" in fault
    assert "is signed by nobody" in fault


def test_a_reading_signed_by_another_key_is_named(chain: EmbeddedChain, built: Programs, books: Signer) -> None:
    (fault,) = faults(Retelling(chain, inventing(built, THIEF)), built)
    assert f"is signed by {THIEF.pubkey()}, which was not its key" in fault


def test_energy_that_the_signed_registers_do_not_show_is_named(
    chain: EmbeddedChain, built: Programs, books: Signer
) -> None:
    """The thief of a key aside: event and account agree, the record says something else."""
    forged = faults(Retelling(chain, changed(built, "oracle", "MeterReadingAccepted", d_export=100_001)), built)
    assert any("export 1000000 to 1100000 mWh, and 100001 credited" in fault for fault in forged)


def test_an_event_without_a_record_and_a_record_without_an_event_are_named(
    chain: EmbeddedChain, built: Programs, books: Signer
) -> None:
    def emptied(_signature: str, receipt: Receipt) -> Receipt:
        return replace(receipt, called=())

    assert any("2 do not" in fault for fault in faults(Retelling(chain, emptied), built))
    other = changed(built, "oracle", "MeterReadingAccepted", meter_no=2)
    assert any("2 do not" in fault for fault in faults(Retelling(chain, other), built))


def rotate(chain: EmbeddedChain, built: Programs, authority: Keypair, meter: Signer, key: Keypair) -> None:
    wanted = meter.assignment
    message = possession_message(meter.site.domain, wanted.meter_id, wanted.owner, InstallId(1))
    proof = Signed(bytes(key.pubkey()), bytes(key.sign_message(message)))
    steps = instructions.rotate_meter_key(
        built, authority.pubkey(), meter.site.domain, wanted.meter_id, wanted.owner, InstallId(1),
        old_key=meter.key.pubkey(), possession=proof,
    )  # fmt: skip
    chain.send(steps, [authority])


def test_an_old_key_signs_no_reading_after_its_successor_came(
    chain: EmbeddedChain, built: Programs, books: Signer, authority: Keypair, funded: Funded
) -> None:
    old, new = books.key, Keypair.from_seed(b"n" * 32)
    rotate(chain, built, authority, books, new)
    books.key = new
    deliver(chain, books, funded("relayer"), 1_300_000, 7_020_000)
    assert faults(chain, built) == []
    details = [check.detail for check in checks(chain, built, Archive(chain, built).walk())]
    assert f"3 signatures by {old.pubkey()} then {new.pubkey()}" in details
    (fault,) = faults(Retelling(chain, inventing(built, old)), built)
    assert "reading 3 of install 1" in fault
    assert f"is signed by {old.pubkey()}, which was not its key" in fault


def test_a_register_that_wraps_makes_the_energy_that_was_credited(
    chain: EmbeddedChain, built: Programs, books: Signer, authority: Keypair, funded: Funded
) -> None:
    assigned = books.assignment
    limits = instructions.set_meter_limits(
        built, authority.pubkey(), "METER_001", max_export_w=assigned.max_export_w, max_import_w=assigned.max_import_w,
        resolution_mwh=assigned.resolution_mwh, register_modulus_mwh=Mwh(7_100_000),
    )  # fmt: skip
    chain.send([limits], [authority])
    deliver(chain, books, funded("relayer"), 1_250_000, 10_000)
    assert faults(chain, built) == []


def test_a_registry_that_does_not_show_who_was_given_the_key_is_not_the_whole_history(
    chain: EmbeddedChain, built: Programs, books: Signer
) -> None:
    idl = built["registry"]
    hidden = {
        line.signature
        for line in chain.signatures(built.id("registry"))
        if (receipt := chain.transaction(line.signature))
        and any(event.name == "MeterAssigned" for event in idl.events(receipt))
    }
    (fault,) = faults(Retelling(chain, hide=lambda line: line.signature in hidden), built)
    assert "the assignment of METER_001 is not among them" in fault


def test_several_transactions_are_asked_for_at_once_and_told_in_order(
    chain: EmbeddedChain, built: Programs, books: Signer, funded: Funded
) -> None:
    for number in range(3):
        deliver(chain, books, funded("relayer"), 1_300_000 + number, 7_020_000)
    meeting = threading.Barrier(2, timeout=30)

    def meet(_signature: str, receipt: Receipt) -> Receipt:
        met.append(1)
        if len(met) <= 2:  # both are asked for before either is answered
            meeting.wait()
        return receipt

    met: list[int] = []
    one = Archive(chain, built).walk()
    several = Archive(Retelling(chain, meet), built, at_once=4).walk()  # type: ignore[arg-type]
    assert several == one
    assert not meeting.broken


def test_a_walk_of_several_at_once_that_was_cut_off_goes_on(
    chain: EmbeddedChain, built: Programs, books: Signer, tmp_path: Path
) -> None:
    path, asked = tmp_path / "history.jsonl", []

    def dies(signature: str, receipt: Receipt) -> Receipt:
        asked.append(signature)
        if len(asked) == 7:
            raise ChainUnreachable("the line went dead")
        return receipt

    archive = Archive(Retelling(chain, dies), built, path, at_once=2)  # type: ignore[arg-type]
    with pytest.raises(ChainUnreachable):
        archive.walk()
    archive.close()
    later = Archive(chain, built, path, at_once=2)
    assert later.walk() == Archive(chain, built).walk()
    later.close()


def test_signatures_that_lie_elsewhere_or_nowhere_are_none() -> None:
    message = b"m"
    signed = Signed(bytes(THIEF.pubkey()), bytes(THIEF.sign_message(message)))
    data = bytes(verify_message(signed, message).data)
    assert signatures_in(data, here=0) == [signed]
    elsewhere = data[:4] + (3).to_bytes(2, "little") + data[6:]
    assert signatures_in(elsewhere, here=3) == [signed]
    for bad in (elsewhere, data[:9], data[:20]):
        with pytest.raises(BadSignature):
            signatures_in(bad, here=0)
    assert signatures_in(b"", here=0) == []


def test_the_clock_of_a_reading_is_the_signed_one(chain: EmbeddedChain, built: Programs, books: Signer) -> None:
    told = changed(built, "oracle", "MeterReadingAccepted", ts=UnixTime(5))
    assert any("another number or time" in fault for fault in faults(Retelling(chain, told), built))
