"""Refusals get the name of the error, the program that raised it, and what to do next."""

from typing import Any

import pytest
from solders.pubkey import Pubkey

from meterchain.chain import AlreadyProcessed, BadTransaction, BlockhashExpired, TransactionFailed
from meterchain.failures import explain
from meterchain.programs import Programs
from meterchain.tokens import TOKEN_PROGRAM

ED25519 = Pubkey.from_string("Ed25519SigVerify111111111111111111111111111")


def failed(built: Programs, error: Any, logs: tuple[str, ...], *called: Pubkey) -> TransactionFailed:  # noqa: ANN401
    found = explain(error, logs, called, built.by_id, 77)
    assert isinstance(found, TransactionFailed)
    return found


def test_a_program_s_own_code_is_named_by_its_idl(built: Programs) -> None:
    oracle = built.id("oracle")
    found = failed(built, {"InstructionError": [3, {"Custom": 6011}]}, (), oracle, oracle, oracle, oracle)
    assert (found.name, found.code, found.index, found.program) == ("StaleSequence", 6011, 3, oracle)
    assert str(found).startswith("StaleSequence (6011) in instruction 3: ")
    assert found.compute_units == 77


def test_a_code_belongs_to_the_innermost_program_that_failed(built: Programs) -> None:
    oracle, token = built.id("oracle"), built.id("energy_token")
    logs = (
        f"Program {oracle} invoke [1]", f"Program {token} invoke [2]", f"Program {TOKEN_PROGRAM} invoke [3]",
        f"Program {TOKEN_PROGRAM} failed: custom program error: 0x4",
        f"Program {token} failed: custom program error: 0x4",
        f"Program {oracle} failed: custom program error: 0x4",
    )  # fmt: skip
    found = failed(built, {"InstructionError": [0, {"Custom": 4}]}, logs, oracle)
    assert (found.name, found.program) == ("OwnerMismatch", TOKEN_PROGRAM)
    found = failed(built, {"InstructionError": [0, {"Custom": 6003}]}, (logs[0], logs[1], logs[4], logs[5]), oracle)
    assert (found.name, found.program) == ("MintCapExceeded", token)


def test_anchor_s_codes_are_named_too(built: Programs) -> None:
    found = failed(built, {"InstructionError": [0, {"Custom": 2040}]}, (), built.id("registry"))
    assert found.name == "ConstraintDuplicateMutableAccount"


def test_the_runtime_s_words_stay_and_say_where(built: Programs) -> None:
    found = failed(built, {"InstructionError": [0, "InvalidSeeds"]}, (), built.id("registry"))
    assert (found.name, found.code) == ("InvalidSeeds", None)
    assert "in registry" in found.message
    found = failed(built, {"InsufficientFundsForRent": {"account_index": 1}}, ())
    assert found.name == "InsufficientFundsForRent"
    assert failed(built, {"InstructionError": [0, {"BorshIoError": "x"}]}, ()).name == "BorshIoError"


def test_a_precompile_logs_nothing_and_is_named_by_its_place(built: Programs) -> None:
    found = failed(built, {"InstructionError": [0, {"Custom": 2}]}, (), ED25519, built.id("oracle"))
    assert (found.name, found.program) == ("InvalidSignature", ED25519)


def test_an_error_that_nobody_names_keeps_its_number(built: Programs) -> None:
    found = failed(built, {"InstructionError": [0, {"Custom": 9}]}, (), stranger := Pubkey([7] * 32))
    assert found.name == "Custom9"
    assert str(stranger) in found.message


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("BlockhashNotFound", BlockhashExpired), ("AlreadyProcessed", AlreadyProcessed),
        ("InsufficientFundsForFee", BadTransaction), ("SignatureFailure", BadTransaction),
    ],
)  # fmt: skip
def test_what_never_ran_is_told_apart(built: Programs, error: str, kind: type[Exception]) -> None:
    assert type(explain(error, (), (), built.by_id)) is kind


def test_another_word_of_the_runtime_is_a_failure_of_that_name(built: Programs) -> None:
    assert failed(built, "TooManyAccountLocks", ()).name == "TooManyAccountLocks"
