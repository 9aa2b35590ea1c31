"""`meterbridge meter`: a meter's place on the chain: whose it is, which key signs for it, what it has counted."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions
from meterchain import site as steps
from meterchain.accounts import Meter, MeterKind, MeterState, MeterStatus, fetch_all, fetch_many
from meterchain.claim import Claim, ClaimError, read_claim
from meterchain.commands import meter_changes, meter_freeze, meter_key_level, meter_limits, meter_owner
from meterchain.commands.claimed import refuse_other_site
from meterchain.commands.meter_views import MeterId, a_meter_id, document_of, line_of, meter_of, shown
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
    conclude,
    present,
    say,
    session,
    show_table,
)
from meterchain.commands.site_rules import time_of
from meterchain.instructions import MeterAssignment
from meterchain.saved_account import save_account
from meterchain.units import Mwh
from meterchain.wallets import load_wallet

FIRST_INSTALL = 1

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Meters: assign, look up, change, take out of service."
)

Kind = Literal["bidirectional", "generation-only", "consumption-only"]
State = Literal["active", "maintenance", "decommissioned", "compromised"]


@app.command()
def assign(
    context: typer.Context,
    claim_file: Annotated[Path, typer.Argument(metavar="CLAIM", help="What `meterbridge agent claim` printed.")],
    max_export_w: Annotated[
        int, typer.Option(min=0, max=meter_limits.MOST_W, help="Rated power fed in; 0 if none is.")
    ],
    max_import_w: Annotated[int, typer.Option(min=0, max=meter_limits.MOST_W, help="Rated power taken; the fuse's.")],
    kind: Annotated[Kind, typer.Option(help="Which directions count.")] = "bidirectional",
    building: Annotated[str, typer.Option(help="Public, for ever; at most 32 bytes.")] = "",
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A paper whose sha256 goes on the chain instead of the claim's.")
    ] = None,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Assign a meter to its owner, by the claim that its node made, and open its account at the oracle.

    The claim proves that the node holds the key; the key itself never leaves the node.
    Exit codes: 0 assigned, 2 no claim, 3 the chain cannot be reached, 4 refused (proof, owner, serial, another key).
    """
    signer, claim = load_wallet(authority.expanduser(), "the authority"), read_claim(claim_file)
    wanted = wanted_by(claim, kind, max_export_w, max_import_w, building, certificate or claim_file)
    with session(context, rpc, programs, dry_run=dry_run) as here:
        assign_claimed(here, signer, claim, wanted)
        conclude(here, *shown(here, claim.meter_id), as_json=as_json)


