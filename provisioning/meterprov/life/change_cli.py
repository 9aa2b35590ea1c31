"""`meterbridge provision replace | re-provision | decommission`: changes that are walked in several runs."""

from pathlib import Path
from typing import Annotated

import typer

from meterchain.commands.meter_changes import digest_of
from meterchain.commands.meter_views import MeterId
from meterchain.commands.session import WALLET, AsJson, Authority, DryRun
from meterprov.image_cli import ManifestFile, OtherWheels, OwnWheel, Site, gathering
from meterprov.life.enrol_cli import (
    DirectionBy,
    DisplayAfter,
    DisplayExport,
    DisplayImport,
    NoSerial,
    Owner,
    SheetFile,
    lines_of,
    refuse,
    show,
)
from meterprov.life.judgement import Vouched, refusals
from meterprov.life.options import Office, Rpc, office

NodeStatusFile = Annotated[
    Path | None,
    typer.Option("--node-status", metavar="FILE", help="What `agent status --json` printed, the agent stopped."),
]
FinalFile = Annotated[
    Path | None,
    typer.Option("--final", metavar="FILE", help="What `meterbridge agent record` printed after `agent final`."),
]
ClaimOption = Annotated[
    Path | None, typer.Option("--claim", metavar="FILE", help="The claim of the new device, or of the new node.")
]
Gone = Annotated[
    bool, typer.Option("--force", help="The node is gone: what it has not delivered is lost, no final record comes.")
]


def replace(
    context: typer.Context,
    meter_id: MeterId,
    site: Site,
    node_status: NodeStatusFile = None,
    final: FinalFile = None,
    claim: ClaimOption = None,
    owner: Owner = None,
    direction_by: DirectionBy = None,
    sheet: SheetFile = None,
    display_export: DisplayExport = None,
    display_import: DisplayImport = None,
    display_after: DisplayAfter = 0.0,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A paper whose sha256 goes on the chain instead of the claim's.")
    ] = None,
    authority: Authority = WALLET,
    rpc: Rpc = None,
    manifest: ManifestFile = None,
    *,
    no_serial: NoSerial = False,
    gone: Gone = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Another device in a meter's place, step by step: run it again with each paper that it asks for.

    Delivered, maintenance, final record, replaced by the claim (judged as in `enrol`), active, first record.
    Exit codes: 0 done, 2 wrong paper or site file, 3 the chain cannot be reached, 4 refused, 75 a step waits.
    """
    from meterchain.claim import read_claim
    from meterchain.wallets import load_wallet
    from meteredge.clock import SystemClock
    from meterprov.life.ending import Papers
    from meterprov.life.papers import read_sheet
    from meterprov.life.replace import Change, Judged, replace_meter
    from meterprov.life.steps import Walk, conclude

    here = _office(site, manifest, meter_id)
    seen = None if sheet is None else read_sheet(sheet, meter_id)
    vouched = Vouched(owner, direction_by, seen, display_export, display_import, display_after * 60, no_serial)
    claimed = None if claim is None else read_claim(claim)
    _refuse_other(claimed.meter_id if claimed else meter_id, meter_id)
    paper = certificate or claim
    cert_hash = bytes(32) if paper is None else digest_of(paper)
    change = Change(meter_id, Papers(node_status, final, gone), claimed, vouched, cert_hash)
    signer, walk, judged = load_wallet(authority.expanduser(), "the authority"), Walk(rehearsal=dry_run), Judged()
    with here.chain(context, rpc, dry_run=dry_run) as there:
        replace_meter(walk, there, here, signer, change, int(SystemClock().utc()), judged)
        document = {"meter_id": meter_id, "checks": lines_of(judged.checks)}
        if judged.refused and claimed is not None:
            if not as_json:
                show(claimed, judged.checks)
            refuse(refusals(judged.checks), document, as_json=as_json)
        conclude(walk, there, document, as_json=as_json)


def decommission(
    context: typer.Context,
    meter_id: MeterId,
    site: Site,
    node_status: NodeStatusFile = None,
    final: FinalFile = None,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="ID", help="The meter's id again, instead of typing it."),
    ] = None,
    authority: Authority = WALLET,
    rpc: Rpc = None,
    manifest: ManifestFile = None,
    *,
    gone: Gone = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take a meter out of service for ever, step by step: run it again with each paper that it asks for.

    Delivered, maintenance, final record, paid out, decommissioned, unassigned, label void; asks for the meter's id.
    Exit codes: 0 done, 2 wrong paper or site file, 3 the chain cannot be reached, 4 refused, 75 a step waits.
    """
    from meterchain.wallets import load_wallet
    from meteredge.clock import SystemClock
    from meterprov.life.decommission import decommission_meter
    from meterprov.life.ending import Papers
    from meterprov.life.steps import StepRefused, Walk, conclude

    here = _office(site, manifest, meter_id)
    if not dry_run:
        typed = confirm or typer.prompt(f"{meter_id} is taken out of service for ever. The meter's id", err=True)
        if typed != meter_id:
            raise StepRefused(f"{typed!r} is not {meter_id}; nothing was done")
    signer, walk = load_wallet(authority.expanduser(), "the authority"), Walk(rehearsal=dry_run)
    with here.chain(context, rpc, dry_run=dry_run) as there:
        papers = Papers(node_status, final, gone)
        decommission_meter(walk, there, here, signer, meter_id, papers, int(SystemClock().utc()))
        after = f"on the node: meterbridge agent uninstall --purge --meter {meter_id}, which destroys key and journal"
        conclude(walk, there, {"meter_id": meter_id, "next_step": after}, as_json=as_json)
    if not dry_run and not as_json:
        typer.echo(f"next: {after}", err=True)


