"""Address lookup tables: 32 bytes become one, so that readings of four meters fit a transaction.

A table holds the accounts that every submission names, then pairs of Meter and MeterState.  It belongs to the relay's
payer, and its address is remembered in a file; lost, the relay makes a new one (for 15 meters 1,112 bytes: 0.0063 SOL
of rent at 5,080 lamports a byte).
Instructions of the address lookup table program: 0 create, 2 extend (bincode, little-endian).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from solders.address_lookup_table_account import (
    ID,
    LOOKUP_TABLE_MAX_ADDRESSES,
    LOOKUP_TABLE_META_SIZE,
    AddressLookupTable,
    AddressLookupTableAccount,
    derive_lookup_table_address,
)
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM

from meterchain.chain import Chain
from meterchain.durable import write_whole

_A_TIME = 20
"""Addresses that one extension may bring (PACKET_SIZE)."""
_CREATE, _EXTEND = 0, 2
_ACTIVE = 2**64 - 1
"""The deactivation slot of a table that nobody has deactivated."""


class TablesError(Exception):
    """The file of lookup tables cannot be read or written; the message says what to do."""


@dataclass
class Tables:
    """The lookup tables of one payer, each at most 256 addresses long."""

    chain: Chain
    payer: Keypair
    file: Path | None = None
    shared: Sequence[Pubkey] = ()
    """What every table begins with."""
    found: list[AddressLookupTableAccount] = field(default_factory=list)

    def open(self) -> None:
        """Look the remembered tables up.  Raises TablesError, ChainError; tables that are gone are forgotten."""
        addresses = _remembered(self.file)
        infos = self.chain.accounts(addresses, commitment="finalized") if addresses else []
        here = [info for info in infos if info and info.owner == ID and len(info.data) >= LOOKUP_TABLE_META_SIZE]
        known = [(info.address, AddressLookupTable.deserialize(info.data)) for info in here]
        self.found = [
            AddressLookupTableAccount(address, list(table.addresses))
            for address, table in known
            if table.meta.authority == self.payer.pubkey() and table.meta.deactivation_slot == _ACTIVE
        ]

    def number_of(self, address: Pubkey) -> int | None:
        """Which table holds `address`."""
        return next((n for n, table in enumerate(self.found) if address in table.addresses), None)

    def take_in(self, pairs: Iterable[tuple[Pubkey, Pubkey]]) -> None:
        """See that each pair stands in one table; new addresses count from the next slot, which is awaited.

        Raises what Chain.send raises, TablesError.
        """
        missing = [pair for pair in pairs if self.number_of(pair[0]) is None]
        if not missing:
            return
        while missing:
            if not self.found or len(self.found[-1].addresses) + 2 > LOOKUP_TABLE_MAX_ADDRESSES:
                self._create()
            room = (LOOKUP_TABLE_MAX_ADDRESSES - len(self.found[-1].addresses)) // 2
            now, missing = missing[:room], missing[room:]
            self._extend([address for pair in now for address in pair])
        self.chain.wait_past(self.chain.clock().slot)

    def _create(self) -> None:
        slot = self.chain.clock().slot
        self.chain.wait_past(slot)
        table, bump = derive_lookup_table_address(self.payer.pubkey(), slot)
        data = _CREATE.to_bytes(4, "little") + slot.to_bytes(8, "little") + bytes([bump])
        _remember(self.file, [*(known.key for known in self.found), table])  # before it can be lost
        self.chain.send([Instruction(ID, data, self._parties(table))], [self.payer])
        self.found.append(AddressLookupTableAccount(table, []))
        self._extend(list(self.shared))

    def _extend(self, addresses: Sequence[Pubkey]) -> None:
        for at in range(0, len(addresses), _A_TIME):
            part = addresses[at : at + _A_TIME]
            table = self.found[-1]
            data = _EXTEND.to_bytes(4, "little") + len(part).to_bytes(8, "little") + b"".join(map(bytes, part))
            self.chain.send([Instruction(ID, data, self._parties(table.key))], [self.payer])
            self.found[-1] = AddressLookupTableAccount(table.key, [*table.addresses, *part])

    def _parties(self, table: Pubkey) -> list[AccountMeta]:
        payer = self.payer.pubkey()
        return [
            AccountMeta(table, is_signer=False, is_writable=True),
            AccountMeta(payer, is_signer=True, is_writable=False),
            AccountMeta(payer, is_signer=True, is_writable=True),
            AccountMeta(SYSTEM, is_signer=False, is_writable=False),
        ]


def _remembered(file: Path | None) -> list[Pubkey]:
    if file is None or not file.exists():
        return []
    try:
        return [Pubkey.from_string(address) for address in json.loads(file.read_text("utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise TablesError(
            f"{file}: not a list of lookup tables ({error}); move it away, and new tables are made"
        ) from error


def _remember(file: Path | None, addresses: Sequence[Pubkey]) -> None:
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps([str(address) for address in addresses]).encode())
    except OSError as error:
        raise TablesError(f"{file}: cannot be written ({error.strerror}); name another folder with --state") from error
