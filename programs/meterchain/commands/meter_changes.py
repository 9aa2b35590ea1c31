"""`meter rotate-key`, `meter replace`, `meter rebase`: another node, another device, another beginning.

All three go by a claim that the node made (`meterbridge agent claim --install N`): the new key's proof, the device and
its registers come from there, never from a keyboard.  The install in the claim makes them safe to run again.
"""

import hashlib
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from meterchain import instructions, pdas
from meterchain.accounts import KeyIndex, Meter, MeterState, MeterStatus, fetch
from meterchain.claim import Claim, ClaimError, read_claim
from meterchain.commands.meter_limits import ExportW, ImportW, MeterLimits, changed, limits_of
from meterchain.commands.meter_views import meter_of, shown
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
    conclude,
    say,
    session,
)
from meterchain.instructions import MeterReplacement
from meterchain.site import SiteError
from meterchain.units import MWH_PER_KWH, InstallId, Mwh
from meterchain.wallets import load_wallet

_U64 = 2**64


class NotNow(SiteError):
    """The meter is not in the state, or not the device, that this change needs."""


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
        meter, new_key = _meter_of_claim(here, claim), Pubkey.from_string(claim.public_key)
        _refuse_other_install(claim, meter.install_id)
        _refuse_other_device(claim, meter)
        if meter.meter_key != new_key:
            _refuse_used_key(here, new_key)
            steps = instructions.rotate_meter_key(
                here.programs,
                signer.pubkey(),
                here.site.domain,
                claim.meter_id,
                meter.owner,
                meter.install_id,
                old_key=meter.meter_key,
                possession=claim.signed,
            )
            attempt(lambda: here.chain.send(steps, [signer]))
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
        Path | None, typer.Option(metavar="FILE", help="The new meter's certificate: its sha256 goes on the chain.")
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
    said = read_node_status(node_status) if node_status else None
    with session(context, rpc, programs, dry_run=dry_run) as here:
        meter, new_key = _meter_of_claim(here, claim), Pubkey.from_string(claim.public_key)
        limits = changed(limits_of(meter), max_export_w, max_import_w, claim.resolution_mwh, claim.register_modulus_mwh)
        if (meter.meter_key, meter.install_id) == (new_key, claim.install_id):
            _tell_what_differs(meter, limits)
        else:
            _refuse_other_install(claim, meter.install_id + 1)
            if meter.status not in {MeterStatus.MAINTENANCE, MeterStatus.COMPROMISED}:
                raise NotNow(
                    f"{meter.meter_id} is {meter.status.name.lower()}: let its node deliver all, then run "
                    f"`meterbridge meter status {meter.meter_id} maintenance`"
                )
            state = fetch(here.chain, here.programs, MeterState, here.site.meter_state(meter.meter_id))
            refuse_undelivered(said, meter, state, force=force)
            _refuse_used_key(here, new_key)
            if meter.status is MeterStatus.COMPROMISED:
                say(f"{meter.meter_id} is compromised: what was credited and not minted is forfeited")
            last = (state.export_reg_mwh, state.import_reg_mwh) if state else (Mwh(0), Mwh(0))
            replacement = MeterReplacement(
                serial=claim.serial,
                model=claim.model,
                final_export_mwh=last[0] if final_export is None else Mwh(final_export),
                final_import_mwh=last[1] if final_import is None else Mwh(final_import),
                baseline_export_mwh=Mwh(claim.baseline_export_mwh),
                baseline_import_mwh=Mwh(claim.baseline_import_mwh),
                cert_hash=digest_of(certificate),
            )
            replacing = instructions.replace_meter(
                here.programs,
                signer.pubkey(),
                here.site.domain,
                claim.meter_id,
                meter.owner,
                InstallId(claim.install_id),
                old_key=meter.meter_key,
                replacement=replacement,
                possession=claim.signed,
            )
            steps = _with_limits(here, signer.pubkey(), meter, claim, limits, replacing)
            attempt(lambda: here.chain.send(steps, [signer]))
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
    said = read_node_status(node_status) if node_status else None
    with session(context, rpc, programs, dry_run=dry_run) as here:
        meter = _meter_of_claim(here, claim)
        baselines = (Mwh(claim.baseline_export_mwh), Mwh(claim.baseline_import_mwh))
        _refuse_other_device(claim, meter)
        if str(meter.meter_key) != claim.public_key:
            raise NotNow(
                f"the claim is of another key than {meter.meter_id} has: a rebase keeps the key; "
                "`meterbridge meter rotate-key` or `meterbridge meter replace` changes it"
            )
        there = (meter.baseline_export_mwh, meter.baseline_import_mwh)
        if (meter.install_id, there) != (claim.install_id, baselines):
            _refuse_other_install(claim, meter.install_id + 1)
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


