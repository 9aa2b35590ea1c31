"""What Governance is asked: parameters, pauses and who has authority."""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from meterchain.instructions.building import build, text
from meterchain.programs import Programs

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
    return build(programs, "governance", "initialize_governance", {"authority": authority}, arguments)


def update_parameters(programs: Programs, authority: Pubkey, values: Mapping[int, int]) -> Instruction:
    """Set parameters by their numbers (programs.md 4.1), at most eight at once."""
    arguments = {"ids": bytes(values), "values": list(values.values())}
    return build(programs, "governance", "update_parameters", {"authority": authority}, arguments)


def emergency_pause(programs: Programs, authority: Pubkey, mask: int, reason: int) -> Instruction:
    """Stop what `mask` names; `reason` is a number for the event."""
    return build(programs, "governance", "emergency_pause", {"authority": authority}, {"mask": mask, "reason": reason})


def emergency_unpause(programs: Programs, authority: Pubkey, mask: int) -> Instruction:
    """Let what `mask` names go on."""
    return build(programs, "governance", "emergency_unpause", {"authority": authority}, {"mask": mask})


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
    return build(programs, "governance", "get_status")


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
    return build(programs, "governance", "manage_authorities", {"authority": authority}, arguments, remaining)
