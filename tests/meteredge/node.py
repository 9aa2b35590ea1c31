"""A node to test with: a meter in memory, a chain that can be out of reach, and the agent between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from solders.instruction import Instruction
from solders.keypair import Keypair

from meterchain.accounts import Meter, MeterState, fetch
from meterchain.chain import Receipt
from meterchain.embedded import START, EmbeddedChain
from meterchain.record import TimeStatus
from meterchain.site import Site
from meterchain.units import InstallId, Mwh, Seq, Slot, UnixTime
from meteredge.agent import Agent, NextKey
from meteredge.clock import VirtualClock
from meteredge.journal import Closing, Install, Journal
from meteredge.ledger import Ledger
from meteredge.reader import Reading
from meteredge.signer import Signer
from meteredge.timesource import TimeSource, ToldTime

METER_ID = "METER_001"
DOMAIN = bytes(range(8))
MAX_W = 10_000
BASELINE_EXPORT, BASELINE_IMPORT = Mwh(5_000_000), Mwh(7_000_000)


@dataclass
class MemoryMeter:
    """What a meter would answer, without a wire: registers that a test sets."""

    export_mwh: int = BASELINE_EXPORT
    import_mwh: int = BASELINE_IMPORT
    fails: Exception | None = None
    reads: int = 0
    serial: str | None = "1234"
    values: Mapping[str, float] = field(default_factory=dict)
    next_readings: list[tuple[int, int]] = field(default_factory=list)
    """(export, import) that the next reads answer instead."""

    def read(self) -> Reading:
        self.reads += 1
        if self.fails:
            raise self.fails
        export, imported = self.next_readings.pop(0) if self.next_readings else (self.export_mwh, self.import_mwh)
        return Reading(Mwh(export), Mwh(imported), 1_000, 0.0, self.serial, self.reads * 0.1, self.values)


def install_at(start: int = START, install_id: int = 1) -> Install:
    """An install that begins with the baseline, at `start`."""
    return Install(
        InstallId(install_id), Seq(0), bytes(32), BASELINE_EXPORT, BASELINE_IMPORT, UnixTime(start), Slot(0),
        MAX_W, MAX_W, 0,
    )  # fmt: skip


def closing(n: int, **other: object) -> Closing:
    """The close of the n-th slot (from 1) after START, with a little energy."""
    slot = START + (n - 1) * 900
    facts = {
        "slot": Slot(slot),
        "ts": UnixTime(slot + 900),
        "export_mwh": Mwh(BASELINE_EXPORT + n * 10_000),
        "import_mwh": Mwh(BASELINE_IMPORT + n * 1_000),
        "time_status": TimeStatus.SYNCHRONISED,
    }
    return Closing(**(facts | other))  # type: ignore[arg-type]


class WatchedChain(EmbeddedChain):
    """An embedded chain that can be out of reach, and counts what is sent to it."""

    def __init__(self) -> None:
        super().__init__()
        self.before_send: list[Exception | None] = []
        """Raised by the next sends, one each; None lets one through."""
        self.after_send: list[Exception | None] = []
        """The same, but the transaction lands all the same."""
        self.unreachable: Exception | None = None
        self.sent: list[list[Instruction]] = []

    def send(self, instructions, signers, *, lookup_tables=()) -> Receipt:  # noqa: ANN001
        self._fail()
        self.sent.append(list(instructions))
        if self.before_send and (error := self.before_send.pop(0)):
            raise error
        receipt = super().send(instructions, signers, lookup_tables=lookup_tables)
        if self.after_send and (error := self.after_send.pop(0)):
            raise error
        return receipt

    def accounts(self, addresses, *, commitment="confirmed"):  # noqa: ANN001, ANN201
        self._fail()
        return super().accounts(addresses, commitment=commitment)

    def _fail(self) -> None:
        if self.unreachable:
            raise self.unreachable


@dataclass
class Node:
    """One meter's agent on a site of its own; slot time and chain time move together."""

    chain: WatchedChain
    site: Site
    authority: Keypair
    relayer: Keypair
    owner: Keypair
    signer: Signer
    clock: VirtualClock
    meter: MemoryMeter
    journal: Journal
    agent: Agent

    def pass_slot(self, export_mwh: int = 250_000, import_mwh: int = 10_000) -> None:
        """Let the rest of the slot pass, with energy through the meter."""
        now = self.clock.utc()
        self.advance(900 - now % 900)
        self.meter.export_mwh += export_mwh
        self.meter.import_mwh += import_mwh

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.chain.set_unix_time(UnixTime(int(self.clock.utc())))

    def close_slots(self, count: int) -> None:
        for _ in range(count):
            self.pass_slot()
            assert self.agent.close_due_slot() is not None

    def state(self) -> MeterState:
        state = fetch(self.chain, self.site.programs, MeterState, self.site.meter_state(METER_ID))
        assert state is not None
        return state

    def meter_account(self) -> Meter:
        meter = fetch(self.chain, self.site.programs, Meter, self.site.meter(METER_ID))
        assert meter is not None
        return meter

    def another_agent(self, path: Path, *, settle_every: int = 1) -> Agent:
        """An agent with the same key and meter, but a journal of its own: what a lost SD card leaves."""
        journal = Journal.open(path, self.journal.identity)
        return agent_of(self, journal, settle_every=settle_every)


def agent_of(
    node: Node,
    journal: Journal,
    *,
    settle_every: int = 1,
    time_source: TimeSource | None = None,
    boot_id: str | None = None,
    next_key: NextKey | None = None,
) -> Agent:
    ledger = Ledger(node.chain, node.site.programs, node.relayer, METER_ID, node.signer.public_key)
    return Agent(
        reader=node.meter, clock=node.clock, time_source=time_source or ToldTime(), journal=journal, signer=node.signer,
        ledger=ledger, settle_every=settle_every, boot_id=boot_id,
        next_key=next_key,
    )  # fmt: skip
