"""What each refusal of the oracle means for a record (edge.md, "Once, and never lost").

retry   the record is good, the moment is not: send it again
refuse  this record is lost for the chain, the next one carries its energy: go on with a gap
hold    nothing is delivered until somebody cures the cause: alarm, and try again now and then
stop    the node's story and the chain's contradict each other: sign and send nothing more

An error that this table does not know is held: never dropped, never ignored.
"""

from collections.abc import Mapping
from enum import StrEnum

from meterchain.chain import TransactionFailed
from meterchain.ed25519 import PRECOMPILE
from meterchain.record import NEVER_MONEY, Record
from meteredge.journal import Row


class Verdict(StrEnum):
    """What becomes of a record that the chain did not take."""

    RETRY = "retry"
    REFUSE = "refuse"
    HOLD = "hold"
    STOP = "stop"


VERDICTS: Mapping[str, Verdict] = {
    "FutureReading": Verdict.RETRY,
    "Paused": Verdict.RETRY,
    "Inactive": Verdict.RETRY,
    "OwnerChangePending": Verdict.RETRY,
    "StaleSequence": Verdict.RETRY,  # the chain is further than we saw: look again
    "ReadingTooOld": Verdict.REFUSE,
    "EpochMisaligned": Verdict.REFUSE,
    "ReadingTooFrequent": Verdict.REFUSE,
    "BadRecord": Verdict.REFUSE,  # if its flags explain it, see `judge`
    "Implausible": Verdict.HOLD,
    "RegisterRegression": Verdict.HOLD,
    "MeterInactive": Verdict.HOLD,
    "InstallMismatch": Verdict.HOLD,
    "Frozen": Verdict.HOLD,
    "Unauthorized": Verdict.HOLD,  # relayer_mode 1 and a wallet that is not listed
    "UserInactive": Verdict.HOLD,
    "Overflow": Verdict.HOLD,
    "Equivocation": Verdict.STOP,
    "BrokenChain": Verdict.STOP,
    "BadDomain": Verdict.STOP,
    "MeterMismatch": Verdict.STOP,
    "SignatureMismatch": Verdict.STOP,
    "SignatureMissing": Verdict.STOP,
    "NotTopLevel": Verdict.STOP,
    "SeqJump": Verdict.STOP,
}
NOT_FOR_RECORDS = frozenset(
    {"AccrualPending", "EpochNotOver", "BadTokenAccount", "OwnerUnchanged", "NoContradiction", "NotFrozen"}
)
"""Errors of the oracle's other instructions; `submit_meter_data` never answers them."""
WHOLE_METER = frozenset({"Paused", "Inactive", "OwnerChangePending", "Frozen", "Unauthorized", "StaleSequence"})
"""Refusals that meet every record of the meter alike: sending them one by one would change nothing."""

NEXT_STEP: Mapping[Verdict, str] = {
    Verdict.RETRY: "it is sent again by itself",
    Verdict.REFUSE: "its energy is in the next record; nothing to do",
    Verdict.HOLD: "nothing is lost: records wait until the operator has cured the cause, then go by themselves",
    Verdict.STOP: "the agent has stopped; call the operator before it is started again",
}


def judge(failure: TransactionFailed, row: Row) -> Verdict:
    """What to do with `row`, which the chain refused alone."""
    if failure.program == PRECOMPILE:
        return Verdict.STOP
    if failure.name == "BadRecord" and not Record.decode(row.record).status_flags & NEVER_MONEY:
        return Verdict.HOLD
    return VERDICTS.get(failure.name, Verdict.HOLD)
