"""Typed builders for every instruction: names, arguments and accounts of programs.md, bytes by the IDLs.

Each returns one Instruction; those that need a signature checked by the Ed25519 precompile return two, to be sent
side by side, the precompile's first.  What signs is named `authority`, `owner`, `relayer` or `payer`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM

from meterchain import pdas
from meterchain.accounts import MeterKind, MeterStatus, Role, UserStatus, UserType
from meterchain.deploy import program_data_address
from meterchain.ed25519 import (
    Elsewhere,
    Signed,
    handover_message,
    possession_message,
    verify_elsewhere,
    verify_message,
    verify_messages,
)
from meterchain.idl_types import IdlError, Value
from meterchain.programs import Programs
from meterchain.record import METER_ID_SIZE, RECORD_SIZE, decode_meter_id, encode_meter_id
from meterchain.tokens import ASSOCIATED_TOKEN_PROGRAM, TOKEN_PROGRAM
from meterchain.units import Atoms, InstallId, Mwh

INSTRUCTIONS_SYSVAR = Pubkey.from_string("Sysvar1nstructions1111111111111111111111111")
MAX_RECORDS = 5
"""Most records in one submit_meter_data."""
FIRST_RECORD = 13
"""Record 0 lies here in the data of submit_meter_data: discriminator 8, ed_ix 1, vec length 4."""
EVIDENCE = (9, 9 + RECORD_SIZE)
"""The two records lie here in the data of report_equivocation: discriminator 8, ed_ix 1."""
_METER_ID_AT = 16
_FIRST_INSTALL = InstallId(1)
_NO_MODULUS = Mwh(0)
_NOBODY = Pubkey.default()


class AuthorityAction(IntEnum):
    """What manage_authorities does."""

    PROPOSE = 0
    ACCEPT = 1
    CANCEL = 2
    SET_GUARDIAN = 3
    SET_SINGLE_VALIDATOR = 4
    ADD_PROGRAM = 5
    REMOVE_PROGRAM = 6
    PUSH_AUTHORITY = 7


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """The 96 bytes of a record with the signature over them."""

    encoded: bytes
    signed: Signed

    @property
    def meter_id(self) -> str:
        """Whose record it is.  Raises RecordError if the bytes name no meter."""
        return decode_meter_id(self.encoded[_METER_ID_AT : _METER_ID_AT + METER_ID_SIZE])


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


def initialize_governance(
    programs: Programs,
    authority: Pubkey,
    *,
    engineering_authority: Pubkey,
    guardian: Pubkey,
    single_validator: Pubkey,
    campus_network: str,
) -> Instruction:
    """Once, by the upgrade authority."""
    arguments = {
        "engineering_authority": engineering_authority,
        "guardian": guardian,
        "single_validator": single_validator,
        "campus_network": text(campus_network, 32),
    }
    return _build(programs, "governance", "initialize_governance", {"authority": authority}, arguments)


def update_parameters(programs: Programs, authority: Pubkey, values: Mapping[int, int]) -> Instruction:
    """Set parameters by their numbers (programs.md 4.1), at most eight at once."""
    arguments = {"ids": bytes(values), "values": list(values.values())}
    return _build(programs, "governance", "update_parameters", {"authority": authority}, arguments)


def emergency_pause(programs: Programs, authority: Pubkey, mask: int, reason: int) -> Instruction:
    """Stop what `mask` names; `reason` is a number for the event."""
    return _build(programs, "governance", "emergency_pause", {"authority": authority}, {"mask": mask, "reason": reason})


def emergency_unpause(programs: Programs, authority: Pubkey, mask: int) -> Instruction:
    """Let what `mask` names go on."""
    return _build(programs, "governance", "emergency_unpause", {"authority": authority}, {"mask": mask})


def propose_authority(programs: Programs, authority: Pubkey, successor: Pubkey) -> Instruction:
    """Let `successor` take over once the timelock has passed; an earlier proposal is forgotten."""
    return _manage(programs, authority, AuthorityAction.PROPOSE, key=successor)


def accept_authority(programs: Programs, successor: Pubkey) -> Instruction:
    """Take over: signed by the proposed key."""
    return _manage(programs, successor, AuthorityAction.ACCEPT)


def cancel_proposal(programs: Programs, authority: Pubkey) -> Instruction:
    """Forget the proposal."""
    return _manage(programs, authority, AuthorityAction.CANCEL)


def set_guardian(programs: Programs, authority: Pubkey, guardian: Pubkey = _NOBODY) -> Instruction:
    """Name who may pause; without a key nobody."""
    return _manage(programs, authority, AuthorityAction.SET_GUARDIAN, key=guardian)


def set_single_validator(programs: Programs, authority: Pubkey, validator: Pubkey = _NOBODY) -> Instruction:
    """Name who may pause as the guardian may; without a key nobody."""
    return _manage(programs, authority, AuthorityAction.SET_SINGLE_VALIDATOR, key=validator)


def add_program(programs: Programs, authority: Pubkey, program: Pubkey, slot: int) -> Instruction:
    """Write a program into an empty slot, 0 to 7, of the list of authorised programs."""
    return _manage(programs, authority, AuthorityAction.ADD_PROGRAM, key=program, slot=slot)


def remove_program(programs: Programs, authority: Pubkey, slot: int) -> Instruction:
    """Empty a slot of that list."""
    return _manage(programs, authority, AuthorityAction.REMOVE_PROGRAM, slot=slot)


def push_authority(programs: Programs, payer: Pubkey, program: Pubkey, config: Pubkey, slot: int) -> Instruction:
    """Have the program in `slot` write the present authority into its config (or Market); anybody may ask."""
    target = AccountMeta(program, is_signer=False, is_writable=False)
    mirror = AccountMeta(config, is_signer=False, is_writable=True)
    return _manage(programs, payer, AuthorityAction.PUSH_AUTHORITY, slot=slot, remaining=(target, mirror))


def get_status(programs: Programs) -> Instruction:
    """A view: what is paused now, and how often parameters were changed."""
    return _build(programs, "governance", "get_status")


def initialize_registry(programs: Programs, authority: Pubkey, building_location: str, domain: bytes) -> Instruction:
    """Once, by the upgrade authority; `domain` has 8 bytes."""
    arguments = {"building_location": text(building_location, 64), "domain": domain}
    return _build(programs, "registry", "initialize_registry", {"authority": authority}, arguments)


def register_user(
    programs: Programs,
    authority: Pubkey,
    wallet: Pubkey,
    user_type: UserType,
    role: Role,
    *,
    location: str = "",
    external_id_hash: bytes = bytes(32),
) -> Instruction:
    """Register `wallet`; `external_id_hash` is an HMAC with a secret salt, never a student number."""
    arguments = {
        "user_type": int(user_type),
        "role": int(role),
        "location": text(location, 32),
        "external_id_hash": external_id_hash,
    }
    accounts = {"authority": authority, "wallet": wallet, "user": pdas.user(programs, wallet)}
    return _build(programs, "registry", "register_user", accounts, arguments)


def update_user(
    programs: Programs,
    authority: Pubkey,
    wallet: Pubkey,
    *,
    user_type: UserType | None = None,
    role: Role | None = None,
    location: str | None = None,
) -> Instruction:
    """Correct what a user is; what is None stays."""
    arguments = {
        "user_type": None if user_type is None else int(user_type),
        "role": None if role is None else int(role),
        "location": None if location is None else text(location, 32),
    }
    accounts = {"authority": authority, "user": pdas.user(programs, wallet)}
    return _build(programs, "registry", "update_user", accounts, arguments)


def set_user_status(programs: Programs, authority: Pubkey, wallet: Pubkey, status: UserStatus) -> Instruction:
    """Activate, suspend or revoke a user."""
    accounts = {"authority": authority, "wallet": wallet, "user": pdas.user(programs, wallet)}
    return _build(programs, "registry", "set_user_status", accounts, {"status": int(status)})


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
    ours = _build(programs, "registry", "assign_meter", accounts, arguments)
    return [verify_message(possession, message), ours]


def set_meter_status(programs: Programs, authority: Pubkey, meter_id: str, status: MeterStatus) -> Instruction:
    """Move a meter to another status; its owner may only take an active one to maintenance."""
    accounts = {"authority": authority, "meter": pdas.meter(programs, meter_id)}
    return _build(programs, "registry", "set_meter_status", accounts, {"status": int(status)})


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
    return _build(programs, "registry", "set_meter_limits", accounts, arguments)


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
    return [verify_messages(proofs), _build(programs, "registry", "rotate_meter_key", accounts, {"new_key": key})]


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
    return [proof, _build(programs, "registry", "replace_meter", accounts, arguments)]


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
    return _build(programs, "registry", "rebase_meter", accounts, arguments)


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
    return _build(programs, "registry", "reassign_meter", accounts, {"new_owner": new_owner})


def unassign_meter(programs: Programs, authority: Pubkey, meter_id: str, owner: Pubkey) -> Instruction:
    """Free the place that a decommissioned meter takes in its owner's list."""
    accounts = {
        "authority": authority,
        "meter": pdas.meter(programs, meter_id),
        "user": pdas.user(programs, owner),
    }
    return _build(programs, "registry", "unassign_meter", accounts)


