"""What a deployment will cost, before anything is sent.

Spent for good: the fees, and rent for ProgramData and the program's own account (or for the bytes that an upgrade
adds).  Lent: the buffer's rent, which the loader gives back to the payer when the program starts, so the payer's
balance must bear both for a moment.
"""

from dataclasses import dataclass
from typing import Literal

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import deploy
from meterchain.chain import Chain
from meterchain.units import Lamports

_SIGNATURE = 5_000


@dataclass(frozen=True, slots=True)
class Price:
    """What `deploy` would do for one program; money in lamports."""

    action: Literal["deploy", "upgrade", "unchanged"]
    size: int
    transactions: int
    fees: Lamports
    rent: Lamports
    lent: Lamports

    @property
    def spent(self) -> Lamports:
        """What is gone in the end."""
        return Lamports(self.fees + self.rent)


def price(
    chain: Chain,
    program: Pubkey,
    binary: bytes,
    *,
    payer: Keypair,
    authority: Keypair,
    program_key: Keypair | None = None,
) -> Price:
    """The price of `deploy` with the same arguments, what an interrupted run has written being paid already.

    Raises DeployError and what Chain.accounts raises.
    """
    there = deploy.look(chain, program)
    deploy.refuse_strangers(there, program, authority, program_key)
    if there and there.holds(binary):
        return Price("unchanged", len(binary), 0, Lamports(0), Lamports(0), Lamports(0))
    written = deploy.written(chain, authority, program, binary)
    buffer_rent = chain.rent_exempt(deploy.BUFFER_HEAD + len(binary))
    both = len({payer.pubkey(), authority.pubkey()})
    signatures = 0 if written.exists else 2
    signatures += len(written.missing) * both
    transactions = len(written.missing) + (0 if written.exists else 1) + 1
    if there is None:
        signatures += both + 1
        room = deploy.room_for(binary)
        rent = chain.rent_exempt(deploy.DATA_HEAD + room) + chain.rent_exempt(deploy.PROGRAM_SIZE)
    else:
        signatures += both
        growth = deploy.extension(there, binary)
        held = deploy.DATA_HEAD + len(there.content)
        rent = Lamports(chain.rent_exempt(held + growth) - chain.rent_exempt(held)) if growth else Lamports(0)
        transactions, signatures = (transactions + 1, signatures + 1) if growth else (transactions, signatures)
    rent = Lamports(rent - (buffer_rent if written.exists else 0))
    lent = Lamports(0 if written.exists else buffer_rent)
    action: Literal["deploy", "upgrade"] = "deploy" if there is None else "upgrade"
    return Price(action, len(binary), transactions, Lamports(signatures * _SIGNATURE), Lamports(rent), lent)
