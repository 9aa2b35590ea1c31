"""The events add up to the accounts; one that is left out, added, changed or forgotten by the RPC is noticed."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.meterchain.commands.conftest import Operator
from tests.meterchain.conftest import NewMeter, Signer
from tests.meterchain.market.place import Place, open_place
from tests.meterchain.test_audit import deliver, process

from meterchain import instructions
from meterchain.audit_events import ChainMoves, audit, checks
from meterchain.chain import ChainUnreachable, Landed, Receipt
from meterchain.commands.audit import app
from meterchain.embedded import EmbeddedChain
from meterchain.history import Archive, WrongHistory
from meterchain.idl import EVENT_TAG
from meterchain.keeper import Keeper
from meterchain.market import builders
from meterchain.market.accounts import Side
from meterchain.market.reading import fetch_books, fetch_seats
from meterchain.programs import Programs
from meterchain.site import Site
from meterchain.transactions import salt
from meterchain.units import Atoms

Funded = Callable[[str], Keypair]
DATA = "Program data: "


@pytest.fixture
def chain() -> EmbeddedChain:
    return EmbeddedChain(remembers=True)


@dataclass
class Retelling:
    """An RPC that tells the past as `retell` says; accounts and all else are the chain's own."""

    chain: EmbeddedChain
    retell: Callable[[str, Receipt], Receipt | None] = lambda _signature, receipt: receipt
    hide: Callable[[Landed], bool] = lambda _line: False

    def __getattr__(self, name: str) -> object:
        return getattr(self.chain, name)

    def signatures(self, address: Pubkey, *, before: str | None = None, most: int = 1_000) -> list[Landed]:
        lines = [line for line in self.chain.signatures(address, most=10**6) if not self.hide(line)]
        start = next((n + 1 for n, line in enumerate(lines) if line.signature == before), 0)
        return lines[start : start + min(most, 7)]

    def transaction(self, signature: str) -> Receipt | None:
        receipt = self.chain.transaction(signature)
        return receipt and self.retell(signature, receipt)


@pytest.fixture
def books(chain: EmbeddedChain, new_meter: NewMeter, funded: Funded) -> list[Signer]:
    """Two meters that exported and imported; one of them burns, one was billed."""
    relayer, (one, two) = funded("relayer"), (new_meter("METER_001"), new_meter("METER_002"))
    programs, authority = one.site.programs, funded("authority")
    chain.send([instructions.approve_consumption(programs, one.owner.pubkey(), Atoms(10**8))], [one.owner])
    for export, drawn in ((1_100_000, 7_020_000), (1_250_000, 7_030_000)):
        for meter in (one, two):
            deliver(chain, meter, relayer, export, drawn)
            process(chain, meter, relayer)
    chain.send([instructions.close_billing(programs, authority.pubkey(), "METER_002")], [authority])
    chain.send([instructions.burn(programs, two.owner.pubkey(), Atoms(1_000))], [two.owner])
    return [one, two]


def test_what_was_forfeited_is_told_apart_from_what_was_minted(
    chain: EmbeddedChain, built: Programs, books: list[Signer], authority: Keypair
) -> None:
    one, two = books
    deliver(chain, one, authority, 1_300_000, 7_040_000)
    giving = instructions.reassign_meter(built, authority.pubkey(), "METER_001", one.owner.pubkey(), two.owner.pubkey())
    forfeiting = instructions.sync_owner(built, authority.pubkey(), "METER_001", forfeit=True)
    chain.send([giving, forfeiting], [authority])
    assert faults(chain, built) == []
    forged = faults(Retelling(chain, changed(built, "oracle", "AccrualForfeited", export_mwh=1)), built)
    assert "forfeited mWh" in " ".join(forged)


@pytest.fixture
def place(chain: EmbeddedChain, built: Programs, site: Site, authority: Keypair) -> Place:
    """Two epochs settled in small steps, with a cancelled order, partial fills, payouts and fees; a third collects."""
    place = open_place(chain, built, site, authority)
    traders = [place.join(f"trader {n}") for n in range(6)]
    chain.send([instructions.update_parameters(built, authority.pubkey(), {17: 2})], [authority])
    keeper = Keeper(chain, built, place.address, authority)
    for _ in range(2):
        place.open_epoch(traders)
        (book,) = [each for each in fetch_books(chain, built, place.market) if each.orders]
        last = book.orders[-1]
        place.send(builders.cancel_order(built, place.market, traders[5].pubkey(), book, last), by=traders[5])
        place.end_epoch()
        turn = keeper.turn()
        assert not turn.refused
    place.send(builders.payout(built, place.market, fetch_seats(chain, built, place.market)[:3]))
    place.send(builders.sweep_fees(built, place.market, authority.pubkey()))
    place.order(traders[0], Side.BUY, 1_000, 300)
    assert place.market.total_volume_lots > 0
    return place


