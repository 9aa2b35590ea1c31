"""What attack tests share: a site as far as governance and registry, refusals by name, and bent instructions."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.office import Office
from tests.copies import copy_program, copy_programs

from meterchain import instructions as ix
from meterchain.accounts import MeterKind, Role, UserType
from meterchain.chain import TransactionFailed
from meterchain.ed25519 import Signed, possession_message
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import MeterAssignment
from meterchain.programs import Programs
from meterchain.units import InstallId, Mwh
from toolchain import llvm
from toolchain.elf.link_v0 import link_v0
from toolchain.elf.relocatable import read_object
from toolchain.linker import compile_modules

Funded = Callable[[str], Keypair]
Refusal = Callable[[Sequence[Instruction], Sequence[Keypair]], str]
Possess = Callable[..., Signed]
Assign = Callable[..., list[Instruction]]


class Bend(Protocol):
    """See the fixture `bend`."""

    def __call__(
        self,
        instruction: Instruction,
        index: int,
        *,
        key: Pubkey | None = None,
        signer: bool | None = None,
        writable: bool | None = None,
    ) -> Instruction: ...


@pytest.fixture
def guardian(funded: Funded) -> Keypair:
    """May pause, and nothing else."""
    return funded("guardian")


@pytest.fixture
def validator(funded: Funded) -> Keypair:
    """The single_validator: may pause, as the guardian may."""
    return funded("validator")


@pytest.fixture
def stranger(funded: Funded) -> Keypair:
    """Has money and no rights."""
    return funded("stranger")


@pytest.fixture
def founded(chain: EmbeddedChain, built: Programs, authority: Keypair) -> EmbeddedChain:
    """`chain` with governance and registry deployed, nothing initialised."""
    copy_programs(chain, built, authority, ("governance", "registry"))
    return chain


@pytest.fixture
def governed(
    founded: EmbeddedChain, built: Programs, authority: Keypair, guardian: Keypair, validator: Keypair
) -> EmbeddedChain:
    """`founded` with governance initialised: authority, guardian, validator."""
    start = ix.initialize_governance(
        built,
        authority.pubkey(),
        engineering_authority=authority.pubkey(),
        guardian=guardian.pubkey(),
        single_validator=validator.pubkey(),
        campus_network="campus",
    )
    founded.send([start], [authority])
    return founded


@pytest.fixture
def domain() -> bytes:
    """The site that records and proofs name."""
    return b"\x01\x02\x03\x04\x05\x06\x07\x08"


@pytest.fixture
def registered(governed: EmbeddedChain, built: Programs, authority: Keypair, domain: bytes) -> EmbeddedChain:
    """`governed` with the registry initialised; no user yet."""
    governed.send([ix.initialize_registry(built, authority.pubkey(), "building 1", domain)], [authority])
    return governed


@pytest.fixture
def refusal(chain: EmbeddedChain) -> Refusal:
    """`refusal(instructions, signers)`: the name of the error with which the chain refuses them."""

    def attempt(attack: Sequence[Instruction], signers: Sequence[Keypair]) -> str:
        with pytest.raises(TransactionFailed) as refused:
            chain.send(attack, signers)
        return refused.value.name

    return attempt


@pytest.fixture
def bend() -> Bend:
    """A copy of an instruction with one account changed: another key, or a flag set or taken away."""

    def change(
        instruction: Instruction,
        index: int,
        *,
        key: Pubkey | None = None,
        signer: bool | None = None,
        writable: bool | None = None,
    ) -> Instruction:
        metas = list(instruction.accounts)
        old = metas[index]
        metas[index] = AccountMeta(
            old.pubkey if key is None else key,
            old.is_signer if signer is None else signer,
            old.is_writable if writable is None else writable,
        )
        return Instruction(instruction.program_id, instruction.data, metas)

    return change


@pytest.fixture
def possess(domain: bytes) -> Possess:
    """`possess(key, assignment)`: the proof that `key` makes, for another domain, owner or install if asked."""

    def sign(
        key: Keypair,
        assignment: MeterAssignment,
        *,
        site: bytes = domain,
        owner: Pubkey | None = None,
        install_id: int = 1,
    ) -> Signed:
        message = possession_message(site, assignment.meter_id, owner or assignment.owner, InstallId(install_id))
        return Signed(bytes(key.pubkey()), bytes(key.sign_message(message)))

    return sign


@pytest.fixture
def alice(funded: Funded) -> Keypair:
    """A prosumer."""
    return funded("alice")


@pytest.fixture
def bob(funded: Funded) -> Keypair:
    """A consumer."""
    return funded("bob")


@pytest.fixture
def town(registered: EmbeddedChain, built: Programs, authority: Keypair, alice: Keypair, bob: Keypair) -> EmbeddedChain:
    """`registered` with two users."""
    for key, kind in ((alice, UserType.PROSUMER), (bob, UserType.CONSUMER)):
        register = ix.register_user(built, authority.pubkey(), key.pubkey(), kind, Role.STUDENT)
        registered.send([register], [authority])
    return registered


@pytest.fixture
def plan(alice: Keypair) -> MeterAssignment:
    """A meter for alice."""
    return MeterAssignment(
        "METER_001",
        alice.pubkey(),
        MeterKind.BIDIRECTIONAL,
        5_000,
        10_000,
        10,
        Mwh(7),
        Mwh(8),
        "SN-1",
        "SDM120",
        "hall 3",
    )


@pytest.fixture
def assign(built: Programs, authority: Keypair, domain: bytes, possess: Possess) -> Assign:
    """`assign(plan, key)`: the two instructions by which the department assigns a meter, with that key's own proof."""

    def build(assignment: MeterAssignment, key: Keypair, proof: Signed | None = None) -> list[Instruction]:
        return ix.assign_meter(built, authority.pubkey(), domain, assignment, proof or possess(key, assignment))

    return build


