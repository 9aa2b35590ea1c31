"""A market, and six who trade in it."""

import pytest
from solders.keypair import Keypair
from tests.meterchain.market.place import Place, open_place

from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.site import Site


@pytest.fixture
def place(chain: EmbeddedChain, built: Programs, site: Site, authority: Keypair) -> Place:
    """A small market; anybody may trigger."""
    return open_place(chain, built, site, authority)


@pytest.fixture
def traders(place: Place) -> list[Keypair]:
    """Six prosumers with seats, GRID and money."""
    return [place.join(f"trader {n}") for n in range(6)]
