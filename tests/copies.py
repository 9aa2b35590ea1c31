"""Programs on a fresh chain in some milliseconds: each is deployed once, through the loader, then its accounts copied.

That a deployment does what it should is proved in tests/meterchain/test_deploy.py and test_site.py.
"""

from collections.abc import Iterable
from functools import cache

from solders.keypair import Keypair

from meterchain import site
from meterchain.chain import AccountInfo
from meterchain.deploy import deploy, program_data_address
from meterchain.embedded import EmbeddedChain
from meterchain.programs import NAMES, Programs, development_key
from meterchain.site import Site, SiteSettings
from meterchain.units import Lamports

_FEES = Lamports(100_000_000_000)


@cache
def _deployed(program_secret: bytes, binary: bytes, authority_secret: bytes) -> tuple[list[AccountInfo], int]:
    """The accounts of a program, its data first, and a slot in which it runs."""
    program, authority = Keypair.from_bytes(program_secret), Keypair.from_bytes(authority_secret)
    chain = EmbeddedChain()
    chain.airdrop(authority.pubkey(), _FEES)
    deploy(chain, program.pubkey(), binary, payer=authority, authority=authority, program_key=program)
    found = chain.accounts([program_data_address(program.pubkey()), program.pubkey()])
    slot = chain.clock().slot
    chain.close()
    return [info for info in found if info], slot


def copy_program(chain: EmbeddedChain, key: Keypair, binary: bytes, authority: Keypair) -> None:
    """Puts a program on `chain` as `deploy` would, with `authority` to upgrade it."""
    infos, slot = _deployed(bytes(key), binary, bytes(authority))
    for info in infos:
        chain.set_account(
            info.address, owner=info.owner, data=info.data, lamports=info.lamports, executable=info.executable
        )
    chain.wait_past(slot)


def copy_programs(chain: EmbeddedChain, built: Programs, authority: Keypair, names: Iterable[str] = NAMES) -> None:
    """Puts the committed programs of these names on `chain`, nothing initialised."""
    for name in names:
        copy_program(chain, development_key(name), built.binary(name), authority)


def copy_site(chain: EmbeddedChain, built: Programs, authority: Keypair, name: str = "test") -> Site:
    """Puts the programs on `chain` and initialises them, with `authority`, who has the money, as the department."""
    copy_programs(chain, built, authority)
    return site.initialise(chain, built, SiteSettings(name), authority)
