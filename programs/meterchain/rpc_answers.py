"""JSON-RPC's answers as our own types: accounts, return data, inner instructions, how far a transaction has come."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from solders.instruction import CompiledInstruction
from solders.pubkey import Pubkey

from meterchain import base58
from meterchain.chain import AccountInfo, Commitment, Receipt
from meterchain.units import Lamports

Json: TypeAlias = Any
"""What an RPC answers: parsed JSON."""

_RANK = {"processed": 0, "confirmed": 1, "finalized": 2}


def has_reached(status: Mapping[str, Json], commitment: Commitment) -> bool:
    """True if a signature's status shows at least `commitment`."""
    return _RANK.get(status.get("confirmationStatus") or "processed", 0) >= _RANK[commitment]


def returned(value: Json) -> tuple[Pubkey | None, bytes]:
    """Who returned what; (None, b"") if nobody returned anything."""
    if not value or not value["data"][0]:
        return None, b""
    return Pubkey.from_string(value["programId"]), base64.b64decode(value["data"][0])


def account(address: Pubkey, value: Json) -> AccountInfo | None:
    """The account at `address`, None where there is none."""
    if value is None:
        return None
    owner, lamports = Pubkey.from_string(value["owner"]), Lamports(value["lamports"])
    return AccountInfo(address, owner, lamports, base64.b64decode(value["data"][0]), executable=value["executable"])


def inner_data(meta: Json, keys: Sequence[Pubkey]) -> tuple[tuple[Pubkey, bytes], ...]:
    """Program and data of each inner instruction in a transaction's meta."""
    steps = [step for group in meta.get("innerInstructions") or [] for step in group["instructions"]]
    return tuple((keys[step["programIdIndex"]], base58.decode(step["data"])) for step in steps)


def looked_up(meta: Json) -> list[Pubkey]:
    """The accounts that came from lookup tables, in index order."""
    loaded = meta.get("loadedAddresses") or {}
    return [Pubkey.from_string(key) for part in ("writable", "readonly") for key in loaded.get(part, ())]


def landed(signature: str, meta: Json, keys: Sequence[Pubkey], instructions: Sequence[CompiledInstruction]) -> Receipt:
    """What a transaction of these instructions left behind; `keys` are all its accounts in index order."""
    program, data = returned(meta.get("returnData"))
    logs, units = meta.get("logMessages") or [], meta.get("computeUnitsConsumed") or 0
    called = tuple((keys[each.program_id_index], bytes(each.data)) for each in instructions)
    fee = Lamports(meta["fee"])
    return Receipt(signature, tuple(logs), units, fee, data, program, inner_data(meta, keys), called)


def to_base64(raw: bytes) -> str:
    """As transactions travel."""
    return base64.b64encode(raw).decode()
