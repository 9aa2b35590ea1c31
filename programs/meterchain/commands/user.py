"""`meterbridge user`: who takes part, and how much of his GRID measured import may burn."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from solders.pubkey import Pubkey

from meterchain import instructions, pdas
from meterchain import site as steps
from meterchain.accounts import Role, User, UserStatus, UserType, fetch_all
from meterchain.commands import user_changes
from meterchain.commands.costs import in_grid
from meterchain.commands.recorded import attempt
from meterchain.commands.session import (
    LOCAL,
    WALLET,
    AnAddress,
    AsJson,
    Authority,
    DryRun,
    NotFound,
    ProgramsDir,
    Rpc,
    Session,
    an_address,
    conclude,
    present,
    session,
    show_table,
)
from meterchain.commands.site_rules import time_of
from meterchain.commands.user_views import MOST_ATOMS, Kind, Part, atoms_of, shown, summary, user_of
from meterchain.site import SiteError
from meterchain.tokens import TokenAccount, read_token_account, revoke_any
from meterchain.units import Atoms
from meterchain.wallets import load_wallet

HASH_DIGITS = 64

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Users: register, look up, allow burning.")

State = Literal["active", "suspended", "revoked"]
Owner = Annotated[Path, typer.Option("--owner", metavar="FILE", help="The owner's own wallet; it signs and pays.")]
Kwh = Annotated[str | None, typer.Option(metavar="N", help="kWh to add to what is approved already.")]
UpTo = Annotated[str | None, typer.Option(metavar="N", help="kWh to have approved in all; less is topped up.")]


@app.command()
def register(
    context: typer.Context,
    wallet: AnAddress,
    kind: Annotated[Kind, typer.Option("--type", help="A prosumer may sell.")] = "prosumer",
    role: Annotated[Part, typer.Option(help="What they are at the university.")] = "student",
    location: Annotated[str, typer.Option(help="Public, for ever; at most 32 bytes.")] = "",
    external_id_hash: Annotated[
        str,
        typer.Option(metavar="HEX", help="HMAC-SHA256 of the person's number with a secret salt; never the number."),
    ] = "",
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Register a wallet and open its GRID account.

    Exit codes: 0 registered, 3 the chain cannot be reached, 4 refused (registered as something else).
    """
    signer, hashed = load_wallet(authority.expanduser(), "the authority"), _hash(external_id_hash)
    with session(context, rpc, programs, dry_run=dry_run) as here:
        site, chain = here.site, here.chain
        attempt(
            lambda: steps.register_user(
                chain, site, signer, wallet, UserType[kind.upper()], Role[role.upper()],
                location=location, external_id_hash=hashed,
            )
        )  # fmt: skip
        attempt(lambda: steps.open_token_account(chain, site, signer, wallet))
        conclude(here, *shown(here, wallet), as_json=as_json)


