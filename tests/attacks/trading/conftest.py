"""A market under attack: two traders, and refusals by name."""

from collections.abc import Callable

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from tests.copies import copy_site
from tests.trading.ground import Ground
from tests.trading.making import build
from tests.trading.rows import Trader

from meterchain import pdas
from meterchain.accounts import UserType
from meterchain.chain import TransactionFailed
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.site import Site

Refused = Callable[..., str]
Param = Callable[[int, int], None]
Pause = Callable[[int], None]
Status = Callable[[Keypair, int], None]


@pytest.fixture
def chain() -> EmbeddedChain:
    """Signatures are not verified, so that a test may sign for the oracle; programs see the same signer flags."""
    return EmbeddedChain(sigverify=False)


@pytest.fixture
def site(chain: EmbeddedChain, built: Programs, authority: Keypair) -> Site:
    """The programs, initialised: the same as everywhere, copied."""
    return copy_site(chain, built, authority)


@pytest.fixture
def ground(site: Site, chain: EmbeddedChain, built: Programs, authority: Keypair) -> Ground:
    """A market of 128 slots and 32 seats."""
    return build(chain, built, authority)


@pytest.fixture
def anna(ground: Ground) -> Trader:
    """A prosumer."""
    return ground.join("anna")


@pytest.fixture
def ben(ground: Ground) -> Trader:
    """A consumer."""
    return ground.join("ben", user_type=UserType.CONSUMER)


@pytest.fixture
def refused(ground: Ground) -> Refused:
    """`refused(instruction, …, by=key)`: the name of the error."""

    def attempt(*attack: Instruction, by: Keypair | None = None) -> str:
        with pytest.raises(TransactionFailed) as refusal:
            ground.send(*attack, by=by)
        return refusal.value.name

    return attempt


@pytest.fixture
def param(ground: Ground) -> Param:
    """`param(number, value)`: governance changes a parameter."""

    def change(number: int, value: int) -> None:
        accounts = {"authority": ground.authority.pubkey()}
        arguments = {"ids": bytes([number]), "values": [value]}
        ground.send(ground.built["governance"].instruction("update_parameters", accounts, arguments))

    return change


@pytest.fixture
def pause(ground: Ground) -> Pause:
    """`pause(mask)`: the department stops parts of the site."""

    def stop(mask: int) -> None:
        accounts = {"authority": ground.authority.pubkey()}
        arguments = {"mask": mask, "reason": 1}
        ground.send(ground.built["governance"].instruction("emergency_pause", accounts, arguments))

    return stop


@pytest.fixture
def status(ground: Ground) -> Status:
    """`status(key, n)`: the department makes a user Active (0), Suspended (1) or Revoked (2)."""

    def change(who: Keypair, new: int) -> None:
        accounts = {"authority": ground.authority.pubkey(), "user": pdas.user(ground.built, who.pubkey())}
        ground.send(ground.built["registry"].instruction("set_user_status", accounts, {"status": new}))

    return change