def verify_user(programs: Programs, wallet: Pubkey) -> Instruction:
    """A view; fails with UserInactive."""
    accounts = {"wallet": wallet, "user": pdas.user(programs, wallet)}
    return _build(programs, "registry", "verify_user", accounts, {"wallet": wallet})


def verify_meter(programs: Programs, meter_id: str) -> Instruction:
    """A view: owner, status, key and install of a meter."""
    accounts = {"meter": pdas.meter(programs, meter_id)}
    return _build(programs, "registry", "verify_meter", accounts, {"meter_id": encode_meter_id(meter_id)})


def initialize_oracle(programs: Programs, authority: Pubkey, ami_endpoint: str) -> Instruction:
    """Once, by the upgrade authority; the domain comes from the registry."""
    arguments = {"ami_endpoint": text(ami_endpoint, 64)}
    return _build(programs, "oracle", "initialize_oracle", {"authority": authority}, arguments)


def set_active(programs: Programs, authority: Pubkey, *, active: bool) -> Instruction:
    """Let the oracle accept records, or not."""
    return _build(programs, "oracle", "set_active", {"authority": authority}, {"active": int(active)})


def init_meter_state(programs: Programs, payer: Pubkey, meter_id: str) -> Instruction:
    """Open the oracle's account of an active meter; anybody may pay."""
    meter = pdas.meter(programs, meter_id)
    accounts = {"payer": payer, "meter": meter, "meter_state": pdas.meter_state(programs, meter)}
    return _build(programs, "oracle", "init_meter_state", accounts)


