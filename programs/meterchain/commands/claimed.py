"""What a claim changes on the chain: another key for a meter, another device in its place.

Each looks first, and does nothing where the chain has it already.
"""

from collections.abc import Callable
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions, pdas
from meterchain.accounts import KeyIndex, Meter, MeterState, MeterStatus, fetch
from meterchain.claim import Claim, ClaimError
from meterchain.commands.meter_limits import MeterLimits, changed, limits_of
from meterchain.commands.meter_views import meter_of
from meterchain.commands.recorded import attempt
from meterchain.commands.session import Session, say
from meterchain.instructions import MeterReplacement
from meterchain.site import SiteError
from meterchain.units import InstallId, Mwh


class NotNow(SiteError):
    """The meter is not in the state, or not the device, that this change needs."""


@dataclass(frozen=True)
class Wanted:
    """What a replacement writes down beside its claim; None leaves the power as it is, the register as last signed."""

    final_export_mwh: int | None = None
    final_import_mwh: int | None = None
    max_export_w: int | None = None
    max_import_w: int | None = None
    cert_hash: bytes = bytes(32)


def rotate_claimed(here: Session, signer: Keypair, claim: Claim) -> None:
    """Give the meter the claim's key.  Raises ClaimError, NotNow, and what Chain.send raises."""
    meter, new_key = meter_of_claim(here, claim), Pubkey.from_string(claim.public_key)
    refuse_other_install(claim, meter.install_id)
    refuse_other_device(claim, meter)
    if meter.meter_key == new_key:
        return
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
    attempt(lambda: here.chain.send([*steps, *_stating_level(here, signer, claim)], [signer]))


def replace_claimed(
    here: Session, signer: Keypair, claim: Claim, wanted: Wanted, refuse: Callable[[Meter, MeterState | None], None]
) -> None:
    """Put the claim's device in the meter's place; `refuse` raises while its node has something to deliver.

    Raises ClaimError, NotNow, what `refuse` and Chain.send raise.
    """
    meter, new_key = meter_of_claim(here, claim), Pubkey.from_string(claim.public_key)
    limits = changed(
        limits_of(meter), wanted.max_export_w, wanted.max_import_w, claim.resolution_mwh, claim.register_modulus_mwh
    )
    if (meter.meter_key, meter.install_id) == (new_key, claim.install_id):
        _tell_what_differs(meter, limits)
        return
    refuse_other_install(claim, meter.install_id + 1)
    if meter.status not in {MeterStatus.MAINTENANCE, MeterStatus.COMPROMISED}:
        raise NotNow(
            f"{meter.meter_id} is {meter.status.name.lower()}: let its node deliver all, then run "
            f"`meterbridge meter status {meter.meter_id} maintenance`"
        )
    state = fetch(here.chain, here.programs, MeterState, here.site.meter_state(meter.meter_id))
    refuse(meter, state)
    _refuse_used_key(here, new_key)
    if meter.status is MeterStatus.COMPROMISED:
        say(f"{meter.meter_id} is compromised: what was credited and not minted is forfeited")
    last = (state.export_reg_mwh, state.import_reg_mwh) if state else (Mwh(0), Mwh(0))
    replacement = MeterReplacement(
        serial=claim.serial,
        model=claim.model,
        final_export_mwh=last[0] if wanted.final_export_mwh is None else Mwh(wanted.final_export_mwh),
        final_import_mwh=last[1] if wanted.final_import_mwh is None else Mwh(wanted.final_import_mwh),
        baseline_export_mwh=Mwh(claim.baseline_export_mwh),
        baseline_import_mwh=Mwh(claim.baseline_import_mwh),
        cert_hash=wanted.cert_hash,
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
    attempt(lambda: here.chain.send([*steps, *_stating_level(here, signer, claim)], [signer]))


def refuse_other_site(claim: Claim, domain: bytes) -> None:
    """Raises ClaimError unless the claim is for this site."""
    if claim.domain != domain.hex():
        raise ClaimError(
            f"the claim is for the site {claim.domain}, this chain holds {domain.hex()}: check --rpc here, and [site] "
            "domain on the node"
        )


def meter_of_claim(here: Session, claim: Claim) -> Meter:
    """The meter that the claim is for.  Raises NotFound, ClaimError (another site or owner)."""
    refuse_other_site(claim, here.site.domain)
    meter = meter_of(here, claim.meter_id)
    if str(meter.owner) != claim.owner:
        raise ClaimError(
            f"the claim is for the owner {claim.owner}, {claim.meter_id} is {meter.owner}'s: make it again with "
            f"`meterbridge agent claim --owner {meter.owner}`"
        )
    return meter


def refuse_other_install(claim: Claim, install: int) -> None:
    """Raises ClaimError unless the claim is for that install."""
    if claim.install_id != install:
        raise ClaimError(
            f"the claim is for install {claim.install_id} of {claim.meter_id}, this needs {install}: make it again "
            f"with `meterbridge agent claim --install {install}`"
        )


def refuse_other_device(claim: Claim, meter: Meter) -> None:
    """Raises NotNow unless the claim was made at the device that the registry has."""
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


def _stating_level(here: Session, signer: Keypair, claim: Claim) -> list[Instruction]:
    key = Pubkey.from_string(claim.public_key)
    return instructions.state_key_level(here.programs, signer.pubkey(), claim.meter_id, key, claim.key_level)


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
