"""What the Registry is asked of its users."""

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from meterchain import pdas
from meterchain.accounts import Role, UserStatus, UserType
from meterchain.instructions.building import build, text
from meterchain.programs import Programs


def initialize_registry(programs: Programs, authority: Pubkey, building_location: str, domain: bytes) -> Instruction:
    """Once, by the upgrade authority; `domain` has 8 bytes."""
    arguments = {"building_location": text(building_location, 64), "domain": domain}
    return build(programs, "registry", "initialize_registry", {"authority": authority}, arguments)


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
    return build(programs, "registry", "register_user", accounts, arguments)


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
    return build(programs, "registry", "update_user", accounts, arguments)


def set_user_status(programs: Programs, authority: Pubkey, wallet: Pubkey, status: UserStatus) -> Instruction:
    """Activate, suspend or revoke a user."""
    accounts = {"authority": authority, "wallet": wallet, "user": pdas.user(programs, wallet)}
    return build(programs, "registry", "set_user_status", accounts, {"status": int(status)})


def verify_user(programs: Programs, wallet: Pubkey) -> Instruction:
    """A view; fails with UserInactive."""
    accounts = {"wallet": wallet, "user": pdas.user(programs, wallet)}
    return build(programs, "registry", "verify_user", accounts, {"wallet": wallet})
