"""`site relayers`, `records`, `clearing`, `endpoint`, `billing`, `supply`: how the oracle and GRID's books are run.

Each shows what holds, or changes it; what holds already is not sent again.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import typer
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from meterchain import instructions, pdas
from meterchain.accounts import Meter, MeterState, OracleConfig, TokenConfig, fetch, fetch_all
from meterchain.commands.costs import in_grid
from meterchain.commands.meter_views import a_meter_id, kwh, meter_of
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
    an_address,
    conclude,
    present,
    session,
)
from meterchain.tokens import read_mint
from meterchain.units import Mwh
from meterchain.wallets import load_wallet

ANYBODY, OWNERS, ALL = "anybody", "owners", "all"
MOST_RELAYERS = 8
METERS_AT_ONCE = 8
"""Billed in one transaction; each brings two accounts."""

Switch = Annotated[Literal["on", "off"] | None, typer.Argument(help="Without it, what holds is shown.")]
Triggers = Annotated[
    Literal["anybody", "department"] | None, typer.Argument(help="Who may; without it, what holds is shown.")
]
Relayers = Annotated[
    list[str] | None,
    typer.Argument(metavar="[WHO…]", help=f"{ANYBODY}, {OWNERS} (of each meter), or {MOST_RELAYERS} wallets at most."),
]


def relayers(
    context: typer.Context,
    who: Relayers = None,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show or set who may deliver records.  They are signed by the meters, so this keeps out noise, not forgery.

    Wallets named here take the place of those before; each meter's owner may always.
    """
    wanted = None if not who else _relayers_of(who)

    def change(here: Session, signer: Pubkey, now: OracleConfig) -> Instruction | None:
        if wanted is None or wanted == (bool(now.relayer_mode), _listed(now)):
            return None
        return instructions.set_relayers(here.programs, signer, wanted[1], listed_only=wanted[0])

    _set(context, rpc, programs, authority, change, setting=bool(who), dry_run=dry_run, as_json=as_json)


def records(
    context: typer.Context,
    state: Switch = None,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show or set whether the oracle takes records.  Off, nodes keep theirs and deliver them later."""
    wanted = state == "on"

    def change(here: Session, signer: Pubkey, now: OracleConfig) -> Instruction | None:
        if state is None or now.active == wanted:
            return None
        return instructions.set_active(here.programs, signer, active=wanted)

    _set(context, rpc, programs, authority, change, setting=state is not None, dry_run=dry_run, as_json=as_json)


def clearing(
    context: typer.Context,
    who: Triggers = None,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show or set who may trigger the clearing of an epoch: any keeper, or the department's alone."""
    wanted = who == ANYBODY

    def change(here: Session, signer: Pubkey, now: OracleConfig) -> Instruction | None:
        if who is None or now.auto_clearing_enabled == wanted:
            return None
        return instructions.set_auto_clearing(here.programs, signer, enabled=wanted)

    _set(context, rpc, programs, authority, change, setting=who is not None, dry_run=dry_run, as_json=as_json)


def endpoint(
    context: typer.Context,
    address: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="At most 64 bytes, public.")] = None,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show or set where the readings can be had off chain (ami_endpoint)."""

    def change(here: Session, signer: Pubkey, now: OracleConfig) -> Instruction | None:
        if address is None or now.ami_endpoint == address:
            return None
        return instructions.set_ami_endpoint(here.programs, signer, address)

    _set(context, rpc, programs, authority, change, setting=address is not None, dry_run=dry_run, as_json=as_json)


def billing(
    context: typer.Context,
    meters: Annotated[list[str], typer.Argument(metavar="METER_ID…", help=f"Meters that are billed now, or {ALL}.")],
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Close a billing period: import that is not burned is written off, and never burned later; the bill is printed.

    What nobody imported since is no bill, so that it may be run again.  The amounts are those of the chain's events.
    Exit codes: 0 closed, 2 no such meter, 3 the chain cannot be reached, 4 refused.
    """
    signer = load_wallet(authority.expanduser(), "the authority")
    with session(context, rpc, programs, dry_run=dry_run) as here:
        due = [(meter, state) for meter, state in _billed(here, meters) if _open_import(state)]
        bills: list[dict[str, Any]] = []
        for start in range(0, len(due), METERS_AT_ONCE):
            some = due[start : start + METERS_AT_ONCE]
            steps = [instructions.close_billing(here.programs, signer.pubkey(), meter.meter_id) for meter, _ in some]
            receipt = attempt(lambda steps=steps: here.chain.send(steps, [signer]))  # type: ignore[misc]
            if receipt is None:
                bills += [_bill(meter, state.owner, _open_import(state)) for meter, state in some]
                continue
            numbers = {meter.meter_no: meter for meter, _ in some}
            bills += [
                _bill(numbers[event.fields["meter_no"]], event.fields["owner"], event.fields["import_mwh"])
                for event in here.programs["oracle"].events(receipt)
                if event.name == "ImportWrittenOff"
            ]
        rows = [(bill["meter_id"], f"{kwh(bill['import_mwh'])} kWh for {bill['owner']}") for bill in bills]
        conclude(here, {"billed": bills}, rows or [("billed", "nothing")], as_json=as_json)


