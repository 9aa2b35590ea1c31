"""What a refusal means: the runtime's error and the logs become a TransactionFailed with a name and a program.

The runtime's error is JSON as RPC and LiteSVM both spell it: "BlockhashNotFound",
{"InstructionError": [2, {"Custom": 6003}]}, {"InstructionError": [0, "InvalidSeeds"]},
{"InsufficientFundsForRent": {"account_index": 1}}.

A custom code belongs to the innermost program that failed, which the logs tell (precompiles log nothing: then it is the
instruction's own program).  Names come from that program's IDL, from Anchor v2's framework codes below 6000, or from
the tables here for programs without an IDL.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from solders.pubkey import Pubkey

from meterchain.chain import AlreadyProcessed, BadTransaction, BlockhashExpired, ChainError, TransactionFailed
from meterchain.idl import Idl

_FAILED = re.compile(r"Program (\w+) failed")

ANCHOR_ERRORS: Mapping[int, tuple[str, str]] = {
    2000: ("ConstraintMut", "an account that must be writable is not"),
    2001: ("ConstraintHasOne", "an account does not name the one that was passed with it"),
    2003: ("ConstraintRaw", "a condition on the accounts does not hold"),
    2005: ("ConstraintRentExempt", "an account does not hold its rent"),
    2007: ("ConstraintExecutable", "an account that must be a program is not"),
    2011: ("ConstraintClose", "an account cannot be closed into itself"),
    2012: ("ConstraintAddress", "an account is not the one that is required here"),
    2013: ("ConstraintZero", "an account that must be empty is not"),
    2019: ("ConstraintSpace", "an account has the wrong size"),
    2020: ("ConstraintAccountIsNone", "an optional account is needed here"),
    2040: ("ConstraintDuplicateMutableAccount", "one account was passed twice, once of them writable"),
    2500: ("RequireViolated", "a required condition does not hold"),
    2501: ("RequireEqViolated", "two values that must be equal are not"),
    2502: ("RequireKeysEqViolated", "two addresses that must be equal are not"),
    2503: ("RequireNeqViolated", "two values that must differ do not"),
    2504: ("RequireKeysNeqViolated", "two addresses that must differ do not"),
    2505: ("RequireGtViolated", "a value is too small"),
    2506: ("RequireGteViolated", "a value is too small"),
}
"""Codes of anchor-lang 2.0.0-rc.2 (`ErrorCode` in its lib.rs); its other errors are the runtime's own words."""

_SYSTEM = (
    ("AccountAlreadyInUse", "there is an account at this address already"),
    ("ResultWithNegativeLamports", "the account has too few lamports"),
    ("InvalidProgramId", "the program id cannot own an account"),
    ("InvalidAccountDataLength", "the account would be too large"),
    ("MaxSeedLengthExceeded", "a seed is too long"),
    ("AddressWithSeedMismatch", "the address does not follow from its seed"),
)
_SPL_TOKEN = (
    ("NotRentExempt", "the account does not hold its rent"),
    ("InsufficientFunds", "the token account (or its delegate's allowance) holds too little"),
    ("InvalidMint", "the mint is not a mint"),
    ("MintMismatch", "the account is of another mint"),
    ("OwnerMismatch", "the signer neither owns the account nor is its delegate"),
    ("FixedSupply", "the mint has no mint authority"),
    ("AlreadyInUse", "the account is initialised already"),
    ("InvalidNumberOfProvidedSigners", "wrong number of signers"),
    ("InvalidNumberOfRequiredSigners", "wrong number of required signers"),
    ("UninitializedState", "the account is not initialised"),
    ("NativeNotSupported", "not for native tokens"),
    ("NonNativeHasBalance", "the account still holds tokens"),
    ("InvalidInstruction", "the instruction is not one of the token program's"),
    ("InvalidState", "the account is in the wrong state"),
    ("Overflow", "the amount does not fit"),
    ("AuthorityTypeNotSupported", "the account has no such authority"),
    ("MintCannotFreeze", "the mint has no freeze authority"),
    ("AccountFrozen", "the account is frozen"),
    ("MintDecimalsMismatch", "the decimals are not the mint's"),
    ("NonNativeNotSupported", "only for native tokens"),
)
_PRECOMPILE = (
    ("InvalidPublicKey", "the public key is not a point"),
    ("InvalidRecoveryId", "the recovery id is wrong"),
    ("InvalidSignature", "the signature is not that key's over that message"),
    ("InvalidDataOffsets", "an offset points outside the instruction's data"),
    ("InvalidInstructionDataSize", "the instruction's data are too short"),
)
_TABLES: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "11111111111111111111111111111111": ("System", _SYSTEM),
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA": ("Token", _SPL_TOKEN),
    "Ed25519SigVerify111111111111111111111111111": ("Ed25519", _PRECOMPILE),
}
_REFUSED = {
    "AccountNotFound": "the payer does not exist on this chain; fund it first",
    "InsufficientFundsForFee": "the payer cannot pay the fee; fund it first",
    "SignatureFailure": "a signature does not fit the message",
    "SanitizeFailure": "the transaction is malformed",
    "InvalidAccountForFee": "the payer may not pay fees",
}
_NOT_CHARGED_YET = frozenset(_REFUSED)


