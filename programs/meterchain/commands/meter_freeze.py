"""`meter equivocation`, `meter clear-freeze`: a key that said two things, and the way back.

Two different records of one sequence number, signed by one key, prove that the key is in somebody else's hands or that
its node lies.  Whoever holds both freezes the meter: nothing is credited or minted until the department has changed key
or device.
"""

from typing import Annotated

import typer

from meterchain import instructions
from meterchain.accounts import MeterState, MeterStatus, UserStatus, fetch
from meterchain.commands.claimed import NotNow
from meterchain.commands.meter_views import MeterId, kwh, meter_of, shown
from meterchain.commands.recorded import attempt
from meterchain.commands.session import (
    LOCAL,
    WALLET,
    AsJson,
    Authority,
    DryRun,
    NotFound,
    ProgramsDir,
    Rpc,
    Session,
    conclude,
    session,
)
from meterchain.commands.user_views import user_of
from meterchain.commands.verify import NoRecord, read_signed
from meterchain.ed25519 import BadSignature, Signed
from meterchain.instructions import SignedRecord
from meterchain.record import Record
from meterchain.settling import dues, settle
from meterchain.wallets import load_wallet

_RECORD_FILE = "JSON file with a record and its signature, as `meterbridge agent record` prints it."
Evidence = Annotated[str, typer.Argument(metavar="RECORD", help=_RECORD_FILE)]
Contradiction = Annotated[str, typer.Argument(metavar="OTHER", help="The record that contradicts it.")]


def equivocation(
    context: typer.Context,
    first: Evidence,
    second: Contradiction,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Freeze a meter by two records that contradict each other; anybody who holds them may, and pays the fee.

    Exit codes: 0 frozen, 2 no evidence (not signed by the meter's key, no contradiction), 3 no chain, 4 refused.
    """
    signer = load_wallet(authority.expanduser(), "whoever reports it")
    (one, one_signature), (other, other_signature) = read_signed(first), read_signed(second)
    meter_id = _refuse_agreement(one, other)
    with session(context, rpc, programs, dry_run=dry_run) as here:
        key = bytes(meter_of(here, meter_id).meter_key)
        proofs = [SignedRecord(one, Signed(key, one_signature)), SignedRecord(other, Signed(key, other_signature))]
        for path, proof in zip((first, second), proofs, strict=True):
            try:
                proof.signed.check(proof.encoded)
            except BadSignature:
                raise NoRecord(f"{path}: not signed by the key that {meter_id} has now, so it proves nothing") from None
        if not _state(here, meter_id).frozen:
            wanted = instructions.report_equivocation(here.programs, signer.pubkey(), *proofs, position=0)
            attempt(lambda: here.chain.send(wanted, [signer]))
        conclude(here, *shown(here, meter_id), as_json=as_json)


def clear_freeze(
    context: typer.Context,
    meter_id: MeterId,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a frozen meter go on, once it has another key (`meter rotate-key`) or device (`meter replace`).

    One that is decommissioned gets neither: it is cleared and paid in one transaction, so clear it if you believe it.
    Exit codes: 0 it goes on, 2 no such meter, 3 the chain cannot be reached, 4 refused (still the same key).
    """
    with session(context, rpc, programs, dry_run=dry_run) as here:
        meter, state = meter_of(here, meter_id), _state(here, meter_id)
        if state.frozen:
            over = meter.status is MeterStatus.DECOMMISSIONED
            if not over and meter.key_rotated_at <= state.frozen_at and meter.install_id <= state.install_id:
                raise NotNow(
                    f"{meter_id} has the key that said two things: the same evidence would freeze it again. First "
                    "`meterbridge meter rotate-key`, or `meterbridge meter replace`"
                )
            signer = load_wallet(authority.expanduser(), "the authority")
            steps = [instructions.clear_freeze(here.programs, signer.pubkey(), meter_id)]
            if over and state.install_id >= meter.forfeit_install:
                # the evidence is as good as before: nobody may freeze it again in between
                _refuse_nobody_to_pay(here, state)
                due = dues(here.chain, here.programs, state)
                steps += settle(here.programs, signer.pubkey(), meter_id, due)
            attempt(lambda: here.chain.send(steps, [signer]))
        conclude(here, *shown(here, meter_id), as_json=as_json)


def _refuse_nobody_to_pay(here: Session, state: MeterState) -> None:
    owner = user_of(here, state.owner)
    if owner.status is not UserStatus.ACTIVE:
        raise NotNow(
            f"{state.owner}, who is owed {kwh(state.unminted_mwh)} kWh, is {owner.status.name.lower()}: the oracle "
            f"pays active users only. First `meterbridge user status {state.owner} active`"
        )


def _refuse_agreement(one: bytes, other: bytes) -> str:
    """The meter of which both are.  Raises NoRecord if they do not contradict each other."""
    records = [Record.decode(one), Record.decode(other)]
    same = {(record.meter_id, record.install_id, record.seq, record.domain) for record in records}
    if len(same) > 1 or one == other:
        raise NoRecord(
            "these two do not contradict each other: evidence is two different records of one meter, install and number"
        )
    return records[0].meter_id


def _state(here: Session, meter_id: str) -> MeterState:
    found = fetch(here.chain, here.programs, MeterState, here.site.meter_state(meter_id))
    if found is None:
        raise NotFound(f"the oracle has no account for {meter_id}: run `meterbridge meter assign` again")
    return found
