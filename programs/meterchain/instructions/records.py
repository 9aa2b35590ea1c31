"""What the Oracle is asked with signed records: take them, pay for them, and freeze a meter that signed two of one.

submit_meter_data and report_equivocation are two instructions: the Ed25519 precompile's, then ours, which holds the
signed bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from meterchain import pdas
from meterchain.ed25519 import Elsewhere, Signed, verify_elsewhere
from meterchain.idl_types import IdlError
from meterchain.instructions.building import build, metering
from meterchain.programs import Programs
from meterchain.record import METER_ID_SIZE, RECORD_SIZE, decode_meter_id

MAX_RECORDS = 5
"""Most records in one submit_meter_data."""
FIRST_RECORD = 13
"""Record 0 lies here in the data of submit_meter_data: discriminator 8, ed_ix 1, vec length 4."""
EVIDENCE = (9, 9 + RECORD_SIZE)
"""The two records lie here in the data of report_equivocation: discriminator 8, ed_ix 1."""
_METER_ID_AT = 16


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """The 96 bytes of a record with the signature over them."""

    encoded: bytes
    signed: Signed

    @property
    def meter_id(self) -> str:
        """Whose record it is.  Raises RecordError if the bytes name no meter."""
        return decode_meter_id(self.encoded[_METER_ID_AT : _METER_ID_AT + METER_ID_SIZE])


def submit_meter_data(
    programs: Programs, relayer: Pubkey, records: Sequence[SignedRecord], *, position: int
) -> list[Instruction]:
    """Deliver 1 to MAX_RECORDS records: the precompile's instruction, then ours, which holds the signed bytes.

    `position` is where the first of the two will stand in the transaction (the number of instructions before it).
    Records of one meter go in the order of their sequence numbers.
    """
    if not 1 <= len(records) <= MAX_RECORDS:
        raise IdlError(f"1 to {MAX_RECORDS} records go together, not {len(records)}")
    places = [Elsewhere(position + 1, FIRST_RECORD + RECORD_SIZE * k, RECORD_SIZE) for k in range(len(records))]
    meters = [pdas.meter(programs, record.meter_id) for record in records]
    states = [pdas.meter_state(programs, meter) for meter in meters]
    accounts = {"relayer": relayer, "meter": meters[0], "meter_state": states[0]}
    others: list[AccountMeta] = []
    for meter, state in zip(meters[1:], states[1:], strict=True):
        others.append(AccountMeta(meter, is_signer=False, is_writable=False))
        others.append(AccountMeta(state, is_signer=False, is_writable=True))
    arguments = {"ed_ix": position, "records": [record.encoded for record in records]}
    ours = build(programs, "oracle", "submit_meter_data", accounts, arguments, others)
    return [verify_elsewhere([record.signed for record in records], places), ours]


def process_energy_data(programs: Programs, meter_id: str, owner: Pubkey) -> Instruction:
    """Mint and burn what is due for a meter; `owner` is MeterState.owner, anybody may ask."""
    account, bump = pdas.grid_account(programs, owner)
    meter = pdas.meter(programs, meter_id)
    accounts = {
        "meter": meter,
        "meter_state": pdas.meter_state(programs, meter),
        "user": pdas.user(programs, owner),
        "token_account": account,
    }
    return build(programs, "oracle", "process_energy_data", accounts, {"ata_bump": bump})


def report_equivocation(
    programs: Programs, reporter: Pubkey, first: SignedRecord, second: SignedRecord, *, position: int
) -> list[Instruction]:
    """Freeze the meter whose key signed both: the precompile's instruction, then ours, which holds the signed bytes.

    `position` is where the first of the two will stand in the transaction.
    """
    places = [Elsewhere(position + 1, at, RECORD_SIZE) for at in EVIDENCE]
    accounts = {"reporter": reporter, **metering(programs, first.meter_id)}
    arguments = {"ed_ix": position, "first": first.encoded, "second": second.encoded}
    ours = build(programs, "oracle", "report_equivocation", accounts, arguments)
    return [verify_elsewhere([first.signed, second.signed], places), ours]
