"""`papers`: a node that was never claimed; `house`: the same on a chain where its owner is registered."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.meterchain.commands.conftest import KeptChain, Operator, chain, department, operator, wallet_of
from tests.meterprov.life.house import House, Papers

from meterchain.accounts import Role, UserType
from meterchain.site import Site, register_user

__all__ = ["chain", "department", "operator", "wallet_of"]


@pytest.fixture
def house(
    tmp_path: Path,
    chain: KeptChain,
    site: Site,
    operator: Operator,
    department: Path,
    authority: Keypair,
    funded: Callable[[str], Keypair],
) -> Iterator[House]:
    owner = funded("owner")
    register_user(chain, site, authority, owner.pubkey(), UserType.PROSUMER, Role.STUDENT)
    made = House(
        tmp_path, site.domain.hex(), owner.pubkey(), chain=chain, site=site, operator=operator, department=department,
        relayer=funded("relayer"),
    )  # fmt: skip
    yield made
    made.stop()


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path, "0011223344556677", Keypair.from_seed(bytes(31) + b"\1").pubkey())
