"""The forwarder: brings signed records to the chain, in order, and believes only what the meter's account shows.

One `step` looks at the chain, reconciles, sends what is due in as few transactions as fit, looks again, and settles
(mints, burns) at its cadence.  With a courier it sends nothing itself: records are published for a relay, which settles
too.  It never sleeps and never blocks the closing of slots: whoever calls it decides when.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from meterchain.chain import (
    AlreadyProcessed,
    BlockhashExpired,
    ChainError,
    ChainUnreachable,
    Receipt,
    TransactionFailed,
)
from meterchain.relay.unreachable import BrokerUnreachable
from meterchain.units import Seq
from meteredge.clock import Clock
from meteredge.courier import Courier
from meteredge.journal import Install, Journal, Row, State
from meteredge.ledger import ROWS_PER_TRANSACTION, Ledger, View
from meteredge.reconcile import (
    DeliveryStopped,
    NotSettledYet,
    accepted_seq,
    refuse_fork,
    refuse_strangers,
    settle_final,
    take_up,
)
from meteredge.refusals import NEXT_STEP, WHOLE_METER, Verdict, judge

ATTEMPTS = 3
"""How often a transaction is built anew within one step when its blockhash expired or its twin has landed."""
MOST_ROWS_A_STEP = 40


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that landed: which instruction of ours it carried, and its receipt."""

    instruction: str
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What one step did.  `problem` is a sentence for people, None when all went well."""

    sent: tuple[Seq, ...] = ()
    final: int = 0
    refused: tuple[tuple[Seq, str], ...] = ()
    transactions: tuple[Sent, ...] = ()
    verdict: Verdict | None = None
    """RETRY or HOLD when records are left that could not be delivered now."""
    problem: str | None = None
    chain_ahead_s: float | None = None
    """The chain's clock minus ours, when something was sent."""

    @property
    def fees_lamports(self) -> int:
        """Paid for transactions that landed."""
        return sum(sent.receipt.fee for sent in self.transactions)


