"""What to do about a refusal: the next step for those that a person at a terminal can meet, by program and error.

The programs say what is wrong in a few words; what helps is a command, and only we know our commands.  What is not here
says enough by itself, or is no matter of the person who typed it.
"""

from collections.abc import Mapping

from solders.pubkey import Pubkey

from meterchain.chain import TransactionFailed
from meterchain.programs import Programs

_WHOSE = "`meterbridge site status` shows whose wallet it takes"
_PAUSED = "`meterbridge site status` shows what is paused and until when; what leads out works all the same"
_USER = "`meterbridge user status WALLET` shows why; the department decides on the user first"
_NEXT_EPOCH = "order again in the next epoch; they begin every quarter of an hour"

ADVICE: Mapping[str, Mapping[str, str]] = {
    "governance": {
        "Unauthorized": _WHOSE,
        "NothingPending": "`meterbridge site authority propose WALLET` comes first",
        "TimelockActive": "`meterbridge site authority show` says from when",
        "ProposalExpired": "`meterbridge site authority propose WALLET` once more",
    },
    "registry": {
        "Unauthorized": _WHOSE,
        "Paused": _PAUSED,
        "UserInactive": _USER,
        "TooManyMeters": "`meterbridge site params` shows MAX_METERS_PER_USER, `meterbridge meter unassign` frees one",
        "BadStatusTransition": "`meterbridge meter show METER_ID` shows its status now",
    },
    "oracle": {
        "Unauthorized": _WHOSE,
        "Paused": _PAUSED,
        "UserInactive": _USER,
        "EpochNotOver": "`meterbridge market book` shows when it ends",
    },
    "energy_token": {"Unauthorized": _WHOSE, "Paused": _PAUSED, "UserInactive": _USER},
    "trading": {
        "Unauthorized": _WHOSE,
        "Paused": _PAUSED,
        "Halted": "cancel and withdraw; `meterbridge market void` ends it, after 24 h for anybody",
        "UserInactive": _USER,
        "NotProsumer": "buy; or the department corrects the type (`meterbridge user update WALLET --type prosumer`)",
        "MarketClosed": _NEXT_EPOCH,
        "BelowMin": "`meterbridge site params` shows MIN_LOTS",
        "TooManyOrders": _NEXT_EPOCH,
        "OppositeSide": _NEXT_EPOCH,
        "BookFull": _NEXT_EPOCH,
        "InsufficientFunds": "`meterbridge market seat WALLET` and `meterbridge user show WALLET` show what there is",
        "CancelFrozen": "it is bound until its epoch is over and cleared (`meterbridge keeper run --once`)",
        "EpochNotOver": "`meterbridge market book` shows when it ends",
        "SeatInUse": "cancel, withdraw, and wait for the end of the epoch of the last order",
        "SeatsFull": "somebody has to leave first (`meterbridge market leave`)",
    },
}
"""Program, error, next step."""


def next_step(failure: TransactionFailed, programs: Programs) -> str | None:
    """What to do about it; None if there is nothing to add."""
    names: Mapping[Pubkey, str] = {programs.id(name): name for name in ADVICE}
    program = names.get(failure.program) if failure.program else None
    return ADVICE[program].get(failure.name) if program else None
