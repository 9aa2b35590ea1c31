"""`papers`: a node that was never claimed; `house`: the same on a chain where its owner is registered."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.meterchain.commands.conftest import KeptChain, Operator, chain, department, operator, wallet_of
from tests.meterprov import cards
from tests.meterprov.life.house import METER, House, Papers

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


@pytest.fixture
def make_image(house: House) -> Callable[[], None]:
    """Make the image of the meter's next life, as `re-provision --base` does, of a small card."""

    def make() -> None:
        folder = house.folder / "wheels"
        folder.mkdir(exist_ok=True)
        own = cards.make_wheel(folder, "meterbridge-0.1.0-py3-none-any.whl")
        cards.make_wheel(folder, "pip-25.0-py3-none-any.whl")
        (house.folder / "base.img").write_bytes(cards.card("trixie"))
        words = (
            "--base",
            house.folder / "base.img",
            "-o",
            house.folder / f"life{len(house.facts())}.img",
            "--wheel",
            own,
        )
        told = house.provision("re-provision", METER, *words, "--wheels", folder, "--json")
        assert told.code == 75, told.err

    return make
