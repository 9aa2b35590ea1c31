"""`meter reassign`, `meter unassign`: a meter gets another owner, or stands in nobody's list any more.

The hand-over is one transaction: the old owner is paid, the meter is given, the new owner's account begins.  So no
record is refused in between, nothing that was credited is lost, and nothing is paid to both.
"""

from collections.abc import Callable
from typing import Annotated

import typer
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions
from meterchain import site as steps
from meterchain.accounts import Meter, MeterState, MeterStatus, User, UserStatus, fetch
from meterchain.chain import TransactionFailed
from meterchain.commands.claimed import NotNow
from meterchain.commands.meter_changes import NodeStatusFile
from meterchain.commands.meter_views import MeterId, kwh, meter_of, shown
from meterchain.commands.node_status import read_node_status, refuse_undelivered
from meterchain.commands.recorded import attempt
from meterchain.commands.session import (
    LOCAL,
    WALLET,
    AsJson,
    Authority,
    DryRun,
    ProgramsDir,
    Rpc,
    Session,
    an_address,
    conclude,
    say,
    session,
)
from meterchain.commands.user_views import user_of
from meterchain.units import Mwh
from meterchain.wallets import load_wallet

NewOwner = Annotated[Pubkey, typer.Argument(parser=an_address, metavar="WALLET", help="Who gets it; an active user.")]
Forfeit = Annotated[
    bool, typer.Option("--forfeit", help="Give up what cannot be minted for the old owner, and say how much.")
]


