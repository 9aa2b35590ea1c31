"""What the Oracle is asked by the department, and by whoever opens, hands over or closes a meter's account."""

from collections.abc import Sequence

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from meterchain import pdas
from meterchain.instructions.building import build, metering, text
from meterchain.programs import Programs


def initialize_oracle(programs: Programs, authority: Pubkey, ami_endpoint: str) -> Instruction:
    """Once, by the upgrade authority; the domain comes from the registry."""
    arguments = {"ami_endpoint": text(ami_endpoint, 64)}
    return build(programs, "oracle", "initialize_oracle", {"authority": authority}, arguments)


def set_active(programs: Programs, authority: Pubkey, *, active: bool) -> Instruction:
    """Let the oracle accept records, or not."""
    return build(programs, "oracle", "set_active", {"authority": authority}, {"active": int(active)})


def set_auto_clearing(programs: Programs, authority: Pubkey, *, enabled: bool) -> Instruction:
    """Let anybody trigger the clearing of an epoch, or the department only."""
    return build(programs, "oracle", "set_auto_clearing", {"authority": authority}, {"enabled": int(enabled)})


def set_ami_endpoint(programs: Programs, authority: Pubkey, ami_endpoint: str) -> Instruction:
    """Say where the readings can be had off chain."""
    arguments = {"ami_endpoint": text(ami_endpoint, 64)}
    return build(programs, "oracle", "set_ami_endpoint", {"authority": authority}, arguments)


def set_relayers(
    programs: Programs, authority: Pubkey, relayers: Sequence[Pubkey] = (), *, listed_only: bool
) -> Instruction:
    """Let anybody deliver records, or `relayers` (at most 8) and each meter's owner only.  The list of before goes."""
    arguments = {"mode": int(listed_only), "relayers": list(relayers)}
    return build(programs, "oracle", "set_relayers", {"authority": authority}, arguments)


def init_meter_state(programs: Programs, payer: Pubkey, meter_id: str) -> Instruction:
    """Open the oracle's account of an active meter; anybody may pay."""
    meter = pdas.meter(programs, meter_id)
    accounts = {"payer": payer, "meter": meter, "meter_state": pdas.meter_state(programs, meter)}
    return build(programs, "oracle", "init_meter_state", accounts)


def sync_owner(programs: Programs, caller: Pubkey, meter_id: str, *, forfeit: bool = False) -> Instruction:
    """Begin the account of a meter's new owner, once the old one's export is minted; anybody may.

    With `forfeit` what is still to be minted is given up: only the engineering authority may.
    """
    accounts = {"caller": caller, **metering(programs, meter_id)}
    return build(programs, "oracle", "sync_owner", accounts, {"forfeit": int(forfeit)})


def close_billing(programs: Programs, authority: Pubkey, meter_id: str) -> Instruction:
    """Write off the import that is not burned yet: it is billed off chain, as much as the event says."""
    return build(programs, "oracle", "close_billing", {"authority": authority, **metering(programs, meter_id)})


def clear_freeze(programs: Programs, authority: Pubkey, meter_id: str) -> Instruction:
    """Let a frozen meter go on, after its key was rotated or it got a new install."""
    return build(programs, "oracle", "clear_freeze", {"authority": authority, **metering(programs, meter_id)})