def faults(chain: object, programs: Programs, path: Path | None = None) -> list[str]:
    """What the events' checks find wrong."""
    archive = Archive(chain, programs, path)  # type: ignore[arg-type]
    try:
        found = list(checks(chain, programs, archive.walk()))  # type: ignore[arg-type]
    finally:
        archive.close()
    return [f"{check.name}: {check.detail}" for check in found if not check.ok]


def announcing(chain: EmbeddedChain, programs: Programs, program: str, name: str) -> list[str]:
    """Signatures of the transactions that announced an event of that name, oldest first."""
    lines = reversed(chain.signatures(programs.id(program), most=10**6))
    found = [(line.signature, chain.transaction(line.signature)) for line in lines]
    return [
        signature
        for signature, receipt in found
        if receipt and any(event.name == name for event in programs[program].events(receipt))
    ]


def changed(programs: Programs, program: str, name: str, **changes: object) -> Callable[[str, Receipt], Receipt]:
    """A retelling in which every event of that name has other fields."""
    idl = programs[program]

    def other(data: bytes) -> bytes:
        event = idl.decode_event(data)
        if event is None or event.name != name:
            return data
        return data[:8] + idl.types.encode({"defined": {"name": name}}, {**event.fields, **changes})

    def retell(_signature: str, receipt: Receipt) -> Receipt:
        logs = [
            f"{DATA}{b64encode(other(b64decode(line[len(DATA) :]))).decode()}" if line.startswith(DATA) else line
            for line in receipt.logs
        ]
        inner = tuple(
            (who, EVENT_TAG + other(data[8:]) if data.startswith(EVENT_TAG) else data)
            for who, data in receipt.inner_data
        )
        return replace(receipt, logs=tuple(logs), inner_data=inner)

    return retell


def test_honest_events_add_up_and_the_whole_audit_says_what_it_looked_at(
    chain: EmbeddedChain, built: Programs, books: list[Signer]
) -> None:
    found = audit(chain, built, Archive(chain, built))
    assert found.ok, [check for check in found.checks if not check.ok]
    named = {check.name: check.detail for check in found.checks}
    assert "transactions since slot" in named["the history is whole"]
    assert named["METER_001: its events add up to its account"] == "2 readings, 250000 mWh exported, 30000 imported"
    assert named["the events of GRID retired by holders add up to the token's total"] == "1000 = 1000 atoms"


def test_every_settled_epoch_clears_again_from_its_orders_to_the_digest(
    chain: EmbeddedChain, built: Programs, place: Place
) -> None:
    assert faults(chain, built) == []
    archive = Archive(chain, built)
    details = {check.name: check.detail for check in checks(chain, built, archive.walk())}
    (epochs,) = [detail for name, detail in details.items() if "clears again" in name]
    assert epochs.startswith("2 epochs, ")
    assert int(epochs.split()[2]) > 2


FORGED = [
    ("oracle", "MeterReadingAccepted", {"d_export": 1}, "export mWh: events 2, account 250000"),
    ("oracle", "MeterReadingAccepted", {"seq": 1}, "number 1 came again"),
    ("oracle", "ImportWrittenOff", {"import_mwh": 5}, "written off mWh: events 5"),
    ("energy_token", "TokensMinted", {"amount": 1}, "minted atoms: events 2"),
    ("energy_token", "TokensMinted", {"meter_no": 9}, "numbers 9"),
    ("energy_token", "ConsumptionBurned", {"amount": 7}, "burned for consumption"),
    ("energy_token", "TokensRetired", {"amount": 7}, "retired by holders"),
]


def test_a_forged_event_of_a_meter_is_noticed(chain: EmbeddedChain, built: Programs, books: list[Signer]) -> None:
    assert faults(chain, built) == []
    for program, name, changes, said in FORGED:
        forged = faults(Retelling(chain, changed(built, program, name, **changes)), built)
        assert said in " ".join(forged), name


