"""Compute units of the line's hot instructions, as our programs and what they call consume them.

Taken from the runtime's own `consumed` lines of our top-level instruction, so the Ed25519 precompile, the
compute-budget instruction and the salt are not in them.  They are exact and the same on every machine.
"""

import hashlib
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from solders.address_lookup_table_account import ID as LOOKUP_TABLE_PROGRAM
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions, pdas, programs, site
from meterchain.accounts import MeterKind, Role, UserType
from meterchain.chain import Receipt
from meterchain.ed25519 import Signed, possession_message
from meterchain.embedded import START, EmbeddedChain
from meterchain.instructions import MeterAssignment, SignedRecord
from meterchain.record import Record, record_digest
from meterchain.units import SLOT_S, Atoms, InstallId, Lamports, Mwh, Seq, Slot, UnixTime

METERS = ("METER_001", "METER_002", "METER_003", "METER_004")
SOL = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Stand:
    """A site with one owner and four meters whose keys we hold."""

    chain: EmbeddedChain
    site: site.Site
    authority: Keypair
    owner: Keypair
    keys: dict[str, Keypair]
    table: AddressLookupTableAccount


def measure(make: Callable[[], EmbeddedChain] = EmbeddedChain) -> dict[str, int]:
    """Units by the keys of build/bench.json, on the chain that `make` makes."""
    with _stand(make) as stand:
        first = {meter_id: _record(stand, meter_id) for meter_id in METERS}
        units: dict[str, int] = {}
        _tick(stand)
        _submit(stand, [first[METERS[0]]])
        _tick(stand)
        second = {METERS[0]: _following(first[METERS[0]], export=250_000, import_=120_000)}
        units["submit_1"] = _submit(stand, [second[METERS[0]]])
        _submit(stand, [first[meter_id] for meter_id in METERS[1:]])
        _tick(stand)
        later = [
            _following(record, export=250_000, import_=120_000)
            for record in [second[METERS[0]], *list(first.values())[1:]]
        ]
        units["submit_4"] = _submit(stand, later)
        units["process_mint"] = _process(stand, METERS[0])
        grant = instructions.approve_consumption(stand.site.programs, stand.owner.pubkey(), Atoms(10**12))
        stand.chain.send([grant], [stand.owner])
        units["process_mint_burn"] = _process(stand, METERS[1])
        return units


def units_of(receipt: Receipt, program: Pubkey) -> int:
    """What the top-level instruction of `program` consumed with its CPIs.  Raises LookupError if it did not run."""
    depth, line_of = 0, re.compile(r"Program (\w+) (invoke \[\d+\]|consumed (\d+) of|success|failed)")
    for line in receipt.logs:
        if not (match := line_of.match(line)):
            continue
        if match[2].startswith("invoke"):
            depth += 1
        elif match[3] is None:
            depth -= 1
        elif depth == 1 and match[1] == str(program):
            return int(match[3])
    raise LookupError(f"{program} did not run at the top level")


@contextmanager
def _stand(make: Callable[[], EmbeddedChain]) -> Iterator[Stand]:
    built, chain = programs.load(), make()
    authority, owner = _key("authority"), _key("owner")
    for key in (authority, owner):
        chain.airdrop(key.pubkey(), Lamports(1_000 * SOL))
    site.deploy_programs(chain, built, payer=authority, authority=authority)
    here = site.initialise(chain, built, site.SiteSettings("bench"), authority)
    site.register_user(chain, here, authority, owner.pubkey(), UserType.PROSUMER, Role.STUDENT)
    keys = {meter_id: _key(meter_id) for meter_id in METERS}
    for meter_id, key in keys.items():
        message = possession_message(here.domain, meter_id, owner.pubkey(), InstallId(1))
        claim = Signed(bytes(key.pubkey()), bytes(key.sign_message(message)))
        site.assign_meter(chain, here, authority, _assignment(meter_id, owner.pubkey()), claim)
        site.open_meter(chain, here, authority, meter_id)
    site.open_token_account(chain, here, authority, owner.pubkey())
    yield Stand(chain, here, authority, owner, keys, _lookup_table(chain, here))
    chain.close()


def _assignment(meter_id: str, owner: Pubkey) -> MeterAssignment:
    return MeterAssignment(
        meter_id=meter_id,
        owner=owner,
        kind=MeterKind.BIDIRECTIONAL,
        max_export_w=10_000,
        max_import_w=10_000,
        resolution_mwh=1_000,
        baseline_export_mwh=Mwh(0),
        baseline_import_mwh=Mwh(0),
        serial=meter_id,
        model="bench",
        building="bench",
    )


def _lookup_table(chain: EmbeddedChain, here: site.Site) -> AddressLookupTableAccount:
    """A table of what every submission names, written as a relayer would have extended it."""
    addresses = [here.oracle, here.governance, instructions.INSTRUCTIONS_SYSVAR, here.programs.id("oracle")]
    for meter_id in METERS:
        addresses += [here.meter(meter_id), pdas.meter_state(here.programs, here.meter(meter_id))]
    head = struct.pack("<IQQBB32sH", 1, 2**64 - 1, 0, 0, 0, bytes(32), 0)
    key = _key("table").pubkey()
    chain.set_account(key, owner=LOOKUP_TABLE_PROGRAM, data=head + b"".join(map(bytes, addresses)))
    return AddressLookupTableAccount(key, addresses)


def _record(stand: Stand, meter_id: str) -> Record:
    slot = Slot(START)
    return Record(
        stand.site.domain,
        meter_id,
        InstallId(1),
        Seq(1),
        slot,
        UnixTime(slot + SLOT_S + 2),
        Mwh(1_000),
        Mwh(1_000),
        bytes(16),
    )


def _following(record: Record, *, export: int, import_: int) -> Record:
    return replace(
        record,
        seq=Seq(record.seq + 1),
        epoch=Slot(record.epoch + SLOT_S),
        ts=UnixTime(record.ts + SLOT_S),
        export_mwh=Mwh(record.export_mwh + export),
        import_mwh=Mwh(record.import_mwh + import_),
        prev=record_digest(record.encode())[:16],
    )


def _submit(stand: Stand, records: Sequence[Record]) -> int:
    signed = [
        SignedRecord(
            encoded := record.encode(),
            Signed(
                bytes(stand.keys[record.meter_id].pubkey()), bytes(stand.keys[record.meter_id].sign_message(encoded))
            ),
        )
        for record in records
    ]
    wanted = instructions.submit_meter_data(stand.site.programs, stand.authority.pubkey(), signed, position=0)
    receipt = stand.chain.send(wanted, [stand.authority], lookup_tables=[stand.table])
    return units_of(receipt, stand.site.programs.id("oracle"))


def _process(stand: Stand, meter_id: str) -> int:
    wanted = instructions.process_energy_data(stand.site.programs, meter_id, stand.owner.pubkey())
    return units_of(stand.chain.send([wanted], [stand.authority]), stand.site.programs.id("oracle"))


def _tick(stand: Stand) -> None:
    stand.chain.advance(SLOT_S + 3 if stand.chain.clock().unix_s == START else SLOT_S)


def _key(name: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(f"bench {name}".encode()).digest())
