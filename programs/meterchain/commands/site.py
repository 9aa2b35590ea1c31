"""`meterbridge site`: one deployment, from a wallet to a running site."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from solders.pubkey import Pubkey

from meterchain import deploy as loader
from meterchain import pdas
from meterchain import site as steps
from meterchain.accounts import GovernanceConfig, OracleConfig, RegistryConfig, TokenConfig, fetch
from meterchain.commands import site_authority, site_oracle, site_programs, site_rules
from meterchain.commands.costs import in_grid
from meterchain.commands.recorded import attempt
from meterchain.commands.session import (
    LOCAL,
    WALLET,
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
    say,
    session,
)
from meterchain.commands.site_rules import paused_words, time_of
from meterchain.site import SiteError, SiteSettings
from meterchain.tokens import read_mint
from meterchain.wallets import create_wallet, load_wallet

NOBODY = Pubkey.default()

app = typer.Typer(no_args_is_help=True, add_completion=False, help="One site: its programs, its rules, its state.")
app.command()(site_programs.deploy)


@app.command()
def init(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", help="The site's name; goes into every record, for ever.")],
    authority: Authority = WALLET,
    campus_network: Annotated[str, typer.Option(help="Public; at most 32 bytes.")] = "campus",
    building: Annotated[str, typer.Option(help="Public; at most 64 bytes.")] = "",
    ami_endpoint: Annotated[str, typer.Option(help="Public; at most 64 bytes.")] = "",
    guardian: Annotated[Pubkey | None, typer.Option(parser=an_address, metavar="WALLET", help="May pause.")] = None,
    single_validator: Annotated[
        Pubkey | None, typer.Option(parser=an_address, metavar="WALLET", help="May pause.")
    ] = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Initialise governance, registry, GRID's mint and the oracle; the authority becomes the department.

    Prints the domain, which every node's configuration names.  Run again it does what is missing.
    Exit codes: 0 initialised, 3 the chain cannot be reached, 4 refused (another site, not the upgrade authority).
    """
    signer = load_wallet(authority.expanduser(), "the authority")
    settings = SiteSettings(
        name, campus_network, building, ami_endpoint, guardian or NOBODY, single_validator or NOBODY
    )
    with session(context, rpc, programs, dry_run=dry_run) as here:
        chain, ours = here.chain, here.programs
        _refuse_undeployed(here)
        governance = attempt(lambda: steps.initialise_governance(chain, ours, settings, signer))
        attempt(lambda: steps.initialise_registry(chain, ours, settings, signer))
        attempt(lambda: steps.initialise_token(chain, ours, signer))
        attempt(lambda: steps.initialise_oracle(chain, ours, settings, signer))
        if governance:
            _tell_what_differs(governance, settings)
        domain = steps.domain_of(chain.genesis_hash(), ours.id("oracle"), name)
        who = governance.engineering_authority if governance else signer.pubkey()
        document = {"name": name, "domain": domain.hex(), "engineering_authority": str(who)}
        rows = [
            ("site", name),
            ("domain", f"{domain.hex()}  (for [site] domain of every node)"),
            ("authority", str(who)),
        ]
        conclude(here, document, rows, as_json=as_json)


@app.command()
def status(context: typer.Context, rpc: Rpc = LOCAL, programs: ProgramsDir = None, *, as_json: AsJson = False) -> None:
    """What the chain says of the site: authority, pause, users, meters, GRID."""
    with session(context, rpc, programs) as here:
        document = _state(here)
        present(document, _rows(document), as_json=as_json)


app.command()(site_programs.verify)
app.command()(site_rules.pause)
app.command()(site_rules.unpause)
app.command()(site_rules.params)
app.command()(site_oracle.relayers)
app.command()(site_oracle.records)
app.command()(site_oracle.clearing)
app.command()(site_oracle.endpoint)
app.command()(site_oracle.billing)
app.command()(site_oracle.supply)
app.add_typer(site_authority.app, name="authority")


