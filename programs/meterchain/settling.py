"""Settling one meter's account: mint for its export, burn for its import, as far as can be done now.

Anybody may pay for it; a node does it for its own meter, a relay for those whose records it delivers.
"""

from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from meterchain import instructions as build
from meterchain import pdas, tokens
from meterchain.accounts import MeterState
from meterchain.chain import Chain
from meterchain.programs import Programs
from meterchain.units import ATOMS_PER_MWH

SETTLE_UNITS = 100_000
"""Compute units to ask for; a token account that must be opened included."""


@dataclass(frozen=True, slots=True)
class Dues:
    """What settling would do now: mint so many mWh of export, burn for so many of import."""

    owner: Pubkey
    mint_mwh: int
    burn_mwh: int
    account_is_open: bool


def dues(chain: Chain, programs: Programs, state: MeterState) -> Dues:
    """What settling would move.  Raises ChainUnreachable."""
    address, _ = pdas.grid_account(programs, state.owner)
    (info,) = chain.accounts([address])
    burn_mwh = 0
    if info is not None and info.data:
        account = tokens.read_token_account(info)
        if account.delegate == pdas.burner(programs):
            open_mwh = state.cum_import_mwh - state.written_off_import_mwh - state.burned_mwh
            burn_mwh = min(open_mwh, min(account.amount, account.delegated_amount) // ATOMS_PER_MWH)
    return Dues(state.owner, state.unminted_mwh, max(0, burn_mwh), info is not None and bool(info.data))


def settle(programs: Programs, payer: Pubkey, meter_id: str, due: Dues) -> list[Instruction]:
    """The instructions that do it; they open the owner's GRID account if there is none."""
    asked = [build.process_energy_data(programs, meter_id, due.owner)]
    if not due.account_is_open:
        asked.insert(0, build.create_token_account(programs, payer, due.owner))
    return asked
