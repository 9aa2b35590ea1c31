"""What the oracle's attack tests share: a plant with two meters, and a foreign program."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.oracle.plant import Node, Plant
from tests.copies import copy_program

from meterchain.embedded import EmbeddedChain
from meterchain.site import Site

EVIL = Keypair.from_seed(hashlib.sha256(b"evil program").digest())
EVIL_BINARY = Path(__file__).parents[1] / "evil/meterchain/artifacts/evil.so"

Relay = Callable[..., Instruction]


@pytest.fixture
def alice(funded: Callable[[str], Keypair]) -> Keypair:
    """Owns METER_001."""
    return funded("alice")


@pytest.fixture
def bob(funded: Callable[[str], Keypair]) -> Keypair:
    """Owns METER_002."""
    return funded("bob")


@pytest.fixture
def plant(
    site: Site, chain: EmbeddedChain, authority: Keypair, funded: Callable[[str], Keypair], alice: Keypair, bob: Keypair
) -> Plant:
    """A site with METER_001 of alice and METER_002 of bob, both able to do everything."""
    here = Plant(chain, site, authority, funded("relayer"))
    here.add("METER_001", alice)
    here.add("METER_002", bob)
    return here


@pytest.fixture
def node(plant: Plant) -> Node:
    """The node of METER_001."""
    return plant.nodes["METER_001"]


@pytest.fixture
def other(plant: Plant) -> Node:
    """The node of METER_002."""
    return plant.nodes["METER_002"]


@pytest.fixture
def relay(chain: EmbeddedChain, authority: Keypair) -> Relay:
    """`relay(call, shown)`: the call made by the evil program, whose own data hold `shown` where the oracle's would."""
    copy_program(chain, EVIL, EVIL_BINARY.read_bytes(), authority)
    bump = Pubkey.find_program_address([b"oracle_auth"], EVIL.pubkey())[1]

    def wrap(call: Instruction, shown: Sequence[bytes] = (), ed_ix: int = 0) -> Instruction:
        data = (
            hashlib.sha256(b"global:relay").digest()[:8]
            + bytes([ed_ix])
            + len(shown).to_bytes(4, "little")
            + b"".join(shown)
        )
        data += bytes([bump]) + len(call.data).to_bytes(4, "little") + bytes(call.data)
        return Instruction(
            EVIL.pubkey(), data, [AccountMeta(call.program_id, is_signer=False, is_writable=False), *call.accounts]
        )

    return wrap