def submit_meter_data(
    programs: Programs, relayer: Pubkey, records: Sequence[SignedRecord], *, position: int
) -> list[Instruction]:
    """Deliver 1 to MAX_RECORDS records: the precompile's instruction, then ours, which holds the signed bytes.

    `position` is where the first of the two will stand in the transaction (the number of instructions before it).
    Records of one meter go in the order of their sequence numbers.
    """
    if not 1 <= len(records) <= MAX_RECORDS:
        raise IdlError(f"1 to {MAX_RECORDS} records go together, not {len(records)}")
    places = [Elsewhere(position + 1, FIRST_RECORD + RECORD_SIZE * k, RECORD_SIZE) for k in range(len(records))]
    meters = [pdas.meter(programs, record.meter_id) for record in records]
    states = [pdas.meter_state(programs, meter) for meter in meters]
    accounts = {"relayer": relayer, "meter": meters[0], "meter_state": states[0]}
    others: list[AccountMeta] = []
    for meter, state in zip(meters[1:], states[1:], strict=True):
        others.append(AccountMeta(meter, is_signer=False, is_writable=False))
        others.append(AccountMeta(state, is_signer=False, is_writable=True))
    arguments = {"ed_ix": position, "records": [record.encoded for record in records]}
    ours = _build(programs, "oracle", "submit_meter_data", accounts, arguments, others)
    return [verify_elsewhere([record.signed for record in records], places), ours]