def supply(
    context: typer.Context,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Have the token program take note of GRID that holders burned through SPL; anybody may, and pays the fee."""
    with session(context, rpc, programs, dry_run=dry_run) as here:
        if _supplies(here)[0] != _supplies(here)[1]:
            signer = load_wallet(authority.expanduser(), "whoever pays")
            attempt(lambda: here.chain.send([instructions.sync_total_supply(here.programs)], [signer]))
        noted, real = _supplies(here)
        document = {"noted_atoms": noted, "supply_atoms": real}
        conclude(here, document, [("noted", in_grid(noted)), ("supply", in_grid(real))], as_json=as_json)


def _set(
    context: typer.Context,
    rpc: str,
    programs: ProgramsDir,
    authority: Authority,
    change: Callable[[Session, Pubkey, OracleConfig], Instruction | None],
    *,
    setting: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    with session(context, rpc, programs, dry_run=dry_run) as here:
        signer = load_wallet(authority.expanduser(), "the authority") if setting else None
        wanted = change(here, signer.pubkey(), _oracle(here)) if signer else None
        if signer and wanted:
            attempt(lambda: here.chain.send([wanted], [signer]))
        now = _oracle(here)
        document = {
            "records": now.active,
            "relayers": [str(each) for each in _listed(now)] if now.relayer_mode else ANYBODY,
            "clearing": ANYBODY if now.auto_clearing_enabled else "department",
            "endpoint": now.ami_endpoint,
        }
        named = "".join(f", {each}" for each in _listed(now))
        rows = [
            ("records", "taken" if now.active else "not taken"),
            ("relayers", f"each meter's owner{named}" if now.relayer_mode else ANYBODY),
            ("clearing", f"triggered by {document['clearing']}"),
            ("endpoint", now.ami_endpoint or "none"),
        ]
        if setting:
            conclude(here, document, rows, as_json=as_json)
        else:
            present(document, rows, as_json=as_json)


def _relayers_of(words: Sequence[str]) -> tuple[bool, tuple[Pubkey, ...]]:
    """(listed only, wallets).  Raises typer.BadParameter."""
    if list(words) in ([ANYBODY], [OWNERS]):
        return words[0] == OWNERS, ()
    wallets = tuple(an_address(word) for word in words)
    if len(set(wallets)) != len(wallets) or len(wallets) > MOST_RELAYERS:
        raise typer.BadParameter(f"name each wallet once, at most {MOST_RELAYERS}; or {ANYBODY}, or {OWNERS}")
    return True, wallets


def _listed(config: OracleConfig) -> tuple[Pubkey, ...]:
    return config.relayers[: config.relayer_count]


def _oracle(here: Session) -> OracleConfig:
    found = fetch(here.chain, here.programs, OracleConfig, here.site.oracle)
    if found is None:
        raise NotFound(f"OracleConfig vanished from {here.chain.name}: try another RPC")
    return found


def _billed(here: Session, words: Sequence[str]) -> list[tuple[Meter, MeterState]]:
    """The meters that are named, with the oracle's accounts.  Raises NotFound and typer.BadParameter."""
    if list(words) == [ALL]:
        meters = sorted(fetch_all(here.chain, here.programs, Meter).values(), key=lambda meter: meter.meter_id)
    else:
        meters = [meter_of(here, a_meter_id(word)) for word in dict.fromkeys(words)]
    states = {state.meter: state for state in fetch_all(here.chain, here.programs, MeterState).values()}
    found = [(meter, states.get(here.site.meter(meter.meter_id))) for meter in meters]
    return [(meter, state) for meter, state in found if state is not None]


def _open_import(state: MeterState) -> Mwh:
    return Mwh(state.cum_import_mwh - state.written_off_import_mwh - state.burned_mwh)


def _bill(meter: Meter, owner: Pubkey, import_mwh: int) -> dict[str, Any]:
    return {"meter_id": meter.meter_id, "owner": str(owner), "import_mwh": import_mwh}


def _supplies(here: Session) -> tuple[int, int]:
    """Atoms as the token program noted them, and as the mint has them."""
    token = fetch(here.chain, here.programs, TokenConfig, here.site.token_config)
    (mint,) = here.chain.accounts([pdas.grid_mint(here.programs)])
    if token is None or mint is None:
        raise NotFound(f"the site on {here.chain.name} is initialised in part only: run `meterbridge site init` again")
    return token.total_supply, read_mint(mint).supply
