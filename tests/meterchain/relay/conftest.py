"""A relay on a site with meters, and the windows that their nodes would publish."""

from collections.abc import Callable, Sequence

import pytest
from solders.keypair import Keypair
from tests.meterchain.conftest import Signer

from meterchain.commands.relay import shared_accounts
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import SignedRecord
from meterchain.relay import window as windows
from meterchain.relay.delivery import Relay
from meterchain.relay.tables import Tables
from meterchain.relay.window import Window
from meterchain.site import Site

NewRelay = Callable[[str], Relay]


def window_of(records: Sequence[SignedRecord]) -> Window:
    """What a node with these records due publishes, as a relay reads it."""
    return windows.decode(windows.encode([(record.encoded, record.signed.signature) for record in records]))


def next_record(meter: Signer, kwh: float = 0.5) -> SignedRecord:
    """The meter's next slot, with so much more export."""
    before = meter.last.export_mwh if meter.last else 1_000_000
    return meter.sign(before + round(kwh * 1_000_000), 7_000_000)


@pytest.fixture
def new_relay(site: Site, chain: EmbeddedChain, funded: Callable[[str], Keypair]) -> NewRelay:
    """`new_relay("anna")`: a relay with a wallet of its own."""

    def make(name: str) -> Relay:
        payer = funded(f"relay {name}")
        tables = Tables(chain, payer, shared=shared_accounts(site.programs))
        return Relay(chain, site.programs, site.domain, payer, tables, settle_every=0)

    return make


@pytest.fixture
def relay(new_relay: NewRelay) -> Relay:
    """One relay."""
    return new_relay("one")
