"""Does the node know the time well enough to name a slot?"""

from meteredge.doctor.facts import Facts, Unknown
from meteredge.doctor.sheet import Check, Line
from meteredge.timesource import EARLIEST_S

APART_S = 30.0
"""The chain takes readings up to so far in its future."""
NEAR_S = 5.0

TIME_SERVICE = "check the network and `timedatectl`; port 123 (NTP) must be open to the time server"

_SYNCHRONISED = Line("time", "clock", "clock")
_CHAIN = Line("time", "chain_clock", "clock and chain")
_RTC = Line("time", "rtc", "clock without power")


def synchronised(facts: Facts) -> Check:
    """Somebody vouches for the date."""
    match facts.clock.status:
        case "S":
            return _SYNCHRONISED.passed("synchronised; records carry S")
        case "I":
            return _SYNCHRONISED.warned("nobody but a battery vouches for the date: records carry I", TIME_SERVICE)
        case _ if facts.clock.utc < EARLIEST_S:
            return _SYNCHRONISED.failed("the date is before this software was made: no slot can be named", TIME_SERVICE)
        case _:
            return _SYNCHRONISED.warned("nobody vouches for the date: records wait or are flagged", TIME_SERVICE)


def against_chain(facts: Facts) -> Check:
    """It agrees with the chain's own clock."""
    ahead = facts.clock.chain_ahead_s
    if isinstance(ahead, Unknown):
        return _CHAIN.left_out(ahead.why)
    told = f"the chain's clock is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
    if abs(ahead) > APART_S:
        return _CHAIN.failed(f"{told}: records are refused or late", TIME_SERVICE)
    return _CHAIN.passed(told if abs(ahead) > NEAR_S else "they agree")


def without_power(facts: Facts) -> Check:
    """A clock that goes on without power spares the first minutes after a cut."""
    if facts.clock.rtc:
        return _RTC.passed("there is a real-time clock")
    return _RTC.left_out("no real-time clock: after a power cut records wait until the network has told the time")
