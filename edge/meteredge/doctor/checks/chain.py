"""The chain: reached, the right site, the meter enrolled, records wanted, fees paid for."""

from meteredge.doctor.facts import ChainFacts, Facts, Unknown
from meteredge.doctor.sheet import Check, Line

FEE_DAYS = 30.0
"""Less than this many days of fees is an alarm."""
LAMPORTS_PER_SOL = 1_000_000_000

_REACHABLE = Line("chain", "chain", "chain")
_SITE = Line("chain", "site", "site")
_REGISTRATION = Line("chain", "registration", "registration")
_DELIVERIES = Line("chain", "deliveries", "what the chain takes")
_FEES = Line("chain", "fees", "fees left")


def reachable(facts: Facts) -> Check:
    """It answers."""
    if isinstance(facts.chain, Unknown):
        return _REACHABLE.failed(facts.chain.why, "check the network and [chain] rpc; records are kept meanwhile")
    return _REACHABLE.passed(f"{facts.chain.host} answered in {facts.chain.answered_in_s * 1000:.0f} ms")


def site(facts: Facts) -> Check:
    """It holds the site that the configuration names."""
    chain = facts.chain
    if isinstance(chain, Unknown):
        return _SITE.left_out("the chain did not answer")
    if chain.domain is None:
        return _SITE.failed("this chain holds no site", "check [chain] rpc: is it the operator's cluster?")
    if chain.domain != facts.domain:
        return _SITE.failed(
            f"this chain holds the site {chain.domain}, the node is configured for {facts.domain}",
            "check [chain] rpc and [site] domain",
        )
    return _SITE.passed(chain.domain)


def registration(facts: Facts) -> Check:
    """The meter is enrolled, and its owner may take part."""
    chain = facts.chain
    if isinstance(chain, Unknown) or chain.domain is None:
        return _REGISTRATION.left_out("the chain did not answer, or holds no site")
    meter = chain.meter
    if meter is None:
        return _REGISTRATION.failed(
            f"there is no meter {facts.meter_id} in the registry",
            "run `meterbridge agent claim --owner WALLET` and hand what it prints to the operator",
        )
    told = f"{facts.meter_id} is {meter.status}, install {meter.install_id}, owner {meter.owner}"
    if meter.status in {"provisioned", "maintenance"}:
        return _REGISTRATION.warned(f"{told}: records wait", "have the operator set it active")
    if meter.status != "active":
        return _REGISTRATION.failed(f"{told}: nothing is taken any more", "call the operator")
    if meter.owner_status != "active":
        return _REGISTRATION.warned(f"{told}, who is {meter.owner_status}", "have the operator approve the owner")
    return _REGISTRATION.passed(told)


def deliveries(facts: Facts) -> Check:
    """Nothing on the chain's side stops this meter's records."""
    chain = facts.chain
    if isinstance(chain, Unknown) or chain.domain is None:
        return _DELIVERIES.left_out("the chain did not answer, or holds no site")
    if chain.account and chain.account.frozen:
        return _DELIVERIES.failed(
            "the meter's account is frozen: two different records of one number were proved",
            "two nodes sign with this key: find the other one, then call the operator",
        )
    if chain.paused:
        return _DELIVERIES.warned("the site is paused; records wait and go by themselves afterwards",
                                  "nothing to do here: ask the operator how long")  # fmt: skip
    if not chain.oracle_active:
        return _DELIVERIES.warned("the oracle is inactive; records wait", "ask the operator")
    if not chain.relayer_listed:
        return _DELIVERIES.failed(
            "only listed wallets may deliver here, and this node's is not", "have the operator list it"
        )
    if chain.meter and chain.account is None:
        return _DELIVERIES.passed("no record yet; the first delivery opens the account")
    return _DELIVERIES.passed("records are taken")


def fees(facts: Facts) -> Check:
    """The wallet that pays lasts for a month."""
    chain = facts.chain
    if isinstance(chain, Unknown):
        return _FEES.left_out("the chain did not answer")
    if isinstance(chain.relayer, Unknown):
        return _FEES.left_out(chain.relayer.why)
    days = _days(chain)
    told = f"{chain.relayer} holds {chain.relayer_lamports / LAMPORTS_PER_SOL:.4f} SOL"
    if days is None:
        return _FEES.passed(f"{told}; this node pays no fees")
    told += f", {days:,.0f} days at {chain.lamports_a_day / LAMPORTS_PER_SOL:.6f} SOL a day"
    need = max(0.0, FEE_DAYS * 2 * chain.lamports_a_day - chain.relayer_lamports) / LAMPORTS_PER_SOL
    if days < 1:
        return _FEES.failed(told, f"send it at least {need:.4f} SOL: nothing is delivered without fees")
    if days < FEE_DAYS:
        return _FEES.warned(told, f"send it {need:.4f} SOL soon")
    return _FEES.passed(told)


def _days(chain: ChainFacts) -> float | None:
    return chain.relayer_lamports / chain.lamports_a_day if chain.lamports_a_day else None