@app.command()
def status(
    context: typer.Context,
    wallet: AnAddress,
    state: Annotated[State | None, typer.Argument(help="The new status; without one, it is shown.")] = None,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show or set whether a user may act.  A suspended one keeps all exits: cancel, withdraw, burn."""
    with session(context, rpc, programs, dry_run=dry_run) as here:
        user = user_of(here, wallet)
        wanted = UserStatus[state.upper()] if state else user.status
        if wanted != user.status:
            signer = load_wallet(authority.expanduser(), "the authority")
            step = instructions.set_user_status(here.programs, signer.pubkey(), wallet, wanted)
            attempt(lambda: here.chain.send([step], [signer]))
        now = user_of(here, wallet)
        document = {"wallet": str(wallet), "status": now.status.name.lower()}
        rows = [("status", f"{now.status.name.lower()} since {time_of(now.status_changed_at)}")]
        if state is None:
            present(document, rows, as_json=as_json)
        else:
            conclude(here, document, rows, as_json=as_json)


app.command()(user_changes.update)
app.command()(user_changes.burn)


@app.command()
def show(
    context: typer.Context,
    wallet: Annotated[
        Pubkey | None, typer.Argument(parser=an_address, metavar="[WALLET]", help="One user; without it, all.")
    ] = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """A user with meters, GRID and allowance; or the list of all."""
    with session(context, rpc, programs) as here:
        if wallet is not None:
            user_of(here, wallet)
            document, rows = shown(here, wallet)
            present(document, rows, as_json=as_json)
            return
        users = sorted(fetch_all(here.chain, here.programs, User).values(), key=lambda user: user.registered_at)
        documents = [summary(user) for user in users]
        if as_json:
            present({"users": documents}, [], as_json=True)
            return
    head = ("wallet", "type", "role", "status", "meters", "location")
    show_table(head, [tuple(str(document[name]) for name in head) for document in documents])


@app.command()
def approve(
    context: typer.Context,
    owner: Owner = WALLET,
    kwh: Kwh = None,
    up_to: UpTo = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let measured import burn N kWh more of the owner's GRID (1 kWh = 1 GRID).

    --kwh adds each time that it is called; --up-to may be repeated.  The owner's wallet signs, never the node.
    SPL knows one allowance an account and replaces it, so what is left is read and added to.
    """
    if (kwh is None) == (up_to is None):
        raise typer.BadParameter("write either --kwh N (add) or --up-to N (raise to)")
    signer = load_wallet(owner.expanduser(), "the owner")
    wallet, atoms = signer.pubkey(), atoms_of(kwh or up_to or "")
    with session(context, rpc, programs, dry_run=dry_run) as here:
        left = allowance(here, wallet)
        total = left + atoms if kwh else max(left, atoms)
        if total > MOST_ATOMS:
            raise typer.BadParameter(f"{in_grid(left)} are approved already; with so much more it does not fit")
        if total > left:
            step = instructions.approve_consumption(here.programs, wallet, Atoms(total))
            attempt(lambda: here.chain.send([step], [signer]))
        conclude(here, *shown(here, wallet), as_json=as_json)


@app.command()
def revoke(
    context: typer.Context,
    owner: Owner = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take the account's allowance back, whoever has it: nothing is burned any more.  Works during a pause too."""
    signer = load_wallet(owner.expanduser(), "the owner")
    with session(context, rpc, programs, dry_run=dry_run) as here:
        account = _token_account(here, signer.pubkey())
        if account.delegate is not None:
            ours = account.delegate == pdas.burner(here.programs)
            step = (
                instructions.revoke_consumption(here.programs, signer.pubkey())
                if ours
                else revoke_any(account.address, signer.pubkey())
            )
            attempt(lambda: here.chain.send([step], [signer]))
        conclude(here, *shown(here, signer.pubkey()), as_json=as_json)


def allowance(here: Session, wallet: Pubkey) -> Atoms:
    """Atoms that measured import may still burn.  Raises SiteError if somebody else has the account's one allowance."""
    account = _token_account(here, wallet)
    if account.delegate is None:
        return Atoms(0)
    if account.delegate != pdas.burner(here.programs):
        raise SiteError(
            f"the GRID account of {wallet} allows {account.delegate} to spend {in_grid(account.delegated_amount)}, and "
            "SPL knows one allowance an account: take that one back first (`meterbridge user revoke`)"
        )
    return account.delegated_amount


def _hash(digits: str) -> bytes:
    try:
        if digits and len(digits) != HASH_DIGITS:
            raise ValueError
        return bytes.fromhex(digits) or bytes(HASH_DIGITS // 2)
    except ValueError:
        raise typer.BadParameter(f"--external-id-hash: {HASH_DIGITS} hexadecimal digits are expected") from None


def _token_account(here: Session, wallet: Pubkey) -> TokenAccount:
    user_of(here, wallet)
    (info,) = here.chain.accounts([here.site.grid_account(wallet)])
    if info is None or not info.data:
        raise NotFound(f"{wallet} has no GRID account yet: run `meterbridge user register {wallet}` again")
    return read_token_account(info)