class Forwarder:
    """Delivers one journal.  Use it from one thread."""

    def __init__(
        self,
        ledger: Ledger,
        journal: Journal,
        clock: Clock,
        *,
        settle_every: int = 4,
        first_salt: int | None = None,
        courier: Courier | None = None,
    ) -> None:
        """`settle_every`: mint and burn once in so many records (4 = hourly), 0: leave that to others."""
        self._courier = courier
        self._ledger = ledger
        self._journal = journal
        self._clock = clock
        self._settle_every = settle_every
        self._settled_at = Seq(0)
        self._salt = secrets.randbelow(100) if first_salt is None else first_salt
        self._report = DeliveryReport()

    def step(self) -> DeliveryReport:
        """Deliver what is due and possible now.

        Raises DeliveryStopped when node and chain contradict each other, JournalError when the journal cannot be
        written.  An unreachable chain is a report, not an error: everything stays in the journal.
        """
        self._report = DeliveryReport()
        try:
            self._bring_up_to_date()
        except NotSettledYet as wait:
            self._leave(Verdict.RETRY, str(wait))
        except ChainUnreachable as error:
            self._leave(Verdict.RETRY, f"the chain cannot be reached ({error}); everything is kept and sent later")
        except BlockhashExpired as error:
            self._leave(Verdict.RETRY, f"the chain is congested ({error}); everything is kept and sent later")
        except ChainError as error:
            self._leave(Verdict.HOLD, f"{error}; records are kept")
        return self._report

    def _bring_up_to_date(self) -> None:
        found = self._look()
        if found is not None and found[1].state is None and self._courier is None:
            self._transact("init_meter_state", self._ledger.open_state)
            found = self._look()
        if found is None or (found[1].state is None and self._courier is None):
            return
        install, confirmed = found
        after = max(accepted_seq(confirmed.state, install), install.start_seq)
        rows = self._journal.due_after(install.install_id, after, MOST_ROWS_A_STEP)
        if self._courier is not None:
            self._hand_over(rows, self._courier, opened=confirmed.state is not None)
            return
        delivered = self._deliver(rows)
        if rows:
            self._note(chain_ahead_s=self._ledger.chain.clock().unix_s - self._clock.utc())
            found = self._look()
        if delivered and found is not None:
            self._settle(*found)

    def _look(self) -> tuple[Install, View] | None:
        """The install and the confirmed view, journal reconciled.  None (and a report) while there is no such meter."""
        finalized, confirmed = self._ledger.look("finalized"), self._ledger.look("confirmed")
        if finalized is None or confirmed is None:
            self._leave(
                Verdict.HOLD,
                f"there is no meter {self._ledger.meter_id} on the chain ({self._ledger.chain.name}); "
                "have the operator assign it, or check [chain] rpc",
            )
            return None
        refuse_strangers(self._journal, confirmed)
        install = take_up(self._journal, finalized, confirmed)
        refuse_fork(self._journal, install, confirmed.state)
        refuse_fork(self._journal, install, finalized.state)
        self._note(final=self._report.final + settle_final(self._journal, install, finalized.state))
        return install, confirmed

    def _deliver(self, rows: Sequence[Row]) -> bool:
        """Send in batches; False as soon as one record has to wait."""
        batches = (rows[at : at + ROWS_PER_TRANSACTION] for at in range(0, len(rows), ROWS_PER_TRANSACTION))
        return all(self._deliver_batch(batch) for batch in batches)

    def _hand_over(self, rows: Sequence[Row], courier: Courier, *, opened: bool) -> None:
        """Publish what is due.  A record that gets nowhere is rehearsed, and judged as if we had sent it."""
        while rows and courier.is_stuck(rows[0]):
            try:
                self._ledger.rehearse(rows[0], opened=opened)
            except TransactionFailed as failure:
                if not self._refused(rows[0], failure):
                    return
                rows = rows[1:]
            else:
                problem = f"record {rows[0].seq} was published and is not on the chain, which would take it"
                self._leave(Verdict.RETRY, f"{problem}: look after the relay and its broker")
                break
        if not rows:
            return
        try:
            if not courier.hand_over(rows):
                return
        except BrokerUnreachable as error:
            self._leave(Verdict.RETRY, f"the broker is out of reach ({error}); everything is kept and published later")
            return
        self._journal.note_sent(rows[-1].install_id, rows[-1].seq)
        self._note(sent=tuple(row.seq for row in rows))

    def _deliver_batch(self, batch: Sequence[Row]) -> bool:
        try:
            self._transact("submit_meter_data", lambda salt: self._ledger.submit(batch, salt))
        except TransactionFailed as failure:
            if len(batch) > 1 and failure.name not in WHOLE_METER:
                return all(self._deliver_batch([row]) for row in batch)
            return self._refused(batch[0], failure)
        self._journal.note_sent(batch[-1].install_id, batch[-1].seq)
        self._note(sent=(*self._report.sent, *(row.seq for row in batch)))
        return True

    def _refused(self, row: Row, failure: TransactionFailed) -> bool:
        """Do what the table says; True if the next record may be sent."""
        verdict = judge(failure, row)
        if verdict is Verdict.REFUSE:
            self._journal.mark(row, State.REFUSED, failure.name)
            self._note(refused=(*self._report.refused, (row.seq, failure.name)))
            return True
        if verdict is Verdict.STOP:
            self._journal.mark(row, State.STOPPED, failure.name)
            raise DeliveryStopped(failure.name, f"record {row.seq} was refused: {failure.message}", NEXT_STEP[verdict])
        if verdict is Verdict.HOLD:
            self._journal.mark(row, State.HELD, failure.name)
        self._leave(verdict, f"record {row.seq}: {failure}; {NEXT_STEP[verdict]}")
        return False

    def _settle(self, install: Install, view: View) -> None:
        """Mint and burn at the cadence.  A refusal is reported, it never holds records up."""
        every, state = self._settle_every, view.state
        seq = accepted_seq(state, install)
        if state is None or every == 0 or seq // every <= self._settled_at // every:
            return
        dues = self._ledger.dues(state)
        if dues.mint_mwh or dues.burn_mwh:
            try:
                self._transact("process_energy_data", lambda salt: self._ledger.settle(dues, salt))
            except TransactionFailed as failure:
                self._leave(Verdict.RETRY, f"records are delivered, but minting was refused: {failure}")
                return
        self._settled_at = seq

    def _transact(self, instruction: str, send: Callable[[int], Receipt]) -> None:
        """Send with a fresh salt; anew if the blockhash expired, or if an identical transaction had landed before."""
        for left in reversed(range(ATTEMPTS)):
            self._salt += 1
            try:
                receipt = send(self._salt)
            except (BlockhashExpired, AlreadyProcessed):
                if not left:
                    raise
            else:
                self._note(transactions=(*self._report.transactions, Sent(instruction, receipt)))
                return

    def _leave(self, verdict: Verdict, problem: str) -> None:
        self._note(verdict=verdict, problem=problem)

    def _note(self, **facts: object) -> None:
        self._report = replace(self._report, **facts)  # type: ignore[arg-type]