@app.command()
def wallet(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where it goes, mode 0600; nothing is overwritten.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Make a new wallet and print its address; keep the file secret, and a copy of it safe."""
    address = str(create_wallet(file.expanduser()).pubkey())
    typer.echo(json.dumps({"schema": 1, "address": address}) if as_json else address)


def _refuse_undeployed(here: Session) -> None:
    missing = [name for name in here.programs if loader.look(here.chain, here.programs.id(name)) is None]
    if missing:
        raise SiteError(f"{', '.join(missing)} not deployed on {here.chain.name}: run `meterbridge site deploy` first")


def _tell_what_differs(found: GovernanceConfig, asked: SiteSettings) -> None:
    pairs = {
        "guardian": (found.guardian, asked.guardian),
        "single validator": (found.single_validator, asked.single_validator),
        "campus network": (found.campus_network, asked.campus_network),
    }
    for what, (there, wanted) in pairs.items():
        if there != wanted and wanted != NOBODY:
            say(f"the site was initialised with {what} {there}; it stays, initialising does not change it")


def _state(here: Session) -> dict[str, Any]:
    chain, ours, site = here.chain, here.programs, here.site
    governance = fetch(chain, ours, GovernanceConfig, site.governance)
    registry = fetch(chain, ours, RegistryConfig, site.registry)
    oracle = fetch(chain, ours, OracleConfig, site.oracle)
    token = fetch(chain, ours, TokenConfig, site.token_config)
    (mint,) = chain.accounts([pdas.grid_mint(ours)])
    if governance is None or registry is None or oracle is None or token is None or mint is None:
        raise NotFound(f"the site on {chain.name} is initialised in part only: run `meterbridge site init` again")
    clock = chain.clock()
    mask = governance.effective_pause(clock.unix_s)
    return {
        "chain": chain.name,
        "chain_time": clock.unix_s,
        "chain_slot": clock.slot,
        "domain": registry.domain.hex(),
        "programs": {name: str(ours.id(name)) for name in ours},
        "engineering_authority": str(governance.engineering_authority),
        "guardian": _or_none(governance.guardian),
        "single_validator": _or_none(governance.single_validator),
        "paused": paused_words(mask),
        "paused_until": governance.pause_expires_at or None if mask else None,
        "oracle_active": oracle.active,
        "users": registry.user_count,
        "meters": registry.meter_count,
        "active_meters": registry.active_meter_count,
        "grid_mint": str(mint.address),
        "supply_atoms": read_mint(mint).supply,
        "minted_atoms": token.total_minted,
        "burned_atoms": token.total_burned_consumption + token.total_burned_voluntary,
    }


def _rows(state: dict[str, Any]) -> list[Row]:
    paused = ", ".join(state["paused"]) or "nothing"
    until = f", until {time_of(state['paused_until'])}" if state["paused_until"] else ""
    grid = {name: in_grid(state[f"{name}_atoms"]) for name in ("supply", "minted", "burned")}
    return [
        ("chain", f"{state['chain']}, slot {state['chain_slot']:,}, {time_of(state['chain_time'])}"),
        ("domain", state["domain"]),
        ("authority", state["engineering_authority"]),
        ("guardian", state["guardian"] or "none"),
        ("validator", state["single_validator"] or "none"),
        ("paused", paused + until),
        ("oracle", "takes records" if state["oracle_active"] else "takes no records"),
        ("users", f"{state['users']:,}"),
        ("meters", f"{state['meters']:,}, {state['active_meters']:,} active"),
        ("GRID", f"{grid['supply']} in circulation, {grid['minted']} minted, {grid['burned']} burned"),
        ("mint", state["grid_mint"]),
        *((name, address) for name, address in state["programs"].items()),
    ]


def _or_none(key: Pubkey) -> str | None:
    return None if key == NOBODY else str(key)
