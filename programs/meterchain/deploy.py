"""Deployment through the BPF upgradeable loader, over any `Chain`: resumable, verified, idempotent.

    1  a buffer is created and written in chunks; its key follows from authority, program and bytes, so that an
       interrupted run finds what it wrote and sends only what is missing
    2  the buffer's bytes are read back and compared
    3  DeployWithMaxDataLen for a new program, Upgrade (after ExtendProgram if it grew) for one whose bytes differ
    4  the program's bytes are read back and compared; then the slot is left behind: a program runs from the next

Account layouts of the loader (bincode):

    Buffer       u32 1 · option u8 · authority 32 · bytes from 37
    Program      u32 2 · address of its ProgramData 32
    ProgramData  u32 3 · slot u64 · option u8 · authority 32 · bytes from 45, zeros after the program
"""

import hashlib
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import (
    ID as SYSTEM,
)
from solders.system_program import (
    AllocateParams,
    AssignParams,
    CreateAccountParams,
    TransferParams,
    allocate,
    assign,
    create_account,
    transfer,
)

from meterchain.chain import AccountInfo, AlreadyProcessed, BlockhashExpired, Chain, ChainError
from meterchain.units import Lamports

LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")
_RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
_CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
BUFFER_HEAD = 37
PROGRAM_SIZE = 36
DATA_HEAD = 45
_CHUNK = 900
"""Bytes of program in one transaction; 914 would be the most with a payer and an authority that differ."""
_MIN_EXTENSION = 10_240
"""ExtendProgram takes no less (SIMD-0431)."""
_AT_ONCE = 16
_ROUNDS = 8

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, how much is done, out of how much)."""


class DeployError(ChainError):
    """The program cannot be deployed, or what stands on the chain is not what was sent."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What `deploy` found or did."""

    program: Pubkey
    action: Literal["deployed", "upgraded", "unchanged"]
    size: int
    writes: int


@dataclass(frozen=True, slots=True)
class OnChain:
    """A program as the chain has it: its bytes with their padding, who may upgrade it, since which slot."""

    data_address: Pubkey
    authority: Pubkey | None
    slot: int
    content: bytes

    def holds(self, binary: bytes) -> bool:
        """True if exactly `binary` would run."""
        return self.content[: len(binary)] == binary and not any(self.content[len(binary) :])


@dataclass(frozen=True, slots=True)
class Written:
    """How far an earlier run came: whether the buffer is there, and the offsets of the chunks that it lacks."""

    exists: bool
    missing: Sequence[int]


def program_data_address(program: Pubkey) -> Pubkey:
    """Where the loader keeps the bytes of `program`."""
    return Pubkey.find_program_address([bytes(program)], LOADER)[0]


def look(chain: Chain, program: Pubkey) -> OnChain | None:
    """What is deployed at `program`, None if nothing is.  Raises DeployError if something else lives there."""
    address = program_data_address(program)
    account, data = chain.accounts([program, address])
    if account is None or (account.owner == SYSTEM and not account.data):
        return None
    if account.owner != LOADER or account.data[:4] != struct.pack("<I", 2):
        raise DeployError(f"{program} is no program of the upgradeable loader: choose other program ids")
    if data is None or len(data.data) < DATA_HEAD:
        raise DeployError(
            f"{program} was closed; a closed program id can never be used again: choose other program ids"
        )
    tag, slot, has_authority = struct.unpack_from("<IQB", data.data)
    if tag != 3:
        raise DeployError(f"{address} is not the ProgramData of {program}")
    authority = Pubkey(data.data[13:DATA_HEAD]) if has_authority else None
    return OnChain(address, authority, slot, data.data[DATA_HEAD:])


def deploy(
    chain: Chain,
    program: Pubkey,
    binary: bytes,
    *,
    payer: Keypair,
    authority: Keypair,
    program_key: Keypair | None = None,
    progress: Progress = lambda _what, _done, _total: None,
) -> Deployment:
    """Bring `binary` to `program` and prove it.  `program_key` is needed the first time only.

    Raises DeployError (no key, other upgrade authority, bytes that differ after all) and what Chain.send raises.
    """
    there = look(chain, program)
    refuse_strangers(there, program, authority, program_key)
    if there and there.holds(binary):
        progress("unchanged", len(binary), len(binary))
        return Deployment(program, "unchanged", len(binary), 0)
    buffer = _buffer_key(authority, program, binary)
    writes = _write_buffer(chain, buffer, binary, payer, authority, progress)
    progress("starting", 0, 1)
    if there is None and program_key is not None:
        _start(chain, program_key, buffer.pubkey(), binary, payer, authority)
    elif there is not None:
        _replace(chain, program, there, buffer.pubkey(), binary, payer, authority)
    done = look(chain, program)
    if done is None or not done.holds(binary):
        raise DeployError(f"the chain does not show the bytes that were sent to {program}: run the deployment again")
    chain.wait_past(done.slot)
    progress("verified", 1, 1)
    return Deployment(program, "deployed" if there is None else "upgraded", len(binary), writes)


def refuse_strangers(there: OnChain | None, program: Pubkey, authority: Keypair, program_key: Keypair | None) -> None:
    """Raises DeployError if `authority` may not upgrade what is there, or the key of a new program is not given."""
    if there is None and (program_key is None or program_key.pubkey() != program):
        raise DeployError(
            f"{program} is not deployed yet, and its keypair was not given: pass it to deploy the first time"
        )
    if there and there.authority != authority.pubkey():
        raise DeployError(
            f"{program} can be upgraded by {there.authority or 'nobody'} only, not by {authority.pubkey()}"
        )


def room_for(binary: bytes) -> int:
    """Bytes that a new program gets: an upgrade may grow by a quarter before it must extend."""
    return len(binary) + len(binary) // 4


