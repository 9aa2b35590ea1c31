"""The operator at the keyboard: wallets in files, commands against the embedded chain, exit codes as they are seen."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from solders.keypair import Keypair
from typer.testing import CliRunner

from meterbridge.exits import exit_code_of
from meterchain.chain import Chain
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs

if TYPE_CHECKING:
    from tests.meterchain.conftest import Signer

Funded = Callable[[str], Keypair]


class KeptChain(EmbeddedChain):
    """Commands hang up when they are done; the tests still have questions."""

    def close(self) -> None:
        return


@pytest.fixture
def chain() -> EmbeddedChain:
    return KeptChain()


@dataclass(frozen=True)
class Outcome:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:  # noqa: ANN401
        return json.loads(self.out)


@dataclass(frozen=True)
class Operator:
    """Runs commands as `meterbridge` does, `chain` being behind every --rpc."""

    chain: Chain

    def run(self, app: typer.Typer, *words: object) -> Outcome:
        def connect(_url: str, _programs: Programs) -> Chain:
            return self.chain

        done = CliRunner().invoke(app, [str(word) for word in words], obj=connect)
        code, said = done.exit_code, done.stderr
        if done.exception and not isinstance(done.exception, SystemExit):
            known = exit_code_of(done.exception)
            if known is None:
                raise done.exception
            code, said = known, f"{said}{done.exception}"
        return Outcome(code, done.stdout, said)


@pytest.fixture
def operator(chain: EmbeddedChain) -> Operator:
    return Operator(chain)


@pytest.fixture
def wallet_of(tmp_path: Path) -> Callable[[Keypair], Path]:
    """`wallet_of(key)`: a file with this wallet, private."""

    def write(key: Keypair) -> Path:
        path = tmp_path / f"{key.pubkey()}.json"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(key.to_json())
        return path

    return write


@pytest.fixture
def department(authority: Keypair, wallet_of: Callable[[Keypair], Path]) -> Path:
    """The authority's wallet file."""
    return wallet_of(authority)


def claim_file(folder: Path, signer: "Signer", **changes: object) -> Path:
    """What the node of `signer` would print for its operator."""
    wanted, proof = signer.assignment, signer.claim()
    claim = {
        "schema": 1,
        "meter_id": wanted.meter_id,
        "owner": str(wanted.owner),
        "domain": signer.site.domain.hex(),
        "install_id": 1,
        "public_key": str(signer.key.pubkey()),
        "signature": proof.signature.hex(),
        "model": wanted.model,
        "serial": wanted.serial,
        "resolution_mwh": wanted.resolution_mwh,
        "baseline_export_mwh": wanted.baseline_export_mwh,
        "baseline_import_mwh": wanted.baseline_import_mwh,
    }
    path = folder / f"{wanted.meter_id}.claim.json"
    path.write_text(json.dumps(claim | changes))
    return path


def balance(chain: Chain, key: Keypair) -> int:
    (info,) = chain.accounts([key.pubkey()])
    return info.lamports if info else 0