FORGED_IN_A_MARKET = [
    ("OrderPlaced", {"lots": 1}, "the orders make"),
    ("OrderPlaced", {"client_id": 77}, "not those of the digest"),
    ("OrderPlaced", {"pulled": 1}, "what is owed"),
    ("EpochCleared", {"tick": 1}, "the orders make"),
    ("EpochSettled", {"fills_digest": bytes(32)}, "another fills_digest"),
    ("EpochSettled", {"price": 1}, "another price"),
    ("FillBatch", {"fills": [{"slot": 0, "seat": 0, "lots": 1}]}, "came twice"),
    ("PaidOut", {"quote": 1}, "what is owed"),
    ("FeesSwept", {"amount": 1}, "what is owed"),
]


def test_a_forged_event_of_a_market_is_noticed(chain: EmbeddedChain, built: Programs, place: Place) -> None:
    assert faults(chain, built) == []
    for name, changes, said in FORGED_IN_A_MARKET:
        forged = faults(Retelling(chain, changed(built, "trading", name, **changes)), built)
        assert said in " ".join(forged), name


def without(chain: EmbeddedChain, built: Programs, program: str, name: str) -> Iterator[list[str]]:
    """What is found wrong when the RPC hides one transaction that announced such an event; each in its turn."""
    for hidden in announcing(chain, built, program, name):
        told = Retelling(chain, hide=lambda line, hidden=hidden: line.signature == hidden)  # type: ignore[misc]
        yield faults(told, built)


def test_a_transaction_that_the_rpc_hides_is_missed(chain: EmbeddedChain, built: Programs, books: list[Signer]) -> None:
    names = {
        "oracle": ("MeterReadingAccepted", "ImportWrittenOff"),
        "energy_token": ("TokensMinted", "ConsumptionBurned", "TokensRetired"),
    }
    for program, some in names.items():
        for name in some:
            found = list(without(chain, built, program, name))
            assert found, name
            assert all(any("add up" in fault for fault in each) for each in found), name


def test_a_market_s_transaction_that_the_rpc_hides_is_missed(
    chain: EmbeddedChain, built: Programs, place: Place
) -> None:
    for name in ("OrderPlaced", "OrderCancelled", "FillBatch", "EpochCleared", "EpochSettled"):
        found = list(without(chain, built, "trading", name))
        assert found, name
        assert all(found), name


def test_an_rpc_that_has_forgotten_the_beginning_is_said_not_to_be_whole_and_nothing_is_added_up(
    chain: EmbeddedChain, built: Programs, books: list[Signer]
) -> None:
    (first,) = announcing(chain, built, "energy_token", "TokenInitialized")
    young = next(
        line.slot for line in chain.signatures(built.id("energy_token"), most=10**6) if line.signature == first
    )
    (fault,) = faults(Retelling(chain, hide=lambda line: line.slot <= young), built)
    assert "TokenInitialized is not among them" in fault
    assert "ask an RPC that keeps all history" in fault
    (opening, _) = announcing(chain, built, "oracle", "MeterStateInitialized")
    (fault,) = faults(Retelling(chain, hide=lambda line: line.signature == opening), built)
    assert "the opening of METER_001 is not among them" in fault


def test_a_transaction_that_is_listed_and_not_served_or_cut_off_is_said(
    chain: EmbeddedChain, built: Programs, books: list[Signer]
) -> None:
    lost = announcing(chain, built, "oracle", "MeterReadingAccepted")[0]
    (fault,) = faults(Retelling(chain, lambda signature, receipt: None if signature == lost else receipt), built)
    assert f"1 transactions are listed but not served ({lost[:12]}" in fault
    (fault,) = faults(
        Retelling(
            chain,
            lambda signature, receipt: replace(receipt, logs=("Log truncated",)) if signature == lost else receipt,
        ),
        built,
    )
    assert "have their logs cut off" in fault