def extension(there: OnChain, binary: bytes) -> int:
    """Bytes by which a deployed program must be extended before `binary` fits; 0 if it does."""
    short = len(binary) - len(there.content)
    return max(short, _MIN_EXTENSION) if short > 0 else 0


def written(chain: Chain, authority: Keypair, program: Pubkey, binary: bytes) -> Written:
    """What an interrupted `deploy` has left in its buffer."""
    address, offsets = _buffer_key(authority, program, binary).pubkey(), range(0, len(binary), _CHUNK)
    (there,) = chain.accounts([address])
    if there is None or there.owner != LOADER:
        return Written(exists=False, missing=offsets)
    return Written(exists=True, missing=_missing(chain, address, binary, offsets))


def _buffer_key(authority: Keypair, program: Pubkey, binary: bytes) -> Keypair:
    digest = hashlib.sha256(binary).digest()
    return Keypair.from_seed(
        hashlib.sha256(b"meterchain buffer" + authority.secret() + bytes(program) + digest).digest()
    )


def _write_buffer(
    chain: Chain, buffer: Keypair, binary: bytes, payer: Keypair, authority: Keypair, progress: Progress
) -> int:
    address = buffer.pubkey()
    (there,) = chain.accounts([address])
    if there is None or there.owner != LOADER:
        head = Instruction(LOADER, struct.pack("<I", 0), [_writable(address), _readonly(authority.pubkey())])
        create = _create(chain, payer.pubkey(), address, BUFFER_HEAD + len(binary), there)
        chain.send([*create, head], [payer, buffer])
    offsets = range(0, len(binary), _CHUNK)
    writes = 0
    for _ in range(_ROUNDS):
        missing = _missing(chain, address, binary, offsets)
        if not missing:
            return writes
        done = len(offsets) - len(missing)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            sends = [pool.submit(_write, chain, address, offset, binary, payer, authority) for offset in missing]
            try:
                for count, sent in enumerate(sends, done + 1):
                    sent.result()
                    progress("writing", count, len(offsets))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        writes += len(missing)
    raise DeployError(
        f"buffer {address} is still incomplete after {_ROUNDS} rounds: run the deployment again, it resumes"
    )


def _missing(chain: Chain, buffer: Pubkey, binary: bytes, offsets: Sequence[int]) -> list[int]:
    (account,) = chain.accounts([buffer])
    written = b"" if account is None else account.data[BUFFER_HEAD:]
    return [at for at in offsets if written[at : at + _CHUNK] != binary[at : at + _CHUNK]]


def _write(chain: Chain, buffer: Pubkey, offset: int, binary: bytes, payer: Keypair, authority: Keypair) -> None:
    chunk = binary[offset : offset + _CHUNK]
    data = struct.pack("<IIQ", 1, offset, len(chunk)) + chunk
    try:
        chain.send([Instruction(LOADER, data, [_writable(buffer), _signer(authority.pubkey())])], [payer, authority])
    except (AlreadyProcessed, BlockhashExpired):
        return  # the next round looks at the bytes


def _start(chain: Chain, program: Keypair, buffer: Pubkey, binary: bytes, payer: Keypair, authority: Keypair) -> None:
    address = program.pubkey()
    (there,) = chain.accounts([address])
    deployment = Instruction(
        LOADER,
        struct.pack("<IQ", 2, room_for(binary)),
        [
            AccountMeta(payer.pubkey(), is_signer=True, is_writable=True),
            _writable(program_data_address(address)),
            _writable(address),
            _writable(buffer),
            _readonly(_RENT),
            _readonly(_CLOCK),
            _readonly(SYSTEM),
            _signer(authority.pubkey()),
        ],
    )
    create = _create(chain, payer.pubkey(), address, PROGRAM_SIZE, there)
    chain.send([*create, deployment], [payer, program, authority])


def _replace(
    chain: Chain, program: Pubkey, there: OnChain, buffer: Pubkey, binary: bytes, payer: Keypair, authority: Keypair
) -> None:
    chain.wait_past(there.slot)
    if size := extension(there, binary):
        growth = struct.pack("<II", 6, size)
        accounts = [_writable(there.data_address), _writable(program), _readonly(SYSTEM)]
        paying = AccountMeta(payer.pubkey(), is_signer=True, is_writable=True)
        chain.send([Instruction(LOADER, growth, [*accounts, paying])], [payer])
        extended = look(chain, program)
        chain.wait_past(extended.slot if extended else there.slot)
    upgrade = Instruction(
        LOADER,
        struct.pack("<I", 3),
        [
            _writable(there.data_address),
            _writable(program),
            _writable(buffer),
            _writable(payer.pubkey()),
            _readonly(_RENT),
            _readonly(_CLOCK),
            _signer(authority.pubkey()),
        ],
    )
    chain.send([upgrade], [payer, authority])


def _create(chain: Chain, payer: Pubkey, address: Pubkey, size: int, there: AccountInfo | None) -> list[Instruction]:
    """Create an account for the loader, also where somebody has put lamports before."""
    rent = chain.rent_exempt(size)
    if there is None:
        new = CreateAccountParams(from_pubkey=payer, to_pubkey=address, lamports=rent, space=size, owner=LOADER)
        return [create_account(new)]
    lacking = Lamports(max(rent - there.lamports, 0))
    return [
        transfer(TransferParams(from_pubkey=payer, to_pubkey=address, lamports=lacking)),
        allocate(AllocateParams(pubkey=address, space=size)),
        assign(AssignParams(pubkey=address, owner=LOADER)),
    ]


def _writable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)


def _readonly(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)


def _signer(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=True, is_writable=False)
