"""A site that was founded once and can be had again and again: all accounts of the chain, as they were left.

Deploying five programs takes most of a short play's time; copying their accounts takes a tenth of it.
"""

from dataclasses import dataclass

from solders.keypair import Keypair

from meterchain import programs as built
from meterchain import site as chain_site
from meterchain.chain import AccountInfo
from meterchain.deploy import LOADER
from meterchain.embedded import EmbeddedChain
from meterchain.site import Site, SiteSettings
from meterchain.tokens import TOKEN_PROGRAM
from meterchain.units import Lamports, UnixTime
from metersim.stage.cast import wallet

_TREASURY = Lamports(1_000_000_000_000)
_ALL = b""


@dataclass(frozen=True, slots=True)
class Foundation:
    """The committed programs on a chain, initialised as one site; `authority` is its department."""

    site: Site
    authority: Keypair
    accounts: tuple[AccountInfo, ...]

    def raised(self, at: UnixTime) -> EmbeddedChain:
        """A chain of its own with these accounts, its clock at `at`."""
        chain = EmbeddedChain(at)
        for info in self.accounts:
            chain.set_account(
                info.address, owner=info.owner, data=info.data, lamports=info.lamports, executable=info.executable
            )
        chain.airdrop(self.authority.pubkey(), _TREASURY)
        chain.next_block(2)
        return chain


def found(name: str) -> Foundation:
    """Deploy and initialise the committed programs as a site of that name."""
    chain = EmbeddedChain()
    authority = wallet(1, "department")
    chain.airdrop(authority.pubkey(), _TREASURY)
    programs = built.load()
    chain_site.deploy_programs(chain, programs, payer=authority, authority=authority)
    site = chain_site.initialise(chain, programs, SiteSettings(name), authority)
    owners = [LOADER, *(programs.id(program) for program in programs), TOKEN_PROGRAM]
    found_accounts = [info for owner in owners for info in chain.program_accounts(owner, _ALL).values()]
    chain.close()
    return Foundation(site, authority, tuple(sorted(found_accounts, key=lambda info: info.executable)))