def process_energy_data(programs: Programs, meter_id: str, owner: Pubkey) -> Instruction:
    """Mint and burn what is due for a meter; `owner` is MeterState.owner, anybody may ask."""
    account, bump = pdas.grid_account(programs, owner)
    meter = pdas.meter(programs, meter_id)
    accounts = {
        "meter": meter,
        "meter_state": pdas.meter_state(programs, meter),
        "user": pdas.user(programs, owner),
        "token_account": account,
    }
    return _build(programs, "oracle", "process_energy_data", accounts, {"ata_bump": bump})


def initialize_token(programs: Programs, authority: Pubkey, name: str, symbol: str) -> Instruction:
    """Once, by the upgrade authority: creates the mint of GRID."""
    arguments = {"name": text(name, 32), "symbol": text(symbol, 16)}
    return _build(programs, "energy_token", "initialize_token", {"authority": authority}, arguments)


def create_token_account(programs: Programs, payer: Pubkey, owner: Pubkey) -> Instruction:
    """The GRID account of an active user, if it is not there yet (`create_associated_token_account`)."""
    accounts = {
        "payer": payer,
        "owner": owner,
        "wallet": owner,
        "user": pdas.user(programs, owner),
        "token_account": pdas.grid_account(programs, owner)[0],
    }
    return _build(programs, "energy_token", "create_associated_token_account", accounts)


def transfer(programs: Programs, owner: Pubkey, to: Pubkey, amount: Atoms) -> Instruction:
    """Send GRID from the wallet `owner` to the canonical account of the wallet `to`."""
    accounts = {
        "owner": owner,
        "from": pdas.grid_account(programs, owner)[0],
        "to": pdas.grid_account(programs, to)[0],
    }
    return _build(programs, "energy_token", "transfer", accounts, {"amount": amount})


def burn(programs: Programs, owner: Pubkey, amount: Atoms) -> Instruction:
    """Retire GRID of one's own."""
    return _owned(programs, "burn", owner, {"amount": amount})


def approve_consumption(programs: Programs, owner: Pubkey, amount: Atoms) -> Instruction:
    """Let measured import burn up to `amount`; replaces what was approved before."""
    return _owned(programs, "approve_consumption", owner, {"amount": amount})


def revoke_consumption(programs: Programs, owner: Pubkey) -> Instruction:
    """Take the approval back."""
    return _owned(programs, "revoke_consumption", owner, {})


def sync_total_supply(programs: Programs) -> Instruction:
    """Take note of GRID that plain SPL instructions burned; anybody may ask."""
    return _build(programs, "energy_token", "sync_total_supply")


def set_ami_endpoint(programs: Programs, authority: Pubkey, ami_endpoint: str) -> Instruction:
    """Say where the readings can be had off chain."""
    arguments = {"ami_endpoint": text(ami_endpoint, 64)}
    return _build(programs, "oracle", "set_ami_endpoint", {"authority": authority}, arguments)


def set_relayers(
    programs: Programs, authority: Pubkey, relayers: Sequence[Pubkey] = (), *, listed_only: bool
) -> Instruction:
    """Let anybody deliver records, or `relayers` (at most 8) and each meter's owner only.  The list of before goes."""
    arguments = {"mode": int(listed_only), "relayers": list(relayers)}
    return _build(programs, "oracle", "set_relayers", {"authority": authority}, arguments)


def sync_owner(programs: Programs, caller: Pubkey, meter_id: str, *, forfeit: bool = False) -> Instruction:
    """Begin the account of a meter's new owner, once the old one's export is minted; anybody may.

    With `forfeit` what is still to be minted is given up: only the engineering authority may.
    """
    accounts = {"caller": caller, **_metering(programs, meter_id)}
    return _build(programs, "oracle", "sync_owner", accounts, {"forfeit": int(forfeit)})


def close_billing(programs: Programs, authority: Pubkey, meter_id: str) -> Instruction:
    """Write off the import that is not burned yet: it is billed off chain, as much as the event says."""
    return _build(programs, "oracle", "close_billing", {"authority": authority, **_metering(programs, meter_id)})


