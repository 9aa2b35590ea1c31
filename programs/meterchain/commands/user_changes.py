"""`user update`, `user burn`: what a user is, corrected by the department; GRID of one's own, retired."""

from pathlib import Path
from typing import Annotated

import typer

from meterchain import instructions
from meterchain.accounts import Role, UserType
from meterchain.commands.costs import in_grid
from meterchain.commands.recorded import attempt
from meterchain.commands.session import (
    LOCAL,
    WALLET,
    AnAddress,
    AsJson,
    Authority,
    DryRun,
    ProgramsDir,
    Rpc,
    conclude,
    session,
)
from meterchain.commands.user_views import Kind, Part, atoms_of, shown, user_of
from meterchain.site import SiteError
from meterchain.units import Atoms
from meterchain.wallets import load_wallet

Kwh = Annotated[str | None, typer.Argument(metavar="[KWH]", help="How much, kWh (1 kWh = 1 GRID).")]
Owner = Annotated[Path, typer.Option("--owner", metavar="FILE", help="The owner's own wallet; it signs and pays.")]


def update(
    context: typer.Context,
    wallet: AnAddress,
    kind: Annotated[Kind | None, typer.Option("--type", help="As it is without.")] = None,
    role: Annotated[Part | None, typer.Option(help="As it is without.")] = None,
    location: Annotated[str | None, typer.Option(help="Public, for ever; at most 32 bytes.")] = None,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Correct what a user is; what is not given stays.

    Exit codes: 0 as asked, 2 not registered, 3 the chain cannot be reached, 4 refused.
    """
    with session(context, rpc, programs, dry_run=dry_run) as here:
        user = user_of(here, wallet)
        kinds = None if kind is None else UserType[kind.upper()]
        part = None if role is None else Role[role.upper()]
        pairs = ((kinds, user.user_type), (part, user.role), (location, user.location))
        if any(asked is not None and asked != found for asked, found in pairs):
            signer = load_wallet(authority.expanduser(), "the authority")
            step = instructions.update_user(
                here.programs, signer.pubkey(), wallet, user_type=kinds, role=part, location=location
            )
            attempt(lambda: here.chain.send([step], [signer]))
        conclude(here, *shown(here, wallet), as_json=as_json)


def burn(
    context: typer.Context,
    kwh: Kwh = None,
    owner: Owner = WALLET,
    down_to: Annotated[
        str | None, typer.Option(metavar="KWH", help="Instead: all that the account holds above so many kWh.")
    ] = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Retire GRID of one's own, for ever.  Works while everything is paused.

    KWH called twice retires twice: where a call may have got through already, say `--down-to` what shall be left.
    Exit codes: 0 retired, 2 not registered or wrong use, 3 the chain cannot be reached, 4 there is less than that.
    """
    if (kwh is None) == (down_to is None):
        raise typer.BadParameter("say how many kWh, or --down-to how many: one of the two")
    signer = load_wallet(owner.expanduser(), "the owner")
    wanted = Atoms(0) if kwh is None else atoms_of(kwh)
    left = None if down_to is None else atoms_of(down_to, least=0)
    with session(context, rpc, programs, dry_run=dry_run) as here:
        user_of(here, signer.pubkey())
        document, _ = shown(here, signer.pubkey())
        held = document["grid_atoms"]
        atoms = wanted if left is None else Atoms(max(0, held - left))
        if held < atoms:
            raise SiteError(f"{signer.pubkey()} has {in_grid(held)}, less than that")
        if atoms:
            step = instructions.burn(here.programs, signer.pubkey(), atoms)
            attempt(lambda: here.chain.send([step], [signer]))
        conclude(here, *shown(here, signer.pubkey()), as_json=as_json)
