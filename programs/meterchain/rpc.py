"""RpcChain: a cluster behind JSON-RPC (`meterchain.rpc_http` carries questions and answers).

`send` returns when the cluster shows the transaction at `commitment`, and asks for what it did.  It tells three
things apart that must never be mixed up: the transaction failed (TransactionFailed), it can no longer land
(BlockhashExpired: build it anew), and nothing is known (ChainUnreachable: look at the accounts first).

Errors quote the host of the URL only, since paths and queries of RPC providers hold keys.
"""

import base64
import ipaddress
import struct
from collections.abc import Mapping, Sequence
from functools import cached_property
from time import monotonic, sleep
from typing import Literal, NoReturn
from urllib.parse import urlsplit

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from meterchain import base58, programs, transactions
from meterchain.chain import (
    AccountInfo,
    BadTransaction,
    BlockhashExpired,
    ChainClock,
    ChainError,
    ChainUnreachable,
    Commitment,
    Landed,
    Receipt,
)
from meterchain.failures import explain
from meterchain.idl import Idl
from meterchain.patience import Patience
from meterchain.rpc_answers import Json, account, has_reached, landed, looked_up, returned, to_base64
from meterchain.rpc_http import ComeLater, JsonRpc, NoAnswer, NotJsonRpc, RpcFailure
from meterchain.units import Lamports, UnixTime

_CLOCK_SYSVAR = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
_CLOCK = struct.Struct("<QqQQq")
_ACCOUNTS_AT_ONCE = 100
_PREFLIGHT_FAILED = -32002
_REFUSALS = {-32003, -32013, -32015, -32600, -32602}
"""Signature verification, length, version, malformed request: the transaction itself is wrong."""
_ALREADY = "already been processed"