def report_equivocation(
    programs: Programs, reporter: Pubkey, first: SignedRecord, second: SignedRecord, *, position: int
) -> list[Instruction]:
    """Freeze the meter whose key signed both: the precompile's instruction, then ours, which holds the signed bytes.

    `position` is where the first of the two will stand in the transaction.
    """
    places = [Elsewhere(position + 1, at, RECORD_SIZE) for at in EVIDENCE]
    accounts = {"reporter": reporter, **_metering(programs, first.meter_id)}
    arguments = {"ed_ix": position, "first": first.encoded, "second": second.encoded}
    ours = _build(programs, "oracle", "report_equivocation", accounts, arguments)
    return [verify_elsewhere([first.signed, second.signed], places), ours]


def clear_freeze(programs: Programs, authority: Pubkey, meter_id: str) -> Instruction:
    """Let a frozen meter go on, after its key was rotated or it got a new install."""
    return _build(programs, "oracle", "clear_freeze", {"authority": authority, **_metering(programs, meter_id)})


def text(value: str, size: int) -> bytes:
    """UTF-8, zero-padded to `size`.  Raises IdlError if it is longer or holds a zero."""
    raw = value.encode()
    if len(raw) > size or 0 in raw:
        raise IdlError(f"{value!r}: at most {size} bytes of UTF-8 without zeros")
    return raw.ljust(size, b"\0")


def _manage(
    programs: Programs,
    authority: Pubkey,
    action: AuthorityAction,
    *,
    key: Pubkey = _NOBODY,
    slot: int = 0,
    remaining: Sequence[AccountMeta] = (),
) -> Instruction:
    arguments = {"action": int(action), "key": key, "slot": slot}
    return _build(programs, "governance", "manage_authorities", {"authority": authority}, arguments, remaining)


def _limits(max_export_w: int, max_import_w: int, resolution_mwh: int) -> dict[str, Value]:
    return {"max_export_w": max_export_w, "max_import_w": max_import_w, "resolution_mwh": resolution_mwh}


def _metering(programs: Programs, meter_id: str) -> dict[str, Pubkey]:
    meter = pdas.meter(programs, meter_id)
    return {"meter": meter, "meter_state": pdas.meter_state(programs, meter)}


def _owned(programs: Programs, name: str, owner: Pubkey, arguments: Mapping[str, Value]) -> Instruction:
    accounts = {"owner": owner, "token_account": pdas.grid_account(programs, owner)[0]}
    return _build(programs, "energy_token", name, accounts, arguments)


def _build(
    programs: Programs,
    program: str,
    name: str,
    accounts: Mapping[str, Pubkey] | None = None,
    arguments: Mapping[str, Value] | None = None,
    remaining: Sequence[AccountMeta] = (),
) -> Instruction:
    """The accounts that are the same for everybody are added where the IDL asks for them."""
    idl = programs[program]
    asked = idl.account_names(name)
    known = {**_singletons(programs, program), **(accounts or {})}
    return idl.instruction(name, {part: known[part] for part in asked if part in known}, arguments, remaining)


def _singletons(programs: Programs, program: str) -> dict[str, Pubkey]:
    own = {"governance": pdas.governance, "registry": pdas.registry, "oracle": pdas.oracle}
    own["energy_token"] = pdas.token_config
    found = {
        "program_data": program_data_address(programs.id(program)),
        "governance": pdas.governance(programs),
        "config": own[program](programs),
        "instructions": INSTRUCTIONS_SYSVAR,
        "system_program": SYSTEM,
        "token_program": TOKEN_PROGRAM,
        "associated_token_program": ASSOCIATED_TOKEN_PROGRAM,
    }
    if "registry" in programs:
        found["registry"] = pdas.registry(programs)
    if "oracle" in programs:
        found["oracle_auth"] = pdas.oracle_auth(programs)
    if "energy_token" in programs:
        found |= {
            "energy_token": programs.id("energy_token"),
            "energy_token_program": programs.id("energy_token"),
            "token_config": pdas.token_config(programs),
            "mint": pdas.grid_mint(programs),
            "mint_auth": pdas.mint_auth(programs),
            "burner": pdas.burner(programs),
        }
    return found