def test_a_walk_that_was_cut_off_goes_on_where_it_stopped_and_the_next_fetches_what_is_new_only(
    chain: EmbeddedChain, built: Programs, books: list[Signer], funded: Funded, tmp_path: Path
) -> None:
    path, asked = tmp_path / "history.jsonl", []

    def count(signature: str, receipt: Receipt) -> Receipt:
        asked.append(signature)
        if len(asked) == 5:
            raise ChainUnreachable("the line went dead")
        return receipt

    told = Retelling(chain, count)
    archive = Archive(told, built, path)  # type: ignore[arg-type]
    with pytest.raises(ChainUnreachable):
        archive.walk()
    archive.close()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"signature": "torn')
    assert faults(told, built, path) == []
    assert len(asked) == len(set(asked)) + 1, "only the one that failed was asked for again"
    before = len(asked)
    deliver(chain, books[0], funded("relayer"), 1_300_000, 7_030_000)
    assert faults(told, built, path) == []
    assert len(asked) == before + 1


def test_what_the_rpc_listed_once_and_lists_no_more_is_noticed(
    chain: EmbeddedChain, built: Programs, books: list[Signer], tmp_path: Path
) -> None:
    path = tmp_path / "history.jsonl"
    assert faults(chain, built, path) == []
    gone = announcing(chain, built, "oracle", "MeterReadingAccepted")[0]
    (fault,) = faults(Retelling(chain, hide=lambda line: line.signature == gone), built, path)
    assert "were listed before and are not any more" in fault


def test_the_history_of_another_chain_or_of_nothing_is_refused(
    chain: EmbeddedChain, built: Programs, site: Site, tmp_path: Path
) -> None:
    (tmp_path / "odd").write_text("nonsense\n")
    (tmp_path / "other").write_text(json.dumps({"schema": 1, "genesis": "00", "programs": []}) + "\n")
    for name in ("odd", "other"):
        with pytest.raises(WrongHistory, match="name another file"):
            Archive(chain, built, tmp_path / name)


def test_accounts_and_history_are_of_one_moment_or_nothing_is_said(
    chain: EmbeddedChain, built: Programs, books: list[Signer], funded: Funded
) -> None:
    moves = iter(range(1_000))

    class Busy(Retelling):
        """Takes a transaction at every look at the accounts."""

        def program_accounts(self, program: Pubkey, discriminator: bytes) -> object:
            number = next(moves)
            if number < self.until:
                settle = instructions.sync_total_supply(built)
                chain.send([settle, salt(number)], [funded("relayer")])
            return chain.program_accounts(program, discriminator)

    busy = Busy(chain)
    busy.until = 1_000  # type: ignore[attr-defined]
    with pytest.raises(ChainMoves, match="quieter"):
        audit(busy, built, Archive(busy, built))  # type: ignore[arg-type]
    busy.until = 0  # type: ignore[attr-defined]
    assert audit(busy, built, Archive(busy, built)).ok  # type: ignore[arg-type]


def test_the_command_says_what_it_looked_at_and_ends_with_its_verdict(
    chain: EmbeddedChain, built: Programs, books: list[Signer], tmp_path: Path
) -> None:
    kept = Retelling(chain)
    kept.close = lambda: None  # type: ignore[attr-defined]
    operator = Operator(kept)  # type: ignore[arg-type]
    done = operator.run(app, "--history", tmp_path / "history.jsonl", "--json")
    assert done.code == 0, done.err
    assert "transactions read" in done.err
    assert done.document["from"] == ["accounts", "events", "signatures"]
    quick = operator.run(app, "--accounts-only", "--json").document
    assert quick["from"] == ["accounts"]
    assert len(quick["checks"]) < len(done.document["checks"])
    assert "ok  the history is whole" in operator.run(app).out
    first = announcing(chain, built, "oracle", "OracleInitialized")
    kept.hide = lambda line: line.signature in first
    lacking = operator.run(app)
    assert lacking.code == 1
    assert "NO  the history is whole" in lacking.out
    assert operator.run(app, "--accounts-only", "--history", tmp_path / "h").code == 2


def test_an_rpc_that_lists_the_same_page_for_ever_ends_the_walk(chain: EmbeddedChain, built: Programs) -> None:
    page = [Landed("newer", 2, failed=False), Landed("older", 1, failed=False)]

    class Circling(Retelling):
        def signatures(self, _address: Pubkey, *, before: str | None = None, most: int = 1_000) -> list[Landed]:
            assert (before, most) in {(None, 1_000), ("older", 1_000)}
            return page

    with pytest.raises(ChainUnreachable, match="the same transactions again and again"):
        Archive(Circling(chain), built).walk()  # type: ignore[arg-type]