def re_provision(
    context: typer.Context,
    meter_id: MeterId,
    site: Site,
    base: Annotated[
        Path | None, typer.Option("--base", metavar="BASE", help="Raspberry Pi OS Lite (64-bit): makes the new image.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="IMAGE", help="Where the new image goes.")
    ] = None,
    claim: ClaimOption = None,
    wheel: OwnWheel = None,
    wheels: OtherWheels = None,
    authority: Authority = WALLET,
    rpc: Rpc = None,
    manifest: ManifestFile = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """A new card for the same meter, with a key of its own: a broken or stolen card, a new board, another system.

    Image (--base, -o), card (`provision flash`), new key (--claim, from the card), old key retired, first record.
    Exit codes: 0 done, 2 wrong paper or site file, 3 the chain cannot be reached, 4 refused, 75 a step waits.
    """
    from meterchain.claim import read_claim
    from meterchain.commands.meter_views import meter_of
    from meterchain.wallets import load_wallet
    from meteredge.clock import SystemClock
    from meterprov import manifest as facts
    from meterprov.extra import need_extra

    need_extra()
    from meterprov.life.reprovision import lives_of, order_of, renew_node
    from meterprov.life.steps import Walk, conclude

    here, clock = _office(site, manifest, meter_id), SystemClock()
    claimed = None if claim is None else read_claim(claim)
    if (base is None) != (output is None):
        raise typer.BadParameter("--base and --output belong together: from what, and where to")
    signer, walk = load_wallet(authority.expanduser(), "the authority"), Walk(rehearsal=dry_run)
    with here.chain(context, rpc, dry_run=dry_run) as there:
        if base is not None and output is not None and not dry_run and lives_of(here, meter_id).made is None:
            from meterprov.image import make_image
            from meterprov.progress import Terminal

            tell = Terminal()
            order = order_of(here, meter_of(there, meter_id), base, output)
            with gathering(wheel, wheels, tell) as gather:
                facts.append(here.manifest, make_image(order, gather, tell, clock))
        renew_node(walk, there, here, signer, meter_id, claimed, int(clock.utc()))
        conclude(walk, there, {"meter_id": meter_id}, as_json=as_json)


def _office(site: Path, manifest: Path | None, meter_id: str) -> Office:
    """Raises NoSuchMeter, SiteFileError."""
    here = office(site, manifest)
    here.site.meter(meter_id)
    return here


def _refuse_other(claimed: str, meter_id: str) -> None:
    from meterprov.life.steps import StepRefused

    if claimed != meter_id:
        raise StepRefused(f"the claim is of {claimed}, not of {meter_id}: take the right node's")
