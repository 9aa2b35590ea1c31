"""One turn of a relay: look at the chain, keep what is genuine, send it four by four, mint and burn.

What arrives is anybody's word, and what became of a transaction is not believed either: each turn begins with the
accounts.  A meter whose record the chain refuses is forgotten and left alone for a while: its node sees the chain too,
judges by itself, and publishes what is still due.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from solders.instruction import Instruction
from solders.keypair import Keypair

from meterchain import instructions as build
from meterchain import pdas, transactions
from meterchain.chain import Chain, ChainError, Receipt, TransactionFailed
from meterchain.instructions import SignedRecord
from meterchain.programs import Programs
from meterchain.relay.kept import Kept
from meterchain.relay.packing import pack
from meterchain.relay.tables import Tables
from meterchain.relay.views import View, look
from meterchain.relay.window import MOST_ROWS, Window
from meterchain.settling import SETTLE_UNITS, dues, settle
from meterchain.units import UnixTime

LEAVE_ALONE_S = 30
"""How long a meter is left alone after a refusal; twice as long each time, at most LEAVE_ALONE_MOST_S."""
LEAVE_ALONE_MOST_S = 3_600
_SOMEBODY_WAS_FASTER = "StaleSequence"
_UNITS, _UNITS_PER_ROW = 10_000, 5_000

Packed = tuple[str, tuple[int, SignedRecord]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A meter that is left alone until `until` (chain time), and the chain's reason."""

    meter_id: str
    reason: str
    until: UnixTime
    times: int


@dataclass
class Turn:
    """What a turn came to."""

    delivered: dict[str, list[int]] = field(default_factory=dict)
    """The sequence numbers of each meter that went with a transaction that landed."""
    receipts: list[Receipt] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    not_ours: int = 0
    """Rows that no registered key has signed for this site and install."""
    waiting: int = 0
    problem: str | None = None
    """Why the turn ended early; nodes publish again until the chain shows their records."""

    @property
    def fees_lamports(self) -> int:
        """Paid for what landed."""
        return sum(receipt.fee for receipt in self.receipts)


@dataclass
class Relay:
    """The relay of one site.  Use it from one thread.  `payer` signs, pays, and owns the lookup tables."""

    chain: Chain
    programs: Programs
    domain: bytes
    payer: Keypair
    tables: Tables
    settle_every: int = 4
    """Mint and burn once in so many records of a meter (4 = hourly); 0 leaves that to others."""
    kept: Kept = field(default_factory=Kept)
    _left_alone: dict[str, Refusal] = field(default_factory=dict)
    _settled: dict[str, int] = field(default_factory=dict)
    _salt: int = 0

    def turn(self, arrived: Iterable[Window] = ()) -> Turn:
        """Take in what arrived and deliver what is due.  A chain that does not answer is in the Turn, not raised.

        Raises TablesError.
        """
        turn = Turn()
        try:
            self._take_in(list(arrived), turn)
            due = self._due()
            if due:
                self._deliver(due, turn)
                views = look(self.chain, self.programs, due)
                self.kept.forget_delivered(views)
                self._settle({meter_id: views[meter_id] for meter_id in turn.delivered if meter_id in views}, turn)
        except ChainError as error:
            turn.problem = str(error)
        turn.waiting = len(self.kept)
        return turn

    def _take_in(self, arrived: Sequence[Window], turn: Turn) -> None:
        ours = [window for window in arrived if window.domain == self.domain]
        turn.not_ours += sum(len(window.rows) for window in arrived if window.domain != self.domain)
        views = look(self.chain, self.programs, {window.meter_id for window in ours} | self.kept.meters())
        for window in ours:
            turn.not_ours += self.kept.take_in(window, views.get(window.meter_id))
        self.kept.forget_delivered(views)
        for meter_id in self.kept.meters():
            if (view := views.get(meter_id)) is not None and view.state is None:
                self._send([build.init_meter_state(self.programs, self.payer.pubkey(), meter_id)], turn, SETTLE_UNITS)

    def _due(self) -> dict[str, list[tuple[int, SignedRecord]]]:
        now = self.chain.clock().unix_s if self._left_alone else 0
        alone = {meter_id for meter_id, refusal in self._left_alone.items() if now < refusal.until}
        return {meter_id: self.kept.of(meter_id)[:MOST_ROWS] for meter_id in self.kept.meters() - alone}

    def _deliver(self, due: Mapping[str, Sequence[tuple[int, SignedRecord]]], turn: Turn) -> None:
        meters = {meter_id: pdas.meter(self.programs, meter_id) for meter_id in due}
        self.tables.take_in((meter, pdas.meter_state(self.programs, meter)) for meter in meters.values())
        near = {meter_id: self.tables.number_of(meter) or 0 for meter_id, meter in meters.items()}
        for rows in pack(due, near):
            self._submit(rows, turn)

    def _submit(self, rows: Sequence[Packed], turn: Turn) -> None:
        """Send rows in one transaction; one by one if the chain refuses them together."""
        there = self.kept.meters()
        rows = [row for row in rows if row[0] in there]  # one of its meter may have been refused a moment ago
        if not rows:
            return
        try:
            self._send_records([record for _, (_, record) in rows], turn)
        except TransactionFailed as failure:
            if len(rows) > 1:
                for row in rows:
                    self._submit([row], turn)
            elif failure.name == _SOMEBODY_WAS_FASTER:
                self.kept.forget(rows[0][0])
            else:
                self._leave_alone(rows[0][0], failure, turn)
            return
        for meter_id, (seq, _) in rows:
            turn.delivered.setdefault(meter_id, []).append(seq)
            self._left_alone.pop(meter_id, None)

    def _leave_alone(self, meter_id: str, error: TransactionFailed, turn: Turn) -> None:
        before = self._left_alone.get(meter_id)
        times = before.times + 1 if before else 1
        pause_s = min(LEAVE_ALONE_S * 2 ** (times - 1), LEAVE_ALONE_MOST_S)
        refusal = Refusal(meter_id, str(error), UnixTime(self.chain.clock().unix_s + pause_s), times)
        self._left_alone[meter_id] = refusal
        self.kept.forget(meter_id)
        turn.refused.append(refusal)

    def _settle(self, served: Mapping[str, View], turn: Turn) -> None:
        """Mint and burn at the cadence."""
        if not self.settle_every:
            return
        for meter_id, view in served.items():
            through = view.seq // self.settle_every
            if view.state is None or through <= self._settled.get(meter_id, 0):
                continue
            due = dues(self.chain, self.programs, view.state)
            if due.mint_mwh or due.burn_mwh:
                try:
                    self._send(settle(self.programs, self.payer.pubkey(), meter_id, due), turn, SETTLE_UNITS)
                except TransactionFailed as failure:
                    turn.problem = f"{meter_id}: minting was refused: {failure}"
                    continue
                turn.settled.append(meter_id)
            self._settled[meter_id] = through

    def _send_records(self, records: Sequence[SignedRecord], turn: Turn) -> None:
        before = self._preamble(_UNITS + _UNITS_PER_ROW * len(records))
        pair = build.submit_meter_data(self.programs, self.payer.pubkey(), records, position=len(before))
        turn.receipts.append(self.chain.send([*before, *pair], [self.payer], lookup_tables=self.tables.found))

    def _send(self, asked: Sequence[Instruction], turn: Turn, units: int) -> None:
        turn.receipts.append(self.chain.send([*self._preamble(units), *asked], [self.payer]))

    def _preamble(self, units: int) -> list[Instruction]:
        self._salt += 1
        return [transactions.compute_limit(units), transactions.salt(self._salt)]
