"""How one instruction is built: bytes and order of accounts by the IDL, shared accounts added."""

from collections.abc import Mapping, Sequence

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM

from meterchain import pdas
from meterchain.deploy import program_data_address
from meterchain.idl_types import IdlError, Value
from meterchain.programs import Programs
from meterchain.tokens import ASSOCIATED_TOKEN_PROGRAM, TOKEN_PROGRAM

INSTRUCTIONS_SYSVAR = Pubkey.from_string("Sysvar1nstructions1111111111111111111111111")


def text(value: str, size: int) -> bytes:
    """UTF-8, zero-padded to `size`.  Raises IdlError if it is longer or holds a zero."""
    raw = value.encode()
    if len(raw) > size or 0 in raw:
        raise IdlError(f"{value!r}: at most {size} bytes of UTF-8 without zeros")
    return raw.ljust(size, b"\0")


def build(
    programs: Programs,
    program: str,
    name: str,
    accounts: Mapping[str, Pubkey] | None = None,
    arguments: Mapping[str, Value] | None = None,
    remaining: Sequence[AccountMeta] = (),
) -> Instruction:
    """The instruction `name` of `program`; accounts that everybody shares are added where the IDL asks for them."""
    idl = programs[program]
    asked = idl.account_names(name)
    known = {**_singletons(programs, program), **(accounts or {})}
    return idl.instruction(name, {part: known[part] for part in asked if part in known}, arguments, remaining)


def metering(programs: Programs, meter_id: str) -> dict[str, Pubkey]:
    """A meter and the oracle's account of it, under the names that the IDLs give them."""
    meter = pdas.meter(programs, meter_id)
    return {"meter": meter, "meter_state": pdas.meter_state(programs, meter)}


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