def explain(
    error: Any,  # noqa: ANN401
    logs: Sequence[str],
    called: Sequence[Pubkey],
    idls: Mapping[Pubkey, Idl],
    compute_units: int = 0,
) -> ChainError:
    """The exception for a refusal.  `called` are the top-level instructions' programs, `idls` know the names."""
    if error == "BlockhashNotFound":
        return BlockhashExpired("the blockhash is too old (or unknown): build the transaction anew and send it")
    if error == "AlreadyProcessed":
        return AlreadyProcessed("a byte-identical transaction has landed already: salt it, and look at the accounts")
    if isinstance(error, str) and error in _NOT_CHARGED_YET:
        return BadTransaction(f"{error}: {_REFUSED[error]}")
    if isinstance(error, Mapping) and "InstructionError" in error:
        index, reason = error["InstructionError"]
        program = _culprit(logs, called[index] if index < len(called) else None)
        code = reason["Custom"] if isinstance(reason, Mapping) and "Custom" in reason else None
        name, message = _name(reason, code, program, idls)
        return TransactionFailed(name, message, code, index, program, tuple(logs), compute_units)
    name = error if isinstance(error, str) else next(iter(error))
    return TransactionFailed(name, "refused by the runtime", logs=tuple(logs), compute_units=compute_units)


def _name(
    reason: Any,  # noqa: ANN401
    code: int | None,
    program: Pubkey | None,
    idls: Mapping[Pubkey, Idl],
) -> tuple[str, str]:
    if code is None:
        word = reason if isinstance(reason, str) else next(iter(reason))
        return word, _where("refused by the runtime", program, idls)
    idl = idls.get(program) if program else None
    if idl is not None and (named := idl.errors.get(code) or ANCHOR_ERRORS.get(code)):
        return named[0], named[1] or f"refused by {idl.name}"
    if str(program) in _TABLES:
        who, table = _TABLES[str(program)]
        if code < len(table):
            return table[code][0], f"{who} program: {table[code][1]}"
    return f"Custom{code}", _where("an error that no IDL here names", program, idls)


def _where(message: str, program: Pubkey | None, idls: Mapping[Pubkey, Idl]) -> str:
    if program is None:
        return message
    return f"{message}, in {idls[program].name if program in idls else program}"


def _culprit(logs: Sequence[str], otherwise: Pubkey | None) -> Pubkey | None:
    """The innermost program that failed: its line comes first."""
    for line in logs:
        if failed := _FAILED.match(line):
            return Pubkey.from_string(failed[1])
    return otherwise
