"""Does the node know the time well enough to name a slot?"""

from meteredge.doctor.facts import Facts, Unknown
from meteredge.doctor.sheet import Check, Line
from meteredge.timesource import EARLIEST_S

APART_S = 30.0
"""The chain takes readings up to so far in its future."""
NEAR_S = 5.0

_CARRY = {"I": "records carry I", "U": "readings are kept, and signed when the time is known"}
LET_IT_ASK = (
    "look again in a minute; where chrony keeps the time, the agent's unit needs a drop-in to ask it: "
    "`meterbridge docs install`"
)
TIME_SERVICE = "check the network and `timedatectl`; port 123 (NTP) must be open to the time server"

_SYNCHRONISED = Line("time", "clock", "clock")
_CHAIN = Line("time", "chain_clock", "clock and chain")
_RTC = Line("time", "rtc", "clock without power")


def synchronised(facts: Facts) -> Check:
    """Somebody vouches for the date, and the agent has heard it."""
    host, agent = facts.clock.status, facts.agent.time_status
    if facts.clock.utc < EARLIEST_S and host != "S":
        return _SYNCHRONISED.failed("the date is before this software was made: no slot can be named", TIME_SERVICE)
    waiting = f"; {facts.agent.undated} readings wait for the time" if facts.agent.undated else ""
    if host == "S" and agent not in (None, "S"):
        carry = _CARRY.get(agent, _CARRY["U"])
        return _SYNCHRONISED.warned(
            f"the host is synchronised and the agent does not know it: {carry}{waiting}", LET_IT_ASK
        )
    match agent or host:
        case "S":
            return _SYNCHRONISED.passed("synchronised; records carry S")
        case "I":
            return _SYNCHRONISED.warned(f"nobody but a witness vouches for the date: {_CARRY['I']}", TIME_SERVICE)
        case _:
            return _SYNCHRONISED.warned(f"nobody vouches for the date: {_CARRY['U']}{waiting}", TIME_SERVICE)


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
