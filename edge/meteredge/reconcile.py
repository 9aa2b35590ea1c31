"""The journal against the chain: who is ahead, and is it the same story?

behind   the chain has less than we signed: send the gap in order
ahead    our journal is new (a lost SD card): take seq, digest and registers from the chain and go on
fork     the chain has a record under our key that this journal never made: another node uses the key; stop and tell

Only finalized state makes a record final or moves the journal's start.
"""

from dataclasses import replace

from solders.pubkey import Pubkey

from meterchain.accounts import Meter, MeterKind, MeterState
from meterchain.record import record_digest
from meterchain.units import Seq, Slot
from meteredge.journal import Install, Journal, State
from meteredge.ledger import View


class DeliveryStopped(Exception):
    """Stop signing and sending: the node and the chain contradict each other.  `code` is the reason in one word."""

    def __init__(self, code: str, fact: str, next_step: str) -> None:
        super().__init__(f"{code}: {fact}; {next_step}")
        self.code = code


class NotSettledYet(Exception):
    """The chain's finalized and confirmed views differ, so the start of a new journal cannot be taken from it yet."""


def refuse_strangers(journal: Journal, view: View) -> None:
    """Raises DeliveryStopped unless the registry's meter has this journal's key and the site is ours."""
    ours = journal.identity
    if view.domain != ours.domain:
        raise DeliveryStopped(
            "BadDomain",
            f"this chain holds the site {view.domain.hex()}, the node is configured for {ours.domain.hex()}",
            "check [chain] rpc and [site] domain",
        )
    if bytes(view.meter.meter_key) != ours.meter_key:
        raise DeliveryStopped(
            "WrongKey",
            f"the registry has the key {view.meter.meter_key} for {ours.meter_id}, this node signs with "
            f"{Pubkey(ours.meter_key)}",
            "put the node's own key back, or call the operator: the registry must get this one",
        )


def take_up(journal: Journal, finalized: View, confirmed: View) -> Install:
    """The install that records are signed for; a new one begins where the chain stands.

    Raises NotSettledYet, DeliveryStopped (an install older than ours), JournalUnwritable.
    """
    known = journal.install()
    begun = _beginning(finalized)
    if known is not None and begun.install_id < known.install_id:
        raise DeliveryStopped(
            "InstallMismatch",
            f"the chain shows install {begun.install_id} of the meter, this journal has begun {known.install_id}",
            "this is another chain, or one that was set back: check [chain] rpc",
        )
    last = journal.last_signed()
    if known is not None and begun.install_id == known.install_id and last and last.seq > known.start_seq:
        begun = replace(known, max_export_w=begun.max_export_w, max_import_w=begun.max_import_w)
    if begun == known:
        return begun
    if finalized != confirmed:
        raise NotSettledYet("the meter's accounts are changing right now; looking again in a moment")
    if known is not None and begun.install_id > known.install_id:
        _hold_old_install(journal, known)
    journal.begin_install(begun)
    return begun


def accepted_seq(state: MeterState | None, install: Install) -> Seq:
    """How far the chain is within `install`; 0 before its first record."""
    return state.seq if state is not None and state.install_id == install.install_id else Seq(0)


def refuse_fork(journal: Journal, install: Install, state: MeterState | None) -> None:
    """Raises DeliveryStopped if the chain's last record of this install is not ours."""
    seq = accepted_seq(state, install)
    if state is None or seq == 0 or (seq == install.start_seq and state.last_digest == install.start_digest):
        return
    row = journal.row(install.install_id, seq)
    if row is None and seq < install.start_seq:
        return  # an old view of a chain that was further when this journal began
    if row is None or record_digest(row.record) != state.last_digest:
        ours = "none of that number" if row is None else "another one"
        raise DeliveryStopped(
            "Fork",
            f"the chain holds a record {seq} under this meter's key, this journal has {ours}",
            "another node signs with the same key, or an old journal was restored: find it, then have the key rotated",
        )


def settle_final(journal: Journal, install: Install, finalized: MeterState | None) -> int:
    """Mark what the finalized state proves; how many records became final.  Call after `refuse_fork`."""
    seq = accepted_seq(finalized, install)
    return journal.mark_final(install.install_id, seq) if seq > install.start_seq else 0


def settle_before_rotation(journal: Journal, finalized: View) -> None:
    """What the chain took of the old key's records is final.  Raises DeliveryStopped (a fork), JournalError."""
    install = journal.install()
    if install is not None:
        refuse_fork(journal, install, finalized.state)
        settle_final(journal, install, finalized.state)


def _beginning(view: View) -> Install:
    meter, state = view.meter, view.state
    limits = (*_bounds(meter), meter.register_modulus_mwh)
    if state is not None and state.install_id == meter.install_id:
        return Install(
            meter.install_id, state.seq, state.last_digest, state.export_reg_mwh, state.import_reg_mwh,
            state.last_ts, state.last_epoch, *limits,
        )  # fmt: skip
    last_ts, last_slot = (state.last_ts, state.last_epoch) if state else (meter.baseline_ts, Slot(0))
    return Install(
        meter.install_id, Seq(0), bytes(32), meter.baseline_export_mwh, meter.baseline_import_mwh,
        max(last_ts, meter.baseline_ts), last_slot, *limits,
    )  # fmt: skip


def _bounds(meter: Meter) -> tuple[int, int]:
    """Most export and import, W.  A direction that is not credited is bounded by the other's limit, as good as free."""
    match meter.kind:
        case MeterKind.GENERATION_ONLY:
            return meter.max_export_w, max(meter.max_import_w, meter.max_export_w)
        case MeterKind.CONSUMPTION_ONLY:
            return max(meter.max_export_w, meter.max_import_w), meter.max_import_w
        case _:
            return meter.max_export_w, meter.max_import_w


def _hold_old_install(journal: Journal, old: Install) -> None:
    """Records of an install that the registry has closed cannot be delivered any more; they stay, and they show."""
    after = old.start_seq
    while rows := journal.rows_after(old.install_id, after, 100):
        for row in rows:
            if row.state not in {State.FINAL, State.REFUSED}:
                journal.mark(row, State.HELD, "InstallMismatch")
        after = rows[-1].seq
