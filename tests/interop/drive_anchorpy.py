"""Drives our programs with anchorpy3, in an environment of its own (requirements.txt): it cannot stand beside ours.

    python drive_anchorpy.py IDL_FOLDER RPC < order.json          order and answer as drive.cjs has them

anchorpy3 reads our IDLs as they are.  It resolves no PDAs, so they are derived here.
"""

import asyncio
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from anchorpy import Context, EventParser, Idl, Program, Provider, Wallet
from anchorpy.error import ProgramError
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM


def load(folder: Path, name: str, provider: Provider) -> Program:
    """The program `name`."""
    text = (folder / f"{name}.json").read_text()
    return Program(Idl.from_json(text), Pubkey.from_string(json.loads(text)["address"]), provider)


def find(program: Program, *seeds: bytes) -> Pubkey:
    """A PDA."""
    return Pubkey.find_program_address(list(seeds), program.program_id)[0]


def padded(text: str, size: int) -> list[int]:
    """Text as a byte array."""
    return list(text.encode().ljust(size, b"\0"))


async def events(program: Program, signature: Any) -> list[Any]:  # noqa: ANN401
    """What the program announced in a transaction."""
    found = await program.provider.connection.get_transaction(signature, commitment=Confirmed)
    seen: list[Any] = []
    EventParser(program.program_id, program.coder).parse_logs(found.value.transaction.meta.log_messages, seen.append)
    return seen


async def drive(folder: Path, url: str, order: dict[str, Any]) -> dict[str, Any]:
    """Register a user, read him back, be refused by name."""
    did: list[str] = []
    authority = Keypair.from_bytes(bytes(order["wallet"]))
    async with AsyncClient(url, commitment=Confirmed) as client:
        provider = Provider(client, Wallet(authority))
        governance, registry = load(folder, "governance", provider), load(folder, "registry", provider)
        for name in ("oracle", "energy_token", "trading"):
            load(folder, name, provider)
        did.append("all five IDLs")
        config = find(governance, b"governance")

        nonce_before = (await governance.account["GovernanceConfig"].fetch(config)).params_nonce
        changed = await governance.rpc["update_parameters"](
            bytes([2]), [100 + nonce_before % 7],
            ctx=Context(accounts={"authority": authority.pubkey(), "governance": config}),
        )  # fmt: skip
        await client.confirm_transaction(changed, Confirmed)
        assert (await governance.account["GovernanceConfig"].fetch(config)).params_nonce == nonce_before + 1
        (event,) = await events(governance, changed)
        assert event.name == "ParameterUpdated"
        did += ["GovernanceConfig", "ParameterUpdated"]

        owner = Keypair().pubkey()
        user = find(registry, b"user", bytes(owner))
        accounts = {
            "authority": authority.pubkey(), "governance": config, "config": find(registry, b"registry"),
            "wallet": owner, "user": user, "system_program": SYSTEM,
        }  # fmt: skip
        sent = await registry.rpc["register_user"](
            0, 1, padded("Lab 2", 32), list(hashlib.sha256(b"salted").digest()), ctx=Context(accounts=accounts)
        )
        await client.confirm_transaction(sent, Confirmed)
        read = await registry.account["User"].fetch(user)
        assert (read.wallet, read.role, bytes(read.location).rstrip(b"\0")) == (owner, 1, b"Lab 2")
        (event,) = await events(registry, sent)
        assert (event.name, event.data.wallet) == ("UserRegistered", owner)
        did += ["register_user", "User", "UserRegistered"]

        accounts = {"authority": authority.pubkey(), "governance": config}
        pause = governance.rpc["emergency_pause"](1 << 6, 0, ctx=Context(accounts=accounts))
        (refusal,) = await asyncio.gather(pause, return_exceptions=True)
        named = {each.code: each.name for each in governance.idl.errors}
        assert isinstance(refusal, ProgramError), refusal
        assert named[refusal.code] == "BadMask", refusal
        did.append("BadMask by its name")
    return {"did": did, "owner": str(owner)}


if __name__ == "__main__":
    report = asyncio.run(drive(Path(sys.argv[1]), sys.argv[2], json.load(sys.stdin)))
    sys.stdout.write(json.dumps(report))
