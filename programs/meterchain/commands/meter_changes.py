"""`meter rotate-key`, `meter replace`, `meter rebase`: another node, another device, another beginning.

All three go by a claim that the node made (`meterbridge agent claim --install N`): the new key's proof, the device and
its registers come from there, never from a keyboard.  The install in the claim makes them safe to run again.
"""

import hashlib
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from meterchain import instructions
from meterchain.accounts import MeterState, MeterStatus, fetch
from meterchain.claim import read_claim
from meterchain.commands.claimed import (
    NotNow,
    Wanted,
    meter_of_claim,
    refuse_other_device,
    refuse_other_install,
    replace_claimed,
    rotate_claimed,
)
from meterchain.commands.meter_limits import ExportW, ImportW
from meterchain.commands.meter_views import shown
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
    conclude,
    say,
    session,
)
from meterchain.units import MWH_PER_KWH, Mwh
from meterchain.wallets import load_wallet

_U64 = 2**64


def a_register(text: str) -> Mwh:
    """A register as the display shows it, kWh, in exact mWh.  Raises typer.BadParameter."""
    try:
        mwh = Decimal(text) * MWH_PER_KWH
        if mwh.is_finite() and mwh == int(mwh) and 0 <= mwh < _U64:
            return Mwh(int(mwh))
    except InvalidOperation:
        pass
    raise typer.BadParameter(f"{text!r}: write the register in kWh, 0 or more, to the mWh (877.509)")


ClaimFile = Annotated[Path, typer.Argument(metavar="CLAIM", help="What `meterbridge agent claim --install N` printed.")]
NodeStatusFile = Annotated[
    Path | None, typer.Option("--node-status", metavar="FILE", help="What `meterbridge agent status --json` printed.")
]
Force = Annotated[bool, typer.Option("--force", help="The node is gone: what it has not delivered is lost.")]
Register = Annotated[
    int | None, typer.Option(parser=a_register, metavar="KWH", help="The old register; by default the last signed.")
]


def rotate_key(
    context: typer.Context,
    claim_file: ClaimFile,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give a meter another key: another node reads the same device.  Install and registers go on.

    The claim is made with the new key and the meter's present install.  The old key is retired for ever; what it signed
    and did not deliver is refused, its energy comes with the next record.
    Exit codes: 0 rotated, 2 no claim for it, 3 the chain cannot be reached, 4 refused (device, used key, status).
    """
    signer, claim = load_wallet(authority.expanduser(), "the authority"), read_claim(claim_file)
    with session(context, rpc, programs, dry_run=dry_run) as here:
        rotate_claimed(here, signer, claim)
        conclude(here, *shown(here, claim.meter_id), as_json=as_json)


def replace(
    context: typer.Context,
    claim_file: ClaimFile,
    node_status: NodeStatusFile = None,
    final_export: Register = None,
    final_import: Register = None,
    max_export_w: ExportW = None,
    max_import_w: ImportW = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A paper whose sha256 goes on the chain instead of the claim's.")
    ] = None,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put another device in a meter's place; the meter is in maintenance, or compromised, and active afterwards.

    The claim is made at the new device, with a new key, for the next install.  Step and modulus of its registers come
    from the claim, in the same transaction.  After compromised, what was not minted is forfeited.
    Exit codes: 0 replaced, 2 no claim for it, 3 the chain cannot be reached, 4 refused (undelivered records, status).
    """
    _refuse_both(node_status, force=force)
    signer, claim = load_wallet(authority.expanduser(), "the authority"), read_claim(claim_file)
    said = read_node_status(node_status, claim.meter_id) if node_status else None
    with session(context, rpc, programs, dry_run=dry_run) as here:
        wanted = Wanted(final_export, final_import, max_export_w, max_import_w, digest_of(certificate or claim_file))
        replace_claimed(
            here, signer, claim, wanted, lambda meter, state: refuse_undelivered(said, meter, state, force=force)
        )
        conclude(here, *shown(here, claim.meter_id), as_json=as_json)


def rebase(
    context: typer.Context,
    claim_file: ClaimFile,
    node_status: NodeStatusFile = None,
    reason: Annotated[int, typer.Option(min=0, max=65_535, help="A number for the event, 0 to 65,535.")] = 0,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let the same device and key count from the claim's registers, as after a reset; it stays in maintenance.

    The claim is made with the meter's present key, for the next install.
    Exit codes: 0 rebased, 2 no claim for it, 3 the chain cannot be reached, 4 refused (undelivered records, status).
    """
    _refuse_both(node_status, force=force)
    signer, claim = load_wallet(authority.expanduser(), "the authority"), read_claim(claim_file)
    said = read_node_status(node_status, claim.meter_id) if node_status else None
    with session(context, rpc, programs, dry_run=dry_run) as here:
        meter = meter_of_claim(here, claim)
        baselines = (Mwh(claim.baseline_export_mwh), Mwh(claim.baseline_import_mwh))
        refuse_other_device(claim, meter)
        if str(meter.meter_key) != claim.public_key:
            raise NotNow(
                f"the claim is of another key than {meter.meter_id} has: a rebase keeps the key; "
                "`meterbridge meter rotate-key` or `meterbridge meter replace` changes it"
            )
        there = (meter.baseline_export_mwh, meter.baseline_import_mwh)
        if (meter.install_id, there) != (claim.install_id, baselines):
            refuse_other_install(claim, meter.install_id + 1)
            if meter.status is not MeterStatus.MAINTENANCE:
                raise NotNow(
                    f"{meter.meter_id} is {meter.status.name.lower()}: a rebase needs `meterbridge meter status "
                    f"{meter.meter_id} maintenance` first"
                )
            state = fetch(here.chain, here.programs, MeterState, here.site.meter_state(meter.meter_id))
            refuse_undelivered(said, meter, state, force=force)
            step = instructions.rebase_meter(here.programs, signer.pubkey(), meter.meter_id, *baselines, reason)
            attempt(lambda: here.chain.send([step], [signer]))
            say(f"{meter.meter_id} stays in maintenance until `meterbridge meter status {meter.meter_id} active`")
        conclude(here, *shown(here, claim.meter_id), as_json=as_json)


def digest_of(paper: Path) -> bytes:
    """sha256 of a file.  Raises typer.BadParameter."""
    try:
        return hashlib.sha256(paper.read_bytes()).digest()
    except OSError as error:
        raise typer.BadParameter(f"{paper}: {error.strerror}") from None


def _refuse_both(node_status: Path | None, *, force: bool) -> None:
    if node_status and force:
        raise typer.BadParameter("--force is for a node that is gone; with --node-status leave it away")