def reassign(
    context: typer.Context,
    meter_id: MeterId,
    new_owner: NewOwner,
    node_status: NodeStatusFile = None,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    forfeit: Forfeit = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give a meter to another user, all in one transaction; what was credited is minted for the old owner first.

    His import that is not burned is written off: bill it.  What the node delivers from now on is the new owner's, so
    with --node-status it is refused while the node has records to deliver.
    Exit codes: 0 reassigned, 2 no such meter or user, 3 the chain cannot be reached, 4 refused (undelivered, unpaid).
    """
    signer = load_wallet(authority.expanduser(), "the authority")
    said = read_node_status(node_status, meter_id) if node_status else None
    with session(context, rpc, programs, dry_run=dry_run) as here:
        meter = meter_of(here, meter_id)
        state = fetch(here.chain, here.programs, MeterState, here.site.meter_state(meter_id))
        if meter.owner != new_owner or (state is not None and state.owner != new_owner):
            _refuse_unfit(here, meter, new_owner)
            if said:
                refuse_undelivered(said, meter, state, force=False)
            attempt(lambda: steps.open_token_account(here.chain, here.site, signer, new_owner))
            wanted = _handing_over(here, signer.pubkey(), meter, state, new_owner, forfeit=forfeit)
            attempt(lambda: _or_wait(meter_id, lambda: here.chain.send(wanted, [signer])))
        conclude(here, *shown(here, meter_id), as_json=as_json)


def unassign(
    context: typer.Context,
    meter_id: MeterId,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Free the place of a decommissioned meter in its owner's list, who may then have another.

    The meter still names him, and what it measured is still minted for him.
    Exit codes: 0 free, 2 no such meter, 3 the chain cannot be reached, 4 refused (not decommissioned).
    """
    with session(context, rpc, programs, dry_run=dry_run) as here:
        meter = meter_of(here, meter_id)
        user = user_of(here, meter.owner)
        if meter.meter_no in user.meters:
            free_place(here, load_wallet(authority.expanduser(), "the authority"), meter)
        after = user_of(here, meter.owner)
        document = {"meter_id": meter_id, "owner": str(meter.owner), "owner_meters": after.meter_count}
        rows = [("meter", meter_id), ("owner", f"{meter.owner}, {after.meter_count} meters")]
        conclude(here, document, rows, as_json=as_json)


def free_place(here: Session, signer: Keypair, meter: Meter) -> None:
    """Take a decommissioned meter out of its owner's list.  Raises NotNow, and what Chain.send raises."""
    if meter.status is not MeterStatus.DECOMMISSIONED:
        raise NotNow(
            f"{meter.meter_id} is {meter.status.name.lower()}: only a meter that is out of service for ever "
            f"leaves the list (`meterbridge meter status {meter.meter_id} decommissioned`)"
        )
    step = instructions.unassign_meter(here.programs, signer.pubkey(), meter.meter_id, meter.owner)
    attempt(lambda: here.chain.send([step], [signer]))


def _handing_over(
    here: Session, authority: Pubkey, meter: Meter, state: MeterState | None, new_owner: Pubkey, *, forfeit: bool
) -> list[Instruction]:
    """What is missing of: pay the old owner, give the meter, begin the new owner's account."""
    ours, meter_id = here.programs, meter.meter_id
    giving = [instructions.reassign_meter(ours, authority, meter_id, meter.owner, new_owner)]
    giving = giving if meter.owner != new_owner else []
    if state is None or state.owner == new_owner:
        return giving
    paying = _paying(here, authority, meter, state, forfeit=forfeit)
    unburned = Mwh(state.cum_import_mwh - state.written_off_import_mwh - state.burned_mwh)
    if unburned:
        say(f"{state.owner} imported {kwh(unburned)} kWh not burned yet; what stays of it is written off: bill it")
    return [*paying, *giving, instructions.sync_owner(ours, authority, meter_id, forfeit=forfeit)]


def _paying(here: Session, authority: Pubkey, meter: Meter, state: MeterState, *, forfeit: bool) -> list[Instruction]:
    """Mint and burn what is due for the old owner.  Raises NotNow if he cannot be paid what waits for him."""
    old = state.owner
    hindrance = _hindrance(meter, state, user_of(here, old))
    waiting = state.unminted_mwh
    if hindrance is None:
        (account,) = here.chain.accounts([here.site.grid_account(old)])
        there = account is not None and bool(account.data)
        opening = [] if there else [instructions.create_token_account(here.programs, authority, old)]
        return [*opening, instructions.process_energy_data(here.programs, meter.meter_id, old)]
    if waiting and not forfeit:
        raise NotNow(
            f"{kwh(waiting)} kWh of {meter.meter_id} are still to be minted for {old}, and cannot be: {hindrance}. Put "
            "that right first, or give them up with --forfeit"
        )
    if waiting:
        say(f"{kwh(waiting)} kWh are given up, not minted for {old}: {hindrance}")
    return []


def _hindrance(meter: Meter, state: MeterState, old: User) -> str | None:
    """Why the oracle would not pay now; None if it would."""
    if old.status is not UserStatus.ACTIVE:
        return f"that user is {old.status.name.lower()}"
    if meter.status is MeterStatus.COMPROMISED:
        return "the meter is compromised"
    if state.install_id < meter.forfeit_install:
        return "its install was compromised, and the device that replaced it has delivered no record yet"
    return "the meter is frozen" if state.frozen else None


def _refuse_unfit(here: Session, meter: Meter, new_owner: Pubkey) -> None:
    if meter.status is MeterStatus.DECOMMISSIONED:
        raise NotNow(f"{meter.meter_id} is decommissioned, for ever: nobody gets it")
    user = user_of(here, new_owner)
    if user.status is not UserStatus.ACTIVE:
        raise NotNow(f"{new_owner} is {user.status.name.lower()}: `meterbridge user status {new_owner} active` first")


def _or_wait(meter_id: str, send: Callable[[], object]) -> None:
    try:
        send()
    except TransactionFailed as error:
        if error.name != "AccrualPending":
            raise
        raise NotNow(
            f"not all that {meter_id} credited can be minted for its old owner now (minting is paused, or the epoch's "
            "cap is reached): run it again in the next epoch, or give the rest up with --forfeit"
        ) from error
