"""`site pause`, `site unpause`, `site params`: what the site allows, and within which numbers."""

import difflib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from meterchain import instructions
from meterchain.accounts import GovernanceConfig, fetch
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
    show_table,
)
from meterchain.parameters import AT_ONCE, BY_NAME, PARAMETERS, Parameter
from meterchain.wallets import load_wallet

PAUSE_BITS = {"registry-write": 1, "oracle-submit": 2, "mint": 4, "burn": 8, "order-entry": 16, "clearing": 32}
ALL = "all"

What = Annotated[list[str], typer.Argument(metavar="WHAT…", help=f"{', '.join(PAUSE_BITS)}, or {ALL}.")]
Brake = Annotated[
    Path, typer.Option("--authority", metavar="FILE", help="Wallet of the authority, the guardian or the validator.")
]


def pause(
    context: typer.Context,
    what: What,
    authority: Brake = WALLET,
    reason: Annotated[int, typer.Option(min=0, max=65_535, help="A number for the event, 0 to 65,535.")] = 0,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    extend: Annotated[bool, typer.Option("--extend", help="Send it even if all is paused: a later end.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Stop entries; exits (burn, withdraw, cancel) always work.  A pause ends by itself after PAUSE_MAX_SECS."""
    mask, signer = mask_of(what), load_wallet(authority.expanduser(), "the authority")
    with session(context, rpc, programs, dry_run=dry_run) as here:
        if extend or mask & ~in_force(here):
            wanted = instructions.emergency_pause(here.programs, signer.pubkey(), mask, reason)
            attempt(lambda: here.chain.send([wanted], [signer]))
        _show_pause(here, as_json=as_json)


def unpause(
    context: typer.Context,
    what: What,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let entries go on; only the engineering authority may."""
    mask, signer = mask_of(what), load_wallet(authority.expanduser(), "the authority")
    with session(context, rpc, programs, dry_run=dry_run) as here:
        if mask & in_force(here):
            wanted = instructions.emergency_unpause(here.programs, signer.pubkey(), mask)
            attempt(lambda: here.chain.send([wanted], [signer]))
        _show_pause(here, as_json=as_json)


def params(
    context: typer.Context,
    changes: Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE…]", help="What to change.")] = None,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show the parameters, or change some; the bounds are code, no authority can leave them."""
    wanted = dict(_change(text) for text in changes or [])
    with session(context, rpc, programs, dry_run=dry_run) as here:
        values = governance_of(here).system_parameters
        if differing := {each.id: value for each, value in wanted.items() if values[each.id] != value}:
            signer = load_wallet(authority.expanduser(), "the authority")
            for start in range(0, len(differing), AT_ONCE):
                some = dict(list(differing.items())[start : start + AT_ONCE])
                step = instructions.update_parameters(here.programs, signer.pubkey(), some)
                attempt(lambda step=step: here.chain.send([step], [signer]))  # type: ignore[misc]
        after = governance_of(here).system_parameters
        if as_json or wanted:
            rows = [(each.name, f"{values[each.id]:,} → {value:,} {each.unit}") for each, value in wanted.items()]
            conclude(here, {"parameters": {each.name: after[each.id] for each in PARAMETERS}}, rows, as_json=as_json)
            return
    head = ("id", "parameter", "value", "default", "bounds", "unit")
    show_table(head, [_row(each, after) for each in PARAMETERS])


def governance_of(here: Session) -> GovernanceConfig:
    """GovernanceConfig of the site.  Raises SiteError and NotFound."""
    found = fetch(here.chain, here.programs, GovernanceConfig, here.site.governance)
    if found is None:
        raise NotFound(f"GovernanceConfig vanished from {here.chain.name}: try another RPC")
    return found


def in_force(here: Session) -> int:
    """The bits that are paused now, by the chain's clock."""
    return governance_of(here).effective_pause(here.chain.clock().unix_s)


def paused_words(mask: int) -> list[str]:
    """The names of the bits in `mask`."""
    return [name for name, bit in PAUSE_BITS.items() if mask & bit]


def mask_of(words: Sequence[str]) -> int:
    """The bits that `words` name.  Raises typer.BadParameter."""
    mask = 0
    for word in words:
        if word == ALL:
            return sum(PAUSE_BITS.values())
        if word not in PAUSE_BITS:
            raise typer.BadParameter(f"{word!r} cannot be paused; write {', '.join(PAUSE_BITS)}, or {ALL}")
        mask |= PAUSE_BITS[word]
    return mask


def time_of(unix_s: int) -> str:
    """UTC for people."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _show_pause(here: Session, *, as_json: bool) -> None:
    governance = governance_of(here)
    mask = governance.effective_pause(here.chain.clock().unix_s)
    ends = governance.pause_expires_at if mask else 0
    document = {"paused": paused_words(mask), "until": ends or None}
    until = f", until {time_of(ends)}" if ends else ""
    conclude(
        here, document, [("paused", ", ".join(paused_words(mask)) + until if mask else "nothing")], as_json=as_json
    )


def _change(text: str) -> tuple[Parameter, int]:
    name, equals, number = text.partition("=")
    known = BY_NAME.get(name.strip().upper())
    if known is None:
        near = difflib.get_close_matches(name.upper(), BY_NAME, n=1, cutoff=0.4)
        raise typer.BadParameter(f"no parameter {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
    try:
        value = int(number.replace(",", "").replace("_", ""))
    except ValueError:
        value = -1
    if not equals or not known.accepts(value):
        raise typer.BadParameter(f"write {known.name}=NUMBER with a number in {known.bounds} ({known.unit})")
    return known, value


def _row(each: Parameter, values: Sequence[int]) -> tuple[str, ...]:
    numbers = (f"{values[each.id]:,}", f"{each.default:,}")
    return (str(each.id), each.name, *numbers, each.bounds, each.unit)
