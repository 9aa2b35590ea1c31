"""`site authority`: who decides for the site, in two steps and with a delay, and who else may pause it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from meterchain import instructions, pdas
from meterchain.accounts import GovernanceConfig, OracleConfig, RegistryConfig, TokenConfig, fetch
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
    Row,
    Rpc,
    Session,
    an_address,
    conclude,
    present,
    session,
)
from meterchain.commands.site_rules import governance_of, time_of
from meterchain.parameters import BY_NAME
from meterchain.programs import Programs
from meterchain.site import SiteError
from meterchain.units import ATOMS_PER_MWH
from meterchain.wallets import load_wallet

NOBODY = Pubkey.default()
NONE = "none"

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Who decides, who follows, who may pause.")


class NoSlot(SiteError):
    """Governance's list of programs is full."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A config that repeats what governance says; `follows` if it says the same now."""

    name: str
    program: Pubkey
    config: Pubkey
    follows: bool


def a_guardian(text: str) -> Pubkey:
    """A wallet, or `none`.  Raises typer.BadParameter."""
    return NOBODY if text == NONE else an_address(text)


@app.command()
def show(context: typer.Context, rpc: Rpc = LOCAL, programs: ProgramsDir = None, *, as_json: AsJson = False) -> None:
    """Who decides, who was proposed and when he may accept, who may pause, and which programs know it."""
    with session(context, rpc, programs) as here:
        present(*_state(here), as_json=as_json)


