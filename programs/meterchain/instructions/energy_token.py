"""What the Energy Token is asked: accounts, transfers, burns, and the allowance that measured import burns from."""

from collections.abc import Mapping

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from meterchain import pdas
from meterchain.idl_types import Value
from meterchain.instructions.building import build, text
from meterchain.programs import Programs
from meterchain.units import Atoms


def initialize_token(programs: Programs, authority: Pubkey, name: str, symbol: str) -> Instruction:
    """Once, by the upgrade authority: creates the mint of GRID."""
    arguments = {"name": text(name, 32), "symbol": text(symbol, 16)}
    return build(programs, "energy_token", "initialize_token", {"authority": authority}, arguments)


def create_token_account(programs: Programs, payer: Pubkey, owner: Pubkey) -> Instruction:
    """The GRID account of an active user, if it is not there yet (`create_associated_token_account`)."""
    accounts = {
        "payer": payer,
        "owner": owner,
        "wallet": owner,
        "user": pdas.user(programs, owner),
        "token_account": pdas.grid_account(programs, owner)[0],
    }
    return build(programs, "energy_token", "create_associated_token_account", accounts)


def transfer(programs: Programs, owner: Pubkey, to: Pubkey, amount: Atoms) -> Instruction:
    """Send GRID from the wallet `owner` to the canonical account of the wallet `to`."""
    accounts = {
        "owner": owner,
        "from": pdas.grid_account(programs, owner)[0],
        "to": pdas.grid_account(programs, to)[0],
    }
    return build(programs, "energy_token", "transfer", accounts, {"amount": amount})


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
    return build(programs, "energy_token", "sync_total_supply")


def _owned(programs: Programs, name: str, owner: Pubkey, arguments: Mapping[str, Value]) -> Instruction:
    accounts = {"owner": owner, "token_account": pdas.grid_account(programs, owner)[0]}
    return build(programs, "energy_token", name, accounts, arguments)