@app.command()
def status(
    context: typer.Context,
    meter_id: MeterId,
    state: Annotated[State | None, typer.Argument(help="The new status; without one, it is shown.")] = None,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show or set a meter's status.  Its owner's wallet (as --authority) may take it from active to maintenance.

    Decommissioned is for ever.
    """
    with session(context, rpc, programs, dry_run=dry_run) as here:
        meter = meter_of(here, meter_id)
        wanted = MeterStatus[state.upper()] if state else meter.status
        if wanted != meter.status:
            signer = load_wallet(authority.expanduser(), "the authority")
            step = instructions.set_meter_status(here.programs, signer.pubkey(), meter_id, wanted)
            attempt(lambda: here.chain.send([step], [signer]))
        now = meter_of(here, meter_id)
        document = {"meter_id": meter_id, "status": now.status.name.lower(), "since": now.status_changed_at}
        rows = [("status", f"{now.status.name.lower()} since {time_of(now.status_changed_at)}")]
        if state is None:
            present(document, rows, as_json=as_json)
        else:
            conclude(here, document, rows, as_json=as_json)


app.command()(meter_limits.limits)
app.command(name="key-level")(meter_key_level.key_level)
app.command(name="rotate-key")(meter_changes.rotate_key)
app.command()(meter_changes.replace)
app.command()(meter_changes.rebase)
app.command()(meter_owner.reassign)
app.command()(meter_owner.unassign)
app.command()(meter_freeze.equivocation)
app.command(name="clear-freeze")(meter_freeze.clear_freeze)


@app.command()
def show(
    context: typer.Context,
    meter_id: Annotated[
        str | None, typer.Argument(parser=a_meter_id, metavar="[METER_ID]", help="One meter; without it, all.")
    ] = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also save the registry's account, for `meterbridge verify`.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """A meter with its registers and what became of them; or the list of all."""
    if save and meter_id is None:
        raise typer.BadParameter("--save needs the METER_ID whose account is saved")
    with session(context, rpc, programs) as here:
        if meter_id is not None:
            meter_of(here, meter_id)
            document, rows = shown(here, meter_id)
            if save:
                (info,) = here.chain.accounts([here.site.meter(meter_id)])
                if info is not None:
                    save_account(save, info)
                    say(f"saved the registry's account of {meter_id} to {save}")
            present(document, rows, as_json=as_json)
            return
        meters = sorted(fetch_all(here.chain, here.programs, Meter).values(), key=lambda meter: meter.meter_id)
        states = fetch_many(
            here.chain, here.programs, MeterState, [here.site.meter_state(meter.meter_id) for meter in meters]
        )
        documents = [document_of(meter, state) for meter, state in zip(meters, states, strict=True)]
        if as_json:
            present({"meters": documents}, [], as_json=True)
            return
    head = ("meter", "status", "model", "owner", "records", "export kWh", "import kWh", "minted kWh")
    show_table(head, [line_of(document) for document in documents])


def wanted_by(
    claim: Claim, kind: Kind, max_export_w: int, max_import_w: int, building: str, paper: Path
) -> MeterAssignment:
    """What the registry is to write down for a claim.

    `paper` is the file whose sha256 it keeps: the claim itself where there is no other certificate.  Raises
    typer.BadParameter if it cannot be read.
    """
    return MeterAssignment(
        meter_id=claim.meter_id,
        owner=Pubkey.from_string(claim.owner),
        kind=MeterKind[kind.replace("-", "_").upper()],
        max_export_w=max_export_w,
        max_import_w=max_import_w,
        resolution_mwh=claim.resolution_mwh,
        baseline_export_mwh=Mwh(claim.baseline_export_mwh),
        baseline_import_mwh=Mwh(claim.baseline_import_mwh),
        serial=claim.serial,
        model=claim.model,
        building=building,
        register_modulus_mwh=Mwh(claim.register_modulus_mwh),
        cert_hash=meter_changes.digest_of(paper),
    )


def assign_claimed(here: Session, signer: Keypair, claim: Claim, wanted: MeterAssignment) -> None:
    """Assign the meter and open its account at the oracle; what is there already stays, and is told where it differs.

    Raises ClaimError for another site or install, SiteError, and what Chain.send raises.
    """
    site, chain = here.site, here.chain
    refuse_other_site(claim, site.domain)
    if claim.install_id != FIRST_INSTALL:
        raise ClaimError(
            f"the claim is for install {claim.install_id} of {claim.meter_id}; a meter is assigned with install 1"
        )
    there = attempt(lambda: steps.assign_meter(chain, site, signer, wanted, claim.signed, claim.key_level))
    if there is not None:
        _tell_what_differs(there, wanted)
    attempt(lambda: steps.open_meter(chain, site, signer, claim.meter_id))


def _tell_what_differs(there: Meter, wanted: MeterAssignment) -> None:
    """What stands on the chain stays; say where it is not what was asked for."""
    names = ("kind", "max_export_w", "max_import_w", "resolution_mwh", "serial", "model", "building")
    for name in names:
        found, asked = getattr(there, name), getattr(wanted, name)
        if found != asked:
            say(f"{there.meter_id} was assigned with {name} {found!r}, not {asked!r}; that stays as it is")
