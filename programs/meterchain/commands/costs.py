"""What our transactions cost: 5,000 lamports a signature, and rent for the accounts that they make."""

from collections.abc import Mapping, Sequence

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.system_program import ID as SYSTEM

from meterchain.chain import Chain
from meterchain.ed25519 import PRECOMPILE
from meterchain.idl import Idl
from meterchain.programs import Programs
from meterchain.units import Lamports

SIGNATURE_FEE = Lamports(5_000)
LAMPORTS_PER_SOL = 1_000_000_000
ATOMS_PER_GRID = 1_000_000_000
_MINT_SIZE = 82
_TOKEN_ACCOUNT_SIZE = 165
_LARGEST = 65_536
_TRANSFER = b"\2\0\0\0"
"""How the System program's transfer begins, which is how we pay an account's rent; the lamports follow."""

MADE: Mapping[str, tuple[str | int, ...]] = {
    "initialize_governance": ("GovernanceConfig",),
    "initialize_registry": ("RegistryConfig",),
    "initialize_token": ("TokenConfig", _MINT_SIZE),
    "initialize_oracle": ("OracleConfig",),
    "register_user": ("User",),
    "create_associated_token_account": (_TOKEN_ACCOUNT_SIZE,),
    "assign_meter": ("Meter", "KeyIndex", "SerialIndex"),
    "rotate_meter_key": ("KeyIndex",),
    "replace_meter": ("KeyIndex", "SerialIndex"),
    "init_meter_state": ("MeterState",),
    "initialize_market": ("Market", _TOKEN_ACCOUNT_SIZE, _TOKEN_ACCOUNT_SIZE),
    "open_seat": ("SeatIndex",),
}
"""The accounts that an instruction makes, at most: an account type of its program, or a size in bytes."""


def fee_of(instructions: Sequence[Instruction], signers: Sequence[Keypair]) -> Lamports:
    """The base fee, lamports: signatures of the transaction and those that the Ed25519 precompile checks."""
    checked = sum(bytes(each.data)[0] for each in instructions if each.program_id == PRECOMPILE)
    return Lamports((len({signer.pubkey() for signer in signers}) + checked) * SIGNATURE_FEE)


def rent_of(chain: Chain, programs: Programs, instructions: Sequence[Instruction]) -> Lamports:
    """Rent, lamports, of all accounts that these instructions make; they do not come back."""
    total = 0
    for instruction in instructions:
        if instruction.program_id == SYSTEM and bytes(instruction.data).startswith(_TRANSFER):
            total += int.from_bytes(bytes(instruction.data)[4:12], "little")
        idl = programs.by_id.get(instruction.program_id)
        if idl is None:
            continue
        name, _ = idl.decode_instruction(bytes(instruction.data))
        for made in MADE.get(name, ()):
            total += chain.rent_exempt(made if isinstance(made, int) else account_size(idl, made))
    return Lamports(total)


def account_size(idl: Idl, name: str) -> int:
    """Bytes of an account of type `name` with its discriminator; of a slab, its head."""
    _, end = idl.types.decode({"defined": {"name": name}}, bytes(_LARGEST))
    return len(idl.discriminator(name)) + end


def in_grid(atoms: int) -> str:
    """`1234567890` atoms as `1.234567890 GRID`, exactly."""
    return f"{atoms // ATOMS_PER_GRID:,}.{atoms % ATOMS_PER_GRID:09d} GRID"


def in_sol(lamports: int) -> str:
    """`1234567` as `0.001234567 SOL`."""
    whole, rest = divmod(abs(lamports), LAMPORTS_PER_SOL)
    return f"{'-' if lamports < 0 else ''}{whole:,}.{rest:09d}".rstrip("0").rstrip(".") + " SOL"
