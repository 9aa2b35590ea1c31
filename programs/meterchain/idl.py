"""A program as its Anchor IDL (spec 0.1.0) describes it: instructions out, accounts, events and errors in.

    discriminators  instructions sha256("global:name")[:8] · accounts "account:Name" · events "event:Name"
    events          in a log line `Program data: <base64>` of this program, or in the data of an inner instruction by
                    which the program calls itself: EVENT_TAG, then discriminator and fields

What the IDL cannot say (the tail of a Slab, remaining accounts) is its reader's business: `decode_account` reads the
head and does not mind bytes after it.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from meterchain.chain import Receipt
from meterchain.idl_types import IdlError, IdlType, Types, Value

SPEC = "0.1.0"
EVENT_TAG = bytes.fromhex("e445a52e51cb9a1d")
"""sha256("anchor:event")[:8] read as a little-endian number: how an event by self-CPI begins."""

_INVOKE = re.compile(r"Program (\w+) invoke \[\d+\]")
_LEAVE = re.compile(r"Program (\w+) (?:success|failed)")
_DATA = "Program data: "


@dataclass(frozen=True, slots=True)
class Event:
    """One event of one program, with its fields by name."""

    program: Pubkey
    name: str
    fields: Mapping[str, Value]


@dataclass(frozen=True, eq=False)
class Idl:
    """One program's IDL, parsed."""

    raw: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str | bytes) -> "Idl":
        """Raises IdlError unless `text` is an IDL of spec 0.1.0."""
        raw = json.loads(text)
        if not isinstance(raw, dict) or raw.get("metadata", {}).get("spec") != SPEC:
            raise IdlError(f"not an Anchor IDL of spec {SPEC}; generate it with `make programs WRITE=1`")
        return cls(raw)

    @property
    def name(self) -> str:
        """The program's name in snake_case."""
        return str(self.raw["metadata"]["name"])

    @cached_property
    def program_id(self) -> Pubkey:
        """The program's address."""
        return Pubkey.from_string(self.raw["address"])

    @cached_property
    def types(self) -> Types:
        """The named types."""
        return Types(self.raw.get("types", []))

    @cached_property
    def errors(self) -> Mapping[int, tuple[str, str]]:
        """Name and message of each of the program's own error codes."""
        return {error["code"]: (error["name"], error.get("msg", "")) for error in self.raw.get("errors", [])}

    @cached_property
    def constants(self) -> Mapping[str, str]:
        """`#[constant]`s as the IDL prints them."""
        return {constant["name"]: constant["value"] for constant in self.raw.get("constants", [])}

    def instruction(
        self,
        name: str,
        accounts: Mapping[str, Pubkey | None],
        arguments: Mapping[str, Value] | None = None,
        remaining: Sequence[AccountMeta] = (),
    ) -> Instruction:
        """Build an instruction.

        Fixed addresses are filled in, and PDAs whose seeds are constants, arguments or other accounts; an account given
        wins over both (attack tests need that).  An optional account that is left out or None is passed as the
        program's own id.  Raises IdlError for an unknown name, a missing account or an argument that does not fit.
        """
        shape = self._instruction(name)
        given = dict(arguments or {})
        wanted = [argument["name"] for argument in shape["args"]]
        if set(given) != set(wanted):
            raise IdlError(f"{self.name}.{name} takes ({', '.join(wanted)}), not ({', '.join(given)})")
        listed = list(_flatten(shape["accounts"]))
        if unknown := set(accounts) - {account["name"] for account in listed}:
            raise IdlError(f"{self.name}.{name} has no account {', '.join(sorted(unknown))}")
        keys = self._resolve(shape, listed, accounts, given)
        data = bytes(shape["discriminator"])
        data += b"".join(self.types.encode(argument["type"], given[argument["name"]]) for argument in shape["args"])
        return Instruction(self.program_id, data, [*(self._meta(name, keys, a) for a in listed), *remaining])

    def account_names(self, instruction: str) -> list[str]:
        """The accounts of an instruction in their order."""
        return [account["name"] for account in _flatten(self._instruction(instruction)["accounts"])]

    def decode_instruction(self, data: bytes) -> tuple[str, dict[str, Value]]:
        """Name and arguments behind an instruction's data.  Raises IdlError if it is none of this program's."""
        shape = _starting(self.raw["instructions"], data)
        if shape is None:
            raise IdlError(f"not an instruction of {self.name}: {data[:8].hex()}")
        at, values = len(shape["discriminator"]), {}
        for argument in shape["args"]:
            values[argument["name"]], at = self.types.decode(argument["type"], data, at)
        return shape["name"], values

    def decode_return(self, instruction: str, data: bytes) -> Value:
        """The value that `instruction` returned.  Raises IdlError if it returns nothing or the bytes do not fit."""
        kind = self._instruction(instruction).get("returns")
        if kind is None:
            raise IdlError(f"{self.name}.{instruction} returns nothing")
        return self.types.decode(kind, data)[0]

    def discriminator(self, account: str) -> bytes:
        """The bytes that an account of type `account` begins with."""
        for shape in self.raw.get("accounts", []):
            if shape["name"] == account:
                return bytes(shape["discriminator"])
        raise IdlError(f"{self.name} has no account type {account!r}")

    def encode_account(self, name: str, fields: Mapping[str, Value]) -> bytes:
        """The bytes of an account: for tests and tools that lay out state by hand."""
        return self.discriminator(name) + self.types.encode({"defined": {"name": name}}, fields)

    def decode_account(self, name: str, data: bytes) -> dict[str, Value]:
        """The fields of an account of type `name`.  Raises IdlError if the discriminator is another's."""
        head = self.discriminator(name)
        if data[: len(head)] != head:
            other = _starting(self.raw.get("accounts", []), data)
            what = f"a {other['name']}" if other else "of an unknown type"
            raise IdlError(f"not a {name} of {self.name}: the account is {what}")
        fields, _ = self.types.decode({"defined": {"name": name}}, data, len(head))
        return dict(fields)

    def events(self, receipt: Receipt) -> list[Event]:
        """What this program announced: first from the logs, then by self-CPI."""
        return [event for data in self.announced(receipt) if (event := self.decode_event(data))]

    def announced(self, receipt: Receipt) -> list[bytes]:
        """The bytes of those events, discriminator first, in the same order."""
        by_cpi = [data for program, data in receipt.inner_data if program == self.program_id]
        own = [data[len(EVENT_TAG) :] for data in by_cpi if data.startswith(EVENT_TAG)]
        return [*_logged(receipt.logs, str(self.program_id)), *own]

    def decode_event(self, data: bytes) -> Event | None:
        """The event in these bytes; None if it is none of this program's.  Raises IdlError if they do not fit."""
        shape = _starting(self.raw.get("events", []), data)
        if shape is None:
            return None
        kind: IdlType = {"defined": {"name": shape["name"]}}
        fields, _ = self.types.decode(kind, data, len(shape["discriminator"]))
        return Event(self.program_id, shape["name"], fields)

    def _instruction(self, name: str) -> Mapping[str, Any]:
        for shape in self.raw["instructions"]:
            if shape["name"] == name:
                return dict(shape)
        raise IdlError(f"{self.name} has no instruction {name!r}")

    def _meta(self, instruction: str, keys: Mapping[str, Pubkey], account: Mapping[str, Any]) -> AccountMeta:
        key = keys.get(account["name"])
        if key is not None:
            return AccountMeta(key, bool(account.get("signer")), bool(account.get("writable")))
        if account.get("optional"):
            return AccountMeta(self.program_id, is_signer=False, is_writable=False)
        raise IdlError(f"{self.name}.{instruction} needs account {account['name']}")

    def _resolve(
        self,
        shape: Mapping[str, Any],
        listed: Sequence[Mapping[str, Any]],
        given: Mapping[str, Pubkey | None],
        arguments: Mapping[str, Value],
    ) -> dict[str, Pubkey]:
        keys = {name: key for name, key in given.items() if key is not None}
        open_ones = [account for account in listed if account["name"] not in given]
        for account in open_ones:
            if "address" in account:
                keys[account["name"]] = Pubkey.from_string(account["address"])
        derived = [account for account in open_ones if "pda" in account and account["name"] not in keys]
        while derived:  # a PDA may hang on another
            found = {a["name"]: key for a in derived if (key := self._derive(a["pda"], shape, keys, arguments))}
            if not found:
                break
            keys |= found
            derived = [account for account in derived if account["name"] not in found]
        return keys

    def _derive(
        self,
        pda: Mapping[str, Any],
        shape: Mapping[str, Any],
        keys: Mapping[str, Pubkey],
        arguments: Mapping[str, Value],
    ) -> Pubkey | None:
        seeds = [self._seed(seed, shape, keys, arguments) for seed in pda["seeds"]]
        own = bytes(self.program_id)
        program = self._seed(pda["program"], shape, keys, arguments) if "program" in pda else own
        if program is None or any(seed is None for seed in seeds):
            return None
        return Pubkey.find_program_address([seed for seed in seeds if seed is not None], Pubkey(program))[0]

    def _seed(
        self,
        seed: Mapping[str, Any],
        shape: Mapping[str, Any],
        keys: Mapping[str, Pubkey],
        arguments: Mapping[str, Value],
    ) -> bytes | None:
        if seed["kind"] == "const":
            return bytes(seed["value"])
        head, *path = seed["path"].split(".")
        if seed["kind"] == "account":  # a field of an account would have to be fetched: the caller passes that PDA
            return bytes(keys[head]) if not path and head in keys else None
        kind = next(argument["type"] for argument in shape["args"] if argument["name"] == head)
        value = arguments[head]
        for part in path:
            kind, value = self.types.fields(kind["defined"]["name"])[part], value[part]
        encoded = self.types.encode(kind, value)
        return encoded[4:] if kind in ("string", "bytes") or "vec" in kind else encoded


def _flatten(accounts: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for account in accounts:
        if "accounts" in account:
            yield from _flatten(account["accounts"])
        else:
            yield account


def _starting(shapes: Sequence[Mapping[str, Any]], data: bytes) -> Mapping[str, Any] | None:
    for shape in shapes:
        if data.startswith(bytes(shape["discriminator"])):
            return shape
    return None


def _logged(logs: Sequence[str], program: str) -> Iterator[bytes]:
    """The `Program data:` of `program` itself, not of those that it called."""
    stack: list[str] = []
    for line in logs:
        if entered := _INVOKE.match(line):
            stack.append(entered[1])
        elif _LEAVE.match(line) and stack:
            stack.pop()
        elif line.startswith(_DATA) and stack and stack[-1] == program:
            yield b"".join(base64.b64decode(part) for part in line[len(_DATA) :].split(" "))