@pytest.fixture
def meter_key() -> Callable[[str], Keypair]:
    """`meter_key("1")`: the key of a meter's node, always the same."""

    def make(name: str) -> Keypair:
        return Keypair.from_seed(hashlib.sha256(f"meter key {name}".encode()).digest())

    return make


@pytest.fixture
def office(
    town: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    domain: bytes,
    alice: Keypair,
    meter_key: Callable[[str], Keypair],
    assign: Assign,
    plan: MeterAssignment,
) -> Office:
    """`town` with METER_001 of alice, and what the department may do there."""
    town.send(assign(plan, meter_key("1")), [authority])
    return Office(town, built, authority, domain, alice, meter_key)


@pytest.fixture
def second(plan: MeterAssignment) -> MeterAssignment:
    """Another metering point of alice with another device."""
    return replace(plan, meter_id="METER_002", serial="SN-9")


def compiled(name: str) -> bytes:
    """A program that stands beside this file as LLVM's text, compiled as our own programs are."""
    empty = bytes(llvm.from_text('target triple = "bpfel"\n').as_bitcode())
    source = Path(__file__).with_name(name).read_text("utf-8")
    return link_v0(read_object(compile_modules([bytes(llvm.from_text(source).as_bitcode())], empty)[1]))


@pytest.fixture(scope="session")
def proxy_binary() -> bytes:
    """The program of proxy.ll."""
    return compiled("proxy.ll")


@pytest.fixture(scope="session")
def idle_binary() -> bytes:
    """The program of idle.ll."""
    return compiled("idle.ll")


@pytest.fixture
def idle(chain: EmbeddedChain, authority: Keypair, idle_binary: bytes) -> Pubkey:
    """A foreign program that takes any data, and does nothing."""
    key = Keypair.from_seed(hashlib.sha256(b"idle").digest())
    copy_program(chain, key, idle_binary, authority)
    return key.pubkey()


@pytest.fixture
def by_proxy(chain: EmbeddedChain, authority: Keypair, proxy_binary: bytes) -> Callable[..., Instruction]:
    """`by_proxy(instruction, shown=b"")`: the call, made by a foreign program whose own data begin with `shown`."""
    key = Keypair.from_seed(hashlib.sha256(b"proxy").digest())
    copy_program(chain, key, proxy_binary, authority)

    def wrap(call: Instruction, shown: bytes = b"") -> Instruction:
        target = AccountMeta(call.program_id, is_signer=False, is_writable=False)
        data = shown + bytes(call.data) + len(call.data).to_bytes(2, "little")
        return Instruction(key.pubkey(), data, [target, *call.accounts])

    return wrap
