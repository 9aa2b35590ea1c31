"""A market."""

import pytest
from solders.keypair import Keypair
from tests.copies import copy_site
from tests.trading.ground import Ground
from tests.trading.making import build

from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.site import Site


@pytest.fixture
def site(chain: EmbeddedChain, built: Programs, authority: Keypair) -> Site:
    """The programs, initialised: the same as everywhere, copied."""
    return copy_site(chain, built, authority)


@pytest.fixture
def ground(site: Site, chain: EmbeddedChain, built: Programs, authority: Keypair) -> Ground:
    """A market with nobody in it."""
    return build(chain, built, authority)