@app.command()
def propose(
    context: typer.Context,
    successor: AnAddress,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let WALLET take over, from AUTH_TIMELOCK_SECS on and for AUTH_EXPIRY_SECS; an earlier proposal is forgotten.

    Nothing changes until that wallet accepts.  Proposed again while it still may accept, nothing is sent.
    """
    with session(context, rpc, programs, dry_run=dry_run) as here:
        governance = governance_of(here)
        if governance.engineering_authority == successor:
            raise typer.BadParameter(f"{successor} is the authority already")
        if governance.pending_authority != successor or here.chain.clock().unix_s >= governance.pending_expires:
            signer = load_wallet(authority.expanduser(), "the authority")
            step = instructions.propose_authority(here.programs, signer.pubkey(), successor)
            attempt(lambda: here.chain.send([step], [signer]))
        conclude(here, *_state(here), as_json=as_json)


@app.command()
def accept(
    context: typer.Context,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take over, with the wallet that was proposed as --authority; then run `meterbridge site authority push`."""
    signer = load_wallet(authority.expanduser(), "the proposed authority")
    with session(context, rpc, programs, dry_run=dry_run) as here:
        if governance_of(here).engineering_authority != signer.pubkey():
            step = instructions.accept_authority(here.programs, signer.pubkey())
            attempt(lambda: here.chain.send([step], [signer]))
        conclude(here, *_state(here), as_json=as_json)


@app.command()
def cancel(
    context: typer.Context,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Forget the proposal, if there is one."""
    with session(context, rpc, programs, dry_run=dry_run) as here:
        if governance_of(here).pending_authority != NOBODY:
            signer = load_wallet(authority.expanduser(), "the authority")
            step = instructions.cancel_proposal(here.programs, signer.pubkey())
            attempt(lambda: here.chain.send([step], [signer]))
        conclude(here, *_state(here), as_json=as_json)


@app.command()
def guardian(
    context: typer.Context,
    who: Annotated[
        Pubkey, typer.Argument(parser=a_guardian, metavar="WALLET", help=f"Who may pause besides, or {NONE}.")
    ],
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Name who may pause, and nothing else, besides the authority; or nobody."""
    with session(context, rpc, programs, dry_run=dry_run) as here:
        there = governance_of(here).guardian
        _appoint(here, authority, there, who, instructions.set_guardian)
        conclude(here, *_state(here), as_json=as_json)


@app.command()
def validator(
    context: typer.Context,
    who: Annotated[
        Pubkey, typer.Argument(parser=a_guardian, metavar="WALLET", help=f"Who may pause as the guardian, or {NONE}.")
    ],
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Name the single validator, who may pause as the guardian may; or nobody."""
    with session(context, rpc, programs, dry_run=dry_run) as here:
        there = governance_of(here).single_validator
        _appoint(here, authority, there, who, instructions.set_single_validator)
        conclude(here, *_state(here), as_json=as_json)


@app.command()
def forget(
    context: typer.Context,
    program: Annotated[Pubkey, typer.Argument(parser=an_address, metavar="PROGRAM", help="A program's id.")],
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take a program out of governance's list; `push` writes it in again when it is one of ours."""
    with session(context, rpc, programs, dry_run=dry_run) as here:
        listed = governance_of(here).authorized_programs
        if program in listed:
            signer = load_wallet(authority.expanduser(), "the authority")
            step = instructions.remove_program(here.programs, signer.pubkey(), listed.index(program))
            attempt(lambda: here.chain.send([step], [signer]))
        conclude(here, *_state(here), as_json=as_json)


@app.command()
def push(
    context: typer.Context,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Have every program write down who decides now, and the parameters that it repeats.

    Anybody may, and pays the fee; only the first time for a program, the authority must, to write it into governance's
    list.
    """
    with session(context, rpc, programs, dry_run=dry_run) as here:
        listed = list(governance_of(here).authorized_programs)
        for mirror in _mirrors(here):
            if not mirror.follows:
                signer = load_wallet(authority.expanduser(), "the authority")
                steps = _push(here, listed, signer.pubkey(), mirror)
                attempt(lambda steps=steps, signer=signer: here.chain.send(steps, [signer]))  # type: ignore[misc]
        conclude(here, *_state(here), as_json=as_json)


def _appoint(
    here: Session,
    authority: Path,
    there: Pubkey,
    who: Pubkey,
    setting: Callable[[Programs, Pubkey, Pubkey], Instruction],
) -> None:
    if there != who:
        signer = load_wallet(authority.expanduser(), "the authority")
        attempt(lambda: here.chain.send([setting(here.programs, signer.pubkey(), who)], [signer]))


def _push(here: Session, listed: list[Pubkey], signer: Pubkey, mirror: Mirror) -> list[Instruction]:
    """The push, with the entry into the list before it where that is missing; `listed` follows."""
    steps: list[Instruction] = []
    if mirror.program not in listed:
        if NOBODY not in listed:
            raise NoSlot(f"governance's list of programs is full: there is no place for {mirror.name}")
        slot = listed.index(NOBODY)
        listed[slot] = mirror.program
        steps.append(instructions.add_program(here.programs, signer, mirror.program, slot))
    slot = listed.index(mirror.program)
    return [*steps, instructions.push_authority(here.programs, signer, mirror.program, mirror.config, slot)]


def _can_follow(here: Session, name: str) -> bool:
    """Oracles of earlier releases cannot be told; none of them checks what it repeats."""
    return any(each["name"] == "set_authority" for each in here.programs[name].raw["instructions"])


def _mirrors(here: Session) -> Iterator[Mirror]:
    """The configs that repeat who decides, in the order in which they are told."""
    ours, governance = here.programs, governance_of(here)
    decides = governance.engineering_authority
    registry = fetch(here.chain, ours, RegistryConfig, here.site.registry)
    token = fetch(here.chain, ours, TokenConfig, here.site.token_config)
    oracle = fetch(here.chain, ours, OracleConfig, here.site.oracle)
    if registry is None or token is None or oracle is None:
        raise NotFound(f"the site on {here.chain.name} is initialised in part only: run `meterbridge site init` again")
    most, cap = _parameter(governance, "MAX_METERS_PER_USER"), _parameter(governance, "MINT_CAP_MWH_PER_EPOCH")
    same = (registry.engineering_authority, registry.max_meters_per_user) == (decides, most)
    yield Mirror("registry", ours.id("registry"), here.site.registry, same)
    same = (token.mint_authority, token.mint_cap_per_epoch) == (decides, cap * ATOMS_PER_MWH)
    yield Mirror("energy_token", ours.id("energy_token"), pdas.token_config(ours), same)
    if _can_follow(here, "oracle"):
        yield Mirror("oracle", ours.id("oracle"), here.site.oracle, oracle.engineering_authority == decides)
    if "trading" not in ours:
        return
    idl = ours["trading"]
    for address, info in sorted(
        here.chain.program_accounts(idl.program_id, idl.discriminator("Market")).items(), key=lambda each: str(each[0])
    ):
        same = idl.decode_account("Market", info.data)["engineering_authority"] == decides
        yield Mirror("trading", idl.program_id, address, same)


def _parameter(governance: GovernanceConfig, name: str) -> int:
    return governance.system_parameters[BY_NAME[name].id]


def _state(here: Session) -> tuple[dict[str, Any], list[Row]]:
    found = governance_of(here)
    proposed = None if found.pending_authority == NOBODY else str(found.pending_authority)
    guarding = None if found.guardian == NOBODY else str(found.guardian)
    validating = None if found.single_validator == NOBODY else str(found.single_validator)
    mirrors = list(_mirrors(here))
    document = {
        "engineering_authority": str(found.engineering_authority),
        "proposed": proposed,
        "accept_from": found.pending_eta if proposed else None,
        "accept_until": found.pending_expires if proposed else None,
        "guardian": guarding,
        "single_validator": validating,
        "listed": [str(each) for each in found.authorized_programs if each != NOBODY],
        "mirrors": [{"program": each.name, "config": str(each.config), "follows": each.follows} for each in mirrors],
    }
    window = f", may accept from {time_of(found.pending_eta)} until {time_of(found.pending_expires)}"
    behind = [each.name for each in mirrors if not each.follows]
    rows = [
        ("authority", str(found.engineering_authority)),
        ("proposed", proposed + window if proposed else "nobody"),
        ("guardian", guarding or "none"),
        ("validator", validating or "none"),
        (
            "programs",
            f"{', '.join(behind)} not told yet: run `meterbridge site authority push`" if behind else "all told",
        ),
    ]
    return document, rows
