"""What the Registry is asked of its meters.

Those that need a signature checked by the Ed25519 precompile are two instructions, the precompile's first.
"""

from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from meterchain import pdas
from meterchain.accounts import KeyLevel, MeterKind, MeterStatus
from meterchain.ed25519 import Signed, handover_message, possession_message, verify_message, verify_messages
from meterchain.idl_types import Value
from meterchain.instructions.building import build, text
from meterchain.programs import Programs
from meterchain.record import encode_meter_id
from meterchain.units import InstallId, Mwh

_FIRST_INSTALL = InstallId(1)
_NO_MODULUS = Mwh(0)


@dataclass(frozen=True, slots=True)
class MeterAssignment:
    """What assign_meter writes down.  Energy in mWh, power in W; text is UTF-8 and is zero-padded."""

    meter_id: str
    owner: Pubkey
    kind: MeterKind
    max_export_w: int
    max_import_w: int
    resolution_mwh: int
    baseline_export_mwh: Mwh
    baseline_import_mwh: Mwh
    serial: str
    model: str
    building: str
    register_modulus_mwh: Mwh = _NO_MODULUS
    cert_hash: bytes = bytes(32)


@dataclass(frozen=True, slots=True)
class MeterReplacement:
    """What replace_meter writes down.  Energy in mWh; text is UTF-8 and is zero-padded.

    The final registers are the old device's, the baselines the new one's.
    """

    serial: str
    model: str
    final_export_mwh: Mwh
    final_import_mwh: Mwh
    baseline_export_mwh: Mwh
    baseline_import_mwh: Mwh
    cert_hash: bytes = bytes(32)


def assign_meter(
    programs: Programs, authority: Pubkey, domain: bytes, assignment: MeterAssignment, possession: Signed
) -> list[Instruction]:
    """Assign a meter to its owner; `possession` is the node's signature over possession_message(…, install 1).

    Two instructions: the precompile's must stand right before ours.
    """
    model, serial = text(assignment.model, pdas.MODEL_SIZE), text(assignment.serial, pdas.SERIAL_SIZE)
    key = Pubkey(possession.public_key)
    accounts = {
        "authority": authority,
        "owner": assignment.owner,
        "user": pdas.user(programs, assignment.owner),
        "meter": pdas.meter(programs, assignment.meter_id),
        "key_index": pdas.key_index(programs, key),
        "serial_index": pdas.serial_index(programs, model, serial),
    }
    limits = _limits(assignment.max_export_w, assignment.max_import_w, assignment.resolution_mwh)
    arguments = {
        "meter_id": encode_meter_id(assignment.meter_id),
        "kind": int(assignment.kind),
        "meter_key": key,
        "limits": limits,
        "register_modulus_mwh": assignment.register_modulus_mwh,
        "baseline_export": assignment.baseline_export_mwh,
        "baseline_import": assignment.baseline_import_mwh,
        "serial": serial,
        "model": model,
        "building": text(assignment.building, 32),
        "cert_hash": assignment.cert_hash,
    }
    message = possession_message(domain, assignment.meter_id, assignment.owner, _FIRST_INSTALL)
    ours = build(programs, "registry", "assign_meter", accounts, arguments)
    return [verify_message(possession, message), ours]


def set_meter_status(programs: Programs, authority: Pubkey, meter_id: str, status: MeterStatus) -> Instruction:
    """Move a meter to another status; its owner may only take an active one to maintenance."""
    accounts = {"authority": authority, "meter": pdas.meter(programs, meter_id)}
    return build(programs, "registry", "set_meter_status", accounts, {"status": int(status)})


def set_meter_limits(
    programs: Programs,
    authority: Pubkey,
    meter_id: str,
    *,
    max_export_w: int,
    max_import_w: int,
    resolution_mwh: int,
    register_modulus_mwh: Mwh = _NO_MODULUS,
) -> Instruction:
    """Set all that a meter can do at most, in W and mWh; without a modulus its registers do not wrap."""
    limits = _limits(max_export_w, max_import_w, resolution_mwh)
    accounts = {"authority": authority, "meter": pdas.meter(programs, meter_id)}
    arguments = {"limits": limits, "register_modulus_mwh": register_modulus_mwh}
    return build(programs, "registry", "set_meter_limits", accounts, arguments)


def set_key_level(programs: Programs, authority: Pubkey, meter_id: str, key: Pubkey, level: KeyLevel) -> Instruction:
    """State where `key`, the meter's present one, lies."""
    accounts = {"authority": authority, "meter": pdas.meter(programs, meter_id)}
    return build(programs, "registry", "set_key_level", accounts, {"meter_key": key, "level": int(level)})


