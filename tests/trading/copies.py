"""A site in a millisecond: deployed and initialised once, through the loader, then copied into fresh chains."""

from functools import cache

from solders.keypair import Keypair
from tests.trading.rows import SOL

from meterchain import pdas, programs, site
from meterchain.chain import AccountInfo
from meterchain.deploy import program_data_address
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.site import Site, SiteSettings
from meterchain.units import Lamports


@cache
def _original(secret: bytes) -> list[AccountInfo]:
    chain, built, authority = EmbeddedChain(), programs.load(), Keypair.from_bytes(secret)
    chain.airdrop(authority.pubkey(), Lamports(1_000 * SOL))
    site.deploy_programs(chain, built, payer=authority, authority=authority)
    here = site.initialise(chain, built, SiteSettings("copied"), authority)
    ids = [built.id(name) for name in built]
    code = [*(program_data_address(program) for program in ids), *ids]
    state = [here.governance, here.registry, here.oracle, here.token_config, here.grid_mint]
    found = chain.accounts([*code, *state, pdas.oracle_auth(built)])
    chain.close()
    return [info for info in found if info]


def copy_site(chain: EmbeddedChain, built: Programs, authority: Keypair) -> Site:
    """Puts the programs and their configs, with `authority` as the department, on a fresh chain."""
    for info in _original(bytes(authority)):
        chain.set_account(
            info.address, owner=info.owner, data=info.data, lamports=info.lamports, executable=info.executable
        )
    chain.next_block()
    return site.load(chain, built)
