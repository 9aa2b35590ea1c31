"""Where our accounts live: program-derived addresses, by the seeds of programs.md 4.1."""

import hashlib

from solders.pubkey import Pubkey

from meterchain.programs import Programs
from meterchain.record import encode_meter_id
from meterchain.tokens import associated_token_account

MODEL_SIZE = 16
SERIAL_SIZE = 24


def governance(programs: Programs) -> Pubkey:
    """GovernanceConfig."""
    return _find(programs, "governance", b"governance")


def registry(programs: Programs) -> Pubkey:
    """RegistryConfig."""
    return _find(programs, "registry", b"registry")


def user(programs: Programs, wallet: Pubkey) -> Pubkey:
    """User."""
    return _find(programs, "registry", b"user", bytes(wallet))


def meter(programs: Programs, meter_id: str) -> Pubkey:
    """Meter.  Raises RecordError for a bad id."""
    return _find(programs, "registry", b"meter", encode_meter_id(meter_id))


def key_index(programs: Programs, meter_key: Pubkey) -> Pubkey:
    """KeyIndex of a meter's public key."""
    return _find(programs, "registry", b"mkey", bytes(meter_key))


def serial_index(programs: Programs, model: bytes, serial: bytes) -> Pubkey:
    """SerialIndex of a physical device; `model` has 16 bytes and `serial` 24, both zero-padded."""
    return _find(programs, "registry", b"serial", hashlib.sha256(model + serial).digest())


def oracle(programs: Programs) -> Pubkey:
    """OracleConfig."""
    return _find(programs, "oracle", b"oracle")


def oracle_auth(programs: Programs) -> Pubkey:
    """The oracle's signer, the only one who mints."""
    return _find(programs, "oracle", b"oracle_auth")


def meter_state(programs: Programs, meter_address: Pubkey) -> Pubkey:
    """MeterState of the Meter at `meter_address`."""
    return _find(programs, "oracle", b"mstate", bytes(meter_address))


def token_config(programs: Programs) -> Pubkey:
    """TokenConfig."""
    return _find(programs, "energy_token", b"token_config")


def grid_mint(programs: Programs) -> Pubkey:
    """The mint of GRID."""
    return _find(programs, "energy_token", b"grid_mint")


def mint_auth(programs: Programs) -> Pubkey:
    """GRID's SPL mint authority."""
    return _find(programs, "energy_token", b"mint_auth")


def burner(programs: Programs) -> Pubkey:
    """The delegate that owners approve for burning."""
    return _find(programs, "energy_token", b"burner")


def grid_account(programs: Programs, wallet: Pubkey) -> tuple[Pubkey, int]:
    """The canonical GRID account of `wallet`, and its bump."""
    return associated_token_account(wallet, grid_mint(programs))


def _find(programs: Programs, program: str, *seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), programs.id(program))[0]