def state_key_level(
    programs: Programs, authority: Pubkey, meter_id: str, key: Pubkey, level: KeyLevel
) -> list[Instruction]:
    """What stands behind the instruction that makes `key` the meter's: set_key_level, or nothing if none is stated."""
    if level is KeyLevel.NOT_STATED:
        return []
    return [set_key_level(programs, authority, meter_id, key, level)]


def rotate_meter_key(
    programs: Programs,
    authority: Pubkey,
    domain: bytes,
    meter_id: str,
    owner: Pubkey,
    install_id: InstallId,
    *,
    old_key: Pubkey,
    possession: Signed,
    consent: Signed | None = None,
) -> list[Instruction]:
    """Give a meter another key; `possession` is its signature over possession_message(…, the present install).

    `consent`, if the old key is there to give it, is that key's signature over handover_message.  Two instructions: the
    precompile's must stand right before ours.
    """
    key = Pubkey(possession.public_key)
    accounts = {
        "authority": authority,
        "meter": pdas.meter(programs, meter_id),
        "old_key_index": pdas.key_index(programs, old_key),
        "key_index": pdas.key_index(programs, key),
    }
    proofs = [(possession, possession_message(domain, meter_id, owner, install_id))]
    if consent:
        proofs.append((consent, handover_message(domain, meter_id, key, install_id)))
    return [verify_messages(proofs), build(programs, "registry", "rotate_meter_key", accounts, {"new_key": key})]


def replace_meter(
    programs: Programs,
    authority: Pubkey,
    domain: bytes,
    meter_id: str,
    owner: Pubkey,
    install_id: InstallId,
    *,
    old_key: Pubkey,
    replacement: MeterReplacement,
    possession: Signed,
) -> list[Instruction]:
    """Put another device to the metering point; `install_id` is the one that begins, the present one plus one.

    `possession` is the new key's signature over possession_message(…, install_id).  Two instructions: the precompile's
    must stand right before ours.
    """
    model, serial = text(replacement.model, pdas.MODEL_SIZE), text(replacement.serial, pdas.SERIAL_SIZE)
    key = Pubkey(possession.public_key)
    accounts = {
        "authority": authority,
        "meter": pdas.meter(programs, meter_id),
        "old_key_index": pdas.key_index(programs, old_key),
        "key_index": pdas.key_index(programs, key),
        "serial_index": pdas.serial_index(programs, model, serial),
    }
    arguments = {
        "new_key": key,
        "new_serial": serial,
        "new_model": model,
        "cert_hash": replacement.cert_hash,
        "final_export": replacement.final_export_mwh,
        "final_import": replacement.final_import_mwh,
        "baseline_export": replacement.baseline_export_mwh,
        "baseline_import": replacement.baseline_import_mwh,
    }
    proof = verify_message(possession, possession_message(domain, meter_id, owner, install_id))
    return [proof, build(programs, "registry", "replace_meter", accounts, arguments)]


def rebase_meter(
    programs: Programs,
    authority: Pubkey,
    meter_id: str,
    baseline_export_mwh: Mwh,
    baseline_import_mwh: Mwh,
    reason: int,
) -> Instruction:
    """Let the registers of a meter in maintenance count from here; `reason` is a number for the event."""
    accounts = {"authority": authority, "meter": pdas.meter(programs, meter_id)}
    arguments = {"baseline_export": baseline_export_mwh, "baseline_import": baseline_import_mwh, "reason": reason}
    return build(programs, "registry", "rebase_meter", accounts, arguments)


def reassign_meter(
    programs: Programs, authority: Pubkey, meter_id: str, old_owner: Pubkey, new_owner: Pubkey
) -> Instruction:
    """Give a meter to another user; the oracle's sync_owner must follow."""
    accounts = {
        "authority": authority,
        "meter": pdas.meter(programs, meter_id),
        "old_user": pdas.user(programs, old_owner),
        "new_user": pdas.user(programs, new_owner),
    }
    return build(programs, "registry", "reassign_meter", accounts, {"new_owner": new_owner})


def unassign_meter(programs: Programs, authority: Pubkey, meter_id: str, owner: Pubkey) -> Instruction:
    """Free the place that a decommissioned meter takes in its owner's list."""
    accounts = {
        "authority": authority,
        "meter": pdas.meter(programs, meter_id),
        "user": pdas.user(programs, owner),
    }
    return build(programs, "registry", "unassign_meter", accounts)


def verify_meter(programs: Programs, meter_id: str) -> Instruction:
    """A view: owner, status, key and install of a meter."""
    accounts = {"meter": pdas.meter(programs, meter_id)}
    return build(programs, "registry", "verify_meter", accounts, {"meter_id": encode_meter_id(meter_id)})


def _limits(max_export_w: int, max_import_w: int, resolution_mwh: int) -> dict[str, Value]:
    return {"max_export_w": max_export_w, "max_import_w": max_import_w, "resolution_mwh": resolution_mwh}
