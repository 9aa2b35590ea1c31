"""X15: two foreign Anchor clients read our IDLs unmodified and agree with ours, byte for byte and field for field."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions
from meterchain.accounts import MeterStatus, Role, UserStatus, UserType
from meterchain.chain import Receipt
from meterchain.embedded import EmbeddedChain
from meterchain.idl import Idl
from meterchain.idl_types import IdlType, Value
from meterchain.programs import Programs
from meterchain.units import Atoms, Lamports

if TYPE_CHECKING:
    from tests.meterchain.conftest import Signer

READER = Path(__file__).parent / "interop" / "read.cjs"
PINNED = Path(__file__).parents[1] / "interop"
CLIENTS = ("@anchor-lang/core", "@coral-xyz/anchor")
SMALL = {"u8", "u16", "u32", "i8", "i16", "i32", "bool"}
pytestmark = pytest.mark.ci


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both clients, as package-lock.json pins them."""
    place = tmp_path_factory.mktemp("interop")
    for file in (PINNED / "package.json", PINNED / "package-lock.json", READER):
        shutil.copy(file, place)
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=place, check=True, capture_output=True)
    return place


def camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def lower_camel(name: str) -> str:
    return name[0].lower() + name[1:]


def typed(idl: Idl, kind: IdlType, value: Value) -> object:
    """An argument as read.cjs takes it."""
    if kind == "pubkey":
        return {"key": str(value)}
    if isinstance(kind, str):
        return value if kind in SMALL else {"bn": str(value)}
    ((word, inner),) = kind.items()
    if word == "defined":
        fields = idl.types.fields(inner["name"])
        return {camel(name): typed(idl, fields[name], part) for name, part in value.items()}
    if word == "option":
        return None if value is None else typed(idl, inner, value)
    item = inner if word == "vec" else inner[0]
    return [typed(idl, item, part) for part in value]


def plain(value: Value) -> object:
    """A decoded value as read.cjs prints it."""
    if isinstance(value, Mapping):
        return {camel(name): plain(part) for name, part in value.items()}
    if isinstance(value, bytes | list | tuple):
        return [plain(part) for part in value]
    return value if isinstance(value, bool) or value is None else str(value)


@pytest.mark.parametrize("client", CLIENTS)
def test_foreign_clients_build_and_read_what_we_do(
    client: str, clients: Path, chain: EmbeddedChain, meter: "Signer", authority: Keypair,
    built: Programs, funded: Callable[[str], Keypair],
) -> None:  # fmt: skip
    relayer = funded("relayer")
    receipts = _a_day(chain, meter, relayer)
    built_by_us = _every_instruction(meter, authority.pubkey(), relayer.pubkey())
    cases: dict[str, object] = {"idls": {name: built[name].raw for name in built}}
    ours: dict[str, list[object]] = {"instructions": [], "accounts": [], "events": []}

    asked: dict[str, list[object]] = {"instructions": [], "accounts": [], "events": []}
    for instruction in built_by_us:
        idl = built.by_id[instruction.program_id]
        name, arguments = idl.decode_instruction(bytes(instruction.data))
        kinds = {part["name"]: part["type"] for shape in idl.raw["instructions"] if shape["name"] == name
                 for part in shape["args"]}  # fmt: skip
        args = {camel(part): typed(idl, kinds[part], value) for part, value in arguments.items()}
        asked["instructions"].append({"program": idl.name, "name": camel(name), "args": args})
        ours["instructions"].append(bytes(instruction.data).hex())
    for idl in built.by_id.values():
        for shape in idl.raw["accounts"]:
            for info in chain.program_accounts(idl.program_id, bytes(shape["discriminator"])).values():
                data = info.data.hex()
                asked["accounts"].append({"program": idl.name, "type": lower_camel(shape["name"]), "data": data})
                ours["accounts"].append(plain(idl.decode_account(shape["name"], info.data)))
    for receipt in receipts:
        for idl in built.by_id.values():
            for line in [line for line in receipt.logs if line.startswith("Program data: ")]:
                alone = (f"Program {idl.program_id} invoke [1]", line)
                for event in idl.events(Receipt("", alone, 0, Lamports(0))):
                    asked["events"].append({"program": idl.name, "data": line.removeprefix("Program data: ")})
                    ours["events"].append({"name": lower_camel(event.name), "data": plain(event.fields)})

    assert min(len(found) for found in ours.values()) >= 3
    read = subprocess.run(
        ["node", "read.cjs", client], cwd=clients, input=json.dumps(cases | asked), text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert read.returncode == 0, read.stderr
    theirs = json.loads(read.stdout)
    for what, found in ours.items():
        for mine, other, question in zip(found, theirs[what], asked[what], strict=True):
            assert other == mine, question


def _a_day(chain: EmbeddedChain, meter: "Signer", relayer: Keypair) -> list[Receipt]:
    """One reading, minted and burned: accounts with something in them, events of three programs."""
    ours, owner = meter.site.programs, meter.owner
    process = instructions.process_energy_data(ours, "METER_001", owner.pubkey())
    submit = instructions.submit_meter_data(ours, relayer.pubkey(), [meter.sign(1_100_000, 7_000_000)], position=0)
    receipts = [chain.send(submit, [relayer]), chain.send([process], [relayer])]
    approve = instructions.approve_consumption(ours, owner.pubkey(), Atoms(10**9))
    submit = instructions.submit_meter_data(ours, relayer.pubkey(), [meter.sign(1_200_000, 7_050_000)], position=0)
    return [*receipts, chain.send([approve], [owner]), chain.send(submit, [relayer]), chain.send([process], [relayer])]


def _every_instruction(meter: "Signer", authority: Pubkey, relayer: Pubkey) -> list[Instruction]:
    ours, owner = meter.site.programs, meter.owner.pubkey()
    return [
        instructions.initialize_governance(
            ours, authority, engineering_authority=authority, guardian=owner, single_validator=relayer,
            campus_network="campus",
        ),
        instructions.update_parameters(ours, authority, {1: 7, 16: 10**15}),
        instructions.emergency_pause(ours, authority, 63, 65_535),
        instructions.get_status(ours),
        instructions.initialize_registry(ours, authority, "Building 4", bytes(range(8))),
        instructions.register_user(ours, authority, owner, UserType.CONSUMER, Role.DEPARTMENT, location="Süd"),
        instructions.set_user_status(ours, authority, owner, UserStatus.REVOKED),
        instructions.assign_meter(ours, authority, meter.site.domain, meter.assignment, meter.claim())[1],
        instructions.set_meter_status(ours, authority, "METER_001", MeterStatus.COMPROMISED),
        instructions.verify_user(ours, owner),
        instructions.verify_meter(ours, "METER_001"),
        instructions.initialize_oracle(ours, authority, "https://ami.example.org"),
        instructions.init_meter_state(ours, relayer, "METER_001"),
        instructions.submit_meter_data(ours, relayer, [meter.sign(n, 2**63) for n in (1, 2, 3)], position=2)[1],
        instructions.process_energy_data(ours, "METER_001", owner),
        instructions.initialize_token(ours, authority, "Engineering GRID", "ENG_GRID"),
        instructions.create_token_account(ours, relayer, owner),
        instructions.transfer(ours, owner, relayer, Atoms(2**64 - 1)),
        instructions.burn(ours, owner, Atoms(1)),
        instructions.approve_consumption(ours, owner, Atoms(2**53 + 1)),
        instructions.revoke_consumption(ours, owner),
    ]  # fmt: skip