class RpcChain:
    """A cluster over HTTP.  Safe to share between threads; `close` it in the end."""

    def __init__(
        self,
        url: str,
        *,
        commitment: Literal["confirmed", "finalized"] = "confirmed",
        timeout_s: float = 30.0,
        poll_s: float = 0.2,
        confirm_s: float = 90.0,
        idls: Mapping[Pubkey, Idl] | None = None,
        patience: Patience | None = None,
    ) -> None:
        """`timeout_s` bounds one HTTP request, `confirm_s` the wait for a transaction; `poll_s` lies between looks.

        `idls` name the errors of their programs; by default those of this package.  With `patience` a question that the
        RPC has no time for is asked again; without it, and for transactions ever, that is the caller's to decide.
        """
        self._host = urlsplit(url).hostname or ""
        if urlsplit(url).scheme not in ("http", "https") or not self._host:
            raise BadTransaction("the RPC's address must look like http://127.0.0.1:8899 or https://host/path")
        self._commitment = commitment
        self._poll_s, self._confirm_s = poll_s, confirm_s
        self._told_idls = idls
        self._rpc = JsonRpc(url, timeout_s)
        self._patience = patience

    @property
    def name(self) -> str:
        """The RPC's host."""
        return self._host

    @property
    def is_local(self) -> bool:
        """True if the host is this machine."""
        if self._host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self._host).is_loopback
        except ValueError:
            return False

    def send(
        self,
        instructions: Sequence[Instruction],
        signers: Sequence[Keypair],
        *,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> Receipt:
        """See Chain.send."""
        latest = self._latest()
        transaction = transactions.sign(instructions, signers, Hash.from_string(latest["blockhash"]), lookup_tables)
        return self._land(transaction, lookup_tables, latest["lastValidBlockHeight"])

    def build(
        self,
        instructions: Sequence[Instruction],
        signers: Sequence[Keypair],
        *,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> VersionedTransaction:
        """Sign for the latest blockhash without sending.  Raises BadTransaction and ChainUnreachable."""
        return transactions.sign(instructions, signers, Hash.from_string(self._latest()["blockhash"]), lookup_tables)

    def submit(
        self, transaction: VersionedTransaction, *, lookup_tables: Sequence[AddressLookupTableAccount] = ()
    ) -> Receipt:
        """Send what `build` made and wait; raises as `send` does."""
        return self._land(transaction, lookup_tables, self._latest()["lastValidBlockHeight"])  # its own is no later

    def simulate(
        self,
        instructions: Sequence[Instruction],
        payer: Pubkey,
        *,
        lookup_tables: Sequence[AddressLookupTableAccount] = (),
    ) -> Receipt:
        """See Chain.simulate; the data of inner instructions are not among what comes back."""
        transaction = transactions.leave_unsigned(instructions, payer, Hash.default(), lookup_tables)
        keys = transactions.account_keys(transaction, lookup_tables)
        options = {
            "encoding": "base64",
            "sigVerify": False,
            "replaceRecentBlockhash": True,
            "commitment": self._commitment,
        }
        found = self._asked("simulateTransaction", to_base64(bytes(transaction)), options)["value"]
        logs, units = found.get("logs") or [], found.get("unitsConsumed") or 0
        if found["err"] is not None:
            raise explain(found["err"], logs, transactions.called_programs(transaction, keys), self._idls, units)
        program, data = returned(found.get("returnData"))
        fee = Lamports(found.get("fee") or 0)
        return Receipt("", tuple(logs), units, fee, return_data=data, return_program=program)

    def accounts(
        self, addresses: Sequence[Pubkey], *, commitment: Commitment = "confirmed"
    ) -> list[AccountInfo | None]:
        """See Chain.accounts."""
        options = {"encoding": "base64", "commitment": commitment}
        found: list[AccountInfo | None] = []
        for start in range(0, len(addresses), _ACCOUNTS_AT_ONCE):
            asked = addresses[start : start + _ACCOUNTS_AT_ONCE]
            values = self._asked("getMultipleAccounts", [str(address) for address in asked], options)["value"]
            if len(values) != len(asked):
                self._nonsense("it answered for other accounts than were asked for")
            found += [account(address, value) for address, value in zip(asked, values, strict=True)]
        return found

    def program_accounts(self, program: Pubkey, discriminator: bytes) -> dict[Pubkey, AccountInfo]:
        """See Chain.program_accounts."""
        filters = [{"memcmp": {"offset": 0, "bytes": base58.encode(discriminator)}}] if discriminator else []
        options = {"encoding": "base64", "commitment": self._commitment, "filters": filters}
        entries = self._asked("getProgramAccounts", str(program), options)
        infos = (account(Pubkey.from_string(entry["pubkey"]), entry["account"]) for entry in entries)
        return {info.address: info for info in infos if info and info.data.startswith(discriminator)}

    def signatures(self, address: Pubkey, *, before: str | None = None, most: int = 1_000) -> list[Landed]:
        """See RememberingChain.signatures."""
        options = {"limit": most, "commitment": self._commitment, **({"before": before} if before else {})}
        found = self._asked("getSignaturesForAddress", str(address), options)
        return [Landed(each["signature"], each["slot"], each["err"] is not None) for each in found]

    def transaction(self, signature: str) -> Receipt | None:
        """See RememberingChain.transaction."""
        options = {"encoding": "base64", "commitment": self._commitment, "maxSupportedTransactionVersion": 0}
        found = self._asked("getTransaction", signature, options)
        if found is None or found.get("meta") is None:
            return None
        message = VersionedTransaction.from_bytes(base64.b64decode(found["transaction"][0])).message
        keys = [*message.account_keys, *looked_up(found["meta"])]
        return landed(signature, found["meta"], keys, message.instructions)

    def clock(self) -> ChainClock:
        """See Chain.clock."""
        (sysvar,) = self.accounts([_CLOCK_SYSVAR])
        if sysvar is None:
            self._nonsense("it has no Clock sysvar")
        slot, _, _, _, unix_s = _CLOCK.unpack_from(sysvar.data)
        return ChainClock(slot, UnixTime(unix_s))

    def wait_past(self, slot: int) -> None:
        """See Chain.wait_past.  Raises ChainUnreachable if the cluster makes no blocks."""
        until = monotonic() + self._confirm_s
        while self._asked("getSlot", {"commitment": self._commitment}) <= slot:
            if monotonic() > until:
                raise ChainUnreachable(
                    f"{self._host} made no block for {self._confirm_s:.0f} s: is the cluster running?"
                )
            sleep(self._poll_s)

    def genesis_hash(self) -> bytes:
        """See Chain.genesis_hash."""
        return bytes(Hash.from_string(self._asked("getGenesisHash")))

    def rent_exempt(self, size: int) -> Lamports:
        """See Chain.rent_exempt."""
        return Lamports(self._asked("getMinimumBalanceForRentExemption", size))

    def airdrop(self, address: Pubkey, lamports: Lamports) -> None:
        """See Chain.airdrop."""
        try:
            signature = self._ask("requestAirdrop", str(address), lamports, {"commitment": self._commitment})
        except RpcFailure as error:
            raise BadTransaction(
                f"{self._host} gives no airdrop ({error.message[:120]}): fund {address} from another wallet"
            ) from error
        until = monotonic() + self._confirm_s
        while not ((status := self._status(signature)) and has_reached(status, self._commitment)):
            if monotonic() > until:
                raise ChainUnreachable(f"{self._host} did not confirm the airdrop to {address}")
            sleep(self._poll_s)

    def close(self) -> None:
        """Close the connections, and end all patience; calling it twice does no harm."""
        if self._patience:
            self._patience.end()
        self._rpc.close()

    @cached_property
    def _idls(self) -> Mapping[Pubkey, Idl]:
        """Loaded when there is an error to name: most chains never need them."""
        return programs.load().by_id if self._told_idls is None else self._told_idls

    def _latest(self) -> Json:
        return self._asked("getLatestBlockhash", {"commitment": self._commitment})["value"]

    def _land(
        self, transaction: VersionedTransaction, lookup_tables: Sequence[AddressLookupTableAccount], last_height: int
    ) -> Receipt:
        keys = transactions.account_keys(transaction, lookup_tables)
        return self._submit(transaction, keys, last_height)

    def _ask(self, method: str, *parameters: Json, patience: Patience | None = None) -> Json:
        def once() -> Json:
            if self._rpc.closed:
                raise ChainUnreachable(f"the connection to {self._host} was closed; make a new RpcChain")
            return self._rpc.ask(method, list(parameters))

        try:
            return patience.ask(once) if patience else once()
        except ComeLater as error:
            again = "" if error.after_s is None else f" in {error.after_s:,.0f} s"
            raise ChainUnreachable(
                f"{self._host} has no time for {method} ({error}): ask less often, try again{again} or use another RPC"
            ) from error
        except NoAnswer as error:
            raise ChainUnreachable(
                f"no answer from {self._host} to {method} ({error}): check the network and the address"
            ) from error
        except NotJsonRpc as error:
            raise ChainUnreachable(f"{self._host} does not speak Solana's JSON-RPC: check the RPC's address") from error

    def _submit(self, transaction: VersionedTransaction, keys: Sequence[Pubkey], last_height: int) -> Receipt:
        signature = str(transaction.signatures[0])
        wire = to_base64(bytes(transaction))
        options = {"encoding": "base64", "preflightCommitment": self._commitment, "maxRetries": 0}
        try:
            self._ask("sendTransaction", wire, options)
        except RpcFailure as error:
            raise self._refusal(error, transaction, keys) from error
        until = monotonic() + self._confirm_s
        while True:
            status = self._status(signature)
            if status is not None and has_reached(status, self._commitment):
                return self._receipt(signature, transaction, keys, until)
            if status is None and self._height() > last_height:
                if self._status(signature) is None:  # it may have landed in the last block
                    raise BlockhashExpired("the transaction did not land in time: build it anew and send it")
                continue
            if monotonic() > until:
                raise ChainUnreachable(
                    f"{self._host} did not confirm {signature} in {self._confirm_s:.0f} s: look at the accounts"
                )
            sleep(self._poll_s)
            if status is None:  # leaders drop transactions; the bytes are the same, so it cannot count twice
                self._resend(wire)

    def _resend(self, wire: str) -> None:
        try:
            self._ask("sendTransaction", wire, {"encoding": "base64", "skipPreflight": True, "maxRetries": 0})
        except (RpcFailure, ChainUnreachable):
            return  # the status will tell

    def _status(self, signature: str) -> Json:
        found = self._asked("getSignatureStatuses", [signature], {"searchTransactionHistory": True})
        return found["value"][0]

    def _height(self) -> int:
        """The confirmed block height: a node that lags gives less, so that nothing is called expired too early."""
        return int(self._asked("getBlockHeight", {"commitment": self._commitment}))

    def _receipt(
        self, signature: str, transaction: VersionedTransaction, keys: Sequence[Pubkey], until: float
    ) -> Receipt:
        options = {"encoding": "base64", "commitment": self._commitment, "maxSupportedTransactionVersion": 0}
        while (found := self._asked("getTransaction", signature, options)) is None:
            if monotonic() > until:
                raise ChainUnreachable(f"{self._host} confirmed {signature} but does not show it: look at the accounts")
            sleep(self._poll_s)
        meta = found["meta"]
        logs, units = meta.get("logMessages") or [], meta.get("computeUnitsConsumed") or 0
        if meta["err"] is not None:
            raise explain(meta["err"], logs, transactions.called_programs(transaction, keys), self._idls, units)
        return landed(signature, meta, keys, transaction.message.instructions)

    def _refusal(self, error: RpcFailure, transaction: VersionedTransaction, keys: Sequence[Pubkey]) -> ChainError:
        data = error.data if isinstance(error.data, Mapping) else {}
        if _ALREADY in error.message:  # Surfnet says it in words only
            return explain("AlreadyProcessed", (), (), self._idls)
        if error.code == _PREFLIGHT_FAILED and data.get("err") is not None:
            units = data.get("unitsConsumed") or 0
            return explain(
                data["err"], data.get("logs") or [], transactions.called_programs(transaction, keys), self._idls, units
            )
        if error.code in _REFUSALS or error.code == _PREFLIGHT_FAILED:
            return BadTransaction(f"{self._host} refuses the transaction: {error.message}")
        return self._unable(error)

    def _asked(self, method: str, *parameters: Json) -> Json:
        """As `_ask`, with patience, an RPC error being the RPC's trouble, not ours: for what changes nothing."""
        try:
            return self._ask(method, *parameters, patience=self._patience)
        except RpcFailure as error:
            raise self._unable(error) from error

    def _unable(self, error: RpcFailure) -> ChainUnreachable:
        return ChainUnreachable(f"{self._host} answers: {error.message} ({error.code}); try again or use another RPC")

    def _nonsense(self, what: str) -> NoReturn:
        raise ChainUnreachable(f"{self._host} cannot be right: {what}; use another RPC")
