"""Foreign Anchor clients drive our programs over a real RPC; what they claim to have done, our own readers confirm."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.free_ports import free_port

from meterchain import pdas
from meterchain.accounts import MeterState, User, fetch
from meterchain.localnet import run
from meterchain.programs import Programs
from meterchain.record import record_digest
from meterchain.rpc import RpcChain
from meterchain.site import deploy_programs
from meterchain.units import Lamports

pytestmark = pytest.mark.ci
HERE = Path(__file__).parent
IDLS = Path(__file__).parents[2] / "programs" / "meterchain" / "idl"
DOMAIN = bytes(range(8))


@dataclass(frozen=True)
class Ground:
    """A local chain with the programs on it, nothing initialised; `authority` may upgrade them."""

    chain: RpcChain
    url: str
    authority: Keypair

    def order(self, meter_id: str) -> str:
        """What the drivers read from stdin."""
        return json.dumps({"wallet": list(bytes(self.authority)), "domain": DOMAIN.hex(), "meter": meter_id})


@pytest.fixture(scope="module")
def ground(built: Programs) -> Iterator[Ground]:
    with run(port=free_port(neighbours=1), slot_ms=20) as net:
        chain = RpcChain(net.url, poll_s=0.02)
        authority = Keypair.from_seed(bytes(31) + b"\3")
        chain.airdrop(authority.pubkey(), Lamports(100 * 10**9))
        deploy_programs(chain, built, payer=authority, authority=authority)
        yield Ground(chain, net.url, authority)
        chain.close()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both TypeScript clients, as package-lock.json pins them, and the driver."""
    place = tmp_path_factory.mktemp("clients")
    for name in ("package.json", "package-lock.json", "drive.cjs"):
        shutil.copy(HERE / name, place)
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=place, check=True, capture_output=True)
    return place


@pytest.fixture(scope="module")
def anchorpy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with anchorpy3 and nothing of ours."""
    place = tmp_path_factory.mktemp("anchorpy")
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    python = place / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True, capture_output=True)
    return python


def driven(command: list[str | Path], order: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(command, cwd=folder, input=order, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("client", "meter_id"), [("@anchor-lang/core", "METER_901"), ("@coral-xyz/anchor", "METER_902")]
)
def test_a_typescript_client_takes_a_kilowatt_hour_from_register_to_token(
    ground: Ground, node: Path, built: Programs, client: str, meter_id: str
) -> None:
    told = driven(["node", "drive.cjs", client, IDLS, ground.url], ground.order(meter_id), node)
    assert {"Unauthorized by its name", "SignatureMissing by its name", "TokensMinted by a CPI"} <= set(told["did"])
    state = fetch(ground.chain, built, MeterState, pdas.meter_state(built, pdas.meter(built, meter_id)))
    assert state is not None
    assert state.last_digest == record_digest(bytes.fromhex(told["reading"]))
    assert (state.cum_export_mwh, state.minted_mwh, state.owner) == (500, 500, Pubkey.from_string(told["owner"]))


def test_anchorpy3_registers_a_user_and_names_our_errors(
    ground: Ground, node: Path, anchorpy: Path, built: Programs
) -> None:
    if not is_initialised(ground, built):  # alone, it needs somebody who initialises
        driven(["node", "drive.cjs", "@anchor-lang/core", IDLS, ground.url], ground.order("METER_903"), node)
    told = driven([anchorpy, HERE / "drive_anchorpy.py", IDLS, ground.url], ground.order(""), node)
    assert {"all five IDLs", "UserRegistered", "BadMask by its name"} <= set(told["did"])
    wallet = Pubkey.from_string(told["owner"])
    user = fetch(ground.chain, built, User, pdas.user(built, wallet))
    assert user is not None
    assert (user.wallet, user.location) == (wallet, "Lab 2")


def is_initialised(ground: Ground, built: Programs) -> bool:
    (info,) = ground.chain.accounts([pdas.oracle(built)])
    return info is not None