def refuse_other_site(claim: Claim, domain: bytes) -> None:
    """Raises ClaimError unless the claim is for this site."""
    if claim.domain != domain.hex():
        raise ClaimError(
            f"the claim is for the site {claim.domain}, this chain holds {domain.hex()}: check --rpc here, and [site] "
            "domain on the node"
        )


def digest_of(certificate: Path | None) -> bytes:
    """sha256 of the certificate, zeros if there is none.  Raises typer.BadParameter."""
    if certificate is None:
        return bytes(32)
    try:
        return hashlib.sha256(certificate.read_bytes()).digest()
    except OSError as error:
        raise typer.BadParameter(f"--certificate {certificate}: {error.strerror}") from None


def _refuse_both(node_status: Path | None, *, force: bool) -> None:
    if node_status and force:
        raise typer.BadParameter("--force is for a node that is gone; with --node-status leave it away")


def _meter_of_claim(here: Session, claim: Claim) -> Meter:
    refuse_other_site(claim, here.site.domain)
    meter = meter_of(here, claim.meter_id)
    if str(meter.owner) != claim.owner:
        raise ClaimError(
            f"the claim is for the owner {claim.owner}, {claim.meter_id} is {meter.owner}'s: make it again with "
            f"`meterbridge agent claim --owner {meter.owner}`"
        )
    return meter


def _refuse_other_install(claim: Claim, install: int) -> None:
    if claim.install_id != install:
        raise ClaimError(
            f"the claim is for install {claim.install_id} of {claim.meter_id}, this needs {install}: make it again "
            f"with `meterbridge agent claim --install {install}`"
        )


def _refuse_other_device(claim: Claim, meter: Meter) -> None:
    if (claim.model, claim.serial) != (meter.model, meter.serial):
        raise NotNow(
            f"the claim is of {claim.model} serial {claim.serial}, {meter.meter_id} is {meter.model} serial "
            f"{meter.serial}: another device comes by `meterbridge meter replace`"
        )


def _refuse_used_key(here: Session, key: Pubkey) -> None:
    if fetch(here.chain, here.programs, KeyIndex, pdas.key_index(here.programs, key)):
        raise NotNow(
            f"{key} is a meter's key already, or was: name a new file in [key] of the node's configuration and run "
            "`meterbridge agent claim --new-key` there"
        )


def _with_limits(
    here: Session, authority: Pubkey, meter: Meter, claim: Claim, limits: MeterLimits, replacing: list[Instruction]
) -> list[Instruction]:
    """The new limits where both baselines fit: after the replacement, or before it if the old modulus is too small."""
    if limits == limits_of(meter):
        return replacing
    setting = limits.setting(here.programs, authority, meter.meter_id)
    modulus, highest = meter.register_modulus_mwh, max(claim.baseline_export_mwh, claim.baseline_import_mwh)
    return [*replacing, setting] if not modulus or highest < modulus else [setting, *replacing]


def _tell_what_differs(meter: Meter, limits: MeterLimits) -> None:
    if limits != limits_of(meter):
        say(f"{meter.meter_id} has other limits; that stays as it is, `meterbridge meter limits` changes them")
