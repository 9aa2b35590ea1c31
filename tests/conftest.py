"""What many tests start from: a fresh embedded chain, funded keys, the programs on it, a site."""

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import settings
from solders.keypair import Keypair
from tests.copies import copy_programs

from meterchain import programs
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.site import Site, SiteSettings, initialise
from meterchain.units import Lamports

SOL = 1_000_000_000

settings.register_profile("meterbridge", deadline=None)  # a busy machine is no fault of an example
settings.load_profile("meterbridge")

Funded = Callable[[str], Keypair]


@pytest.fixture(scope="session")
def built() -> Programs:
    """The committed programs and IDLs."""
    return programs.load()


@pytest.fixture
def chain() -> EmbeddedChain:
    """A fresh chain: nothing deployed, the clock at embedded.START, a block for every transaction."""
    return EmbeddedChain()


@pytest.fixture
def funded(chain: EmbeddedChain) -> Funded:
    """`funded("alice")`: the key of that name, always the same, with 100 SOL."""

    def make(name: str) -> Keypair:
        key = Keypair.from_seed(hashlib.sha256(f"test {name}".encode()).digest())
        chain.airdrop(key.pubkey(), Lamports(100 * SOL))
        return key

    return make


@pytest.fixture
def authority(funded: Funded) -> Keypair:
    """The department: upgrade authority of every program and, once a site is there, engineering authority."""
    return funded("authority")


@pytest.fixture
def deployed(chain: EmbeddedChain, built: Programs, authority: Keypair) -> EmbeddedChain:
    """`chain` with every committed program as the loader deploys it, nothing initialised."""
    copy_programs(chain, built, authority)
    return chain


@pytest.fixture
def site(deployed: EmbeddedChain, built: Programs, authority: Keypair) -> Site:
    """The programs on `chain`, initialised: governance, registry, token and oracle; `authority` is the department."""
    return initialise(deployed, built, SiteSettings("test"), authority)
