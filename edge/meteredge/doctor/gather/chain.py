"""What the chain shows of this node: site, meter, owner, account, wallet, clock."""

from collections.abc import Callable

from solders.pubkey import Pubkey

from meterchain import pdas, programs
from meterchain.accounts import (
    GovernanceConfig,
    Meter,
    MeterState,
    OracleConfig,
    User,
    UserStatus,
    fetch,
)
from meterchain.chain import Chain, ChainError
from meterchain.programs import Programs
from meteredge.clock import Clock
from meteredge.config import AgentConfig
from meteredge.doctor.facts import Account, ChainFacts, Found, RegistryMeter, Unknown

SLOTS_A_DAY = 96
SIGNATURE_LAMPORTS = 5_000
"""A transaction's fee for each signature; that of a record counts as one (the ed25519 program's)."""
PAUSE_ORACLE = 2
"""Bit of the pause mask that stops readings."""
LISTED_ONLY = 1
"""`relayer_mode` in which listed wallets alone deliver."""


def chain_facts(
    config: AgentConfig, relayer: Found[Pubkey], clock: Clock, connect: Callable[[str], Chain]
) -> tuple[Found[ChainFacts], float | None]:
    """The facts, and how far the chain's clock is ahead of ours, seconds (None if it did not say)."""
    try:
        chain = connect(config.chain.rpc)
    except ChainError as error:
        return Unknown(str(error)), None
    try:
        began = clock.monotonic()
        there = chain.clock()
        answered_in_s = clock.monotonic() - began
        ahead_s = there.unix_s - clock.utc()
        facts = _look(chain, programs.load(config.chain.programs_folder), config, relayer, answered_in_s)
    except ChainError as error:
        return Unknown(str(error)), None
    finally:
        chain.close()
    return facts, ahead_s


def lamports_a_day(settle_every: int) -> int:
    """What a day of records costs: one transaction with two signatures a slot, and the settling."""
    settlings = SLOTS_A_DAY // settle_every if settle_every else 0
    return SIGNATURE_LAMPORTS * (2 * SLOTS_A_DAY + settlings)


def _look(
    chain: Chain, built: Programs, config: AgentConfig, relayer: Found[Pubkey], answered_in_s: float
) -> ChainFacts:
    oracle = fetch(chain, built, OracleConfig, pdas.oracle(built))
    governance = fetch(chain, built, GovernanceConfig, pdas.governance(built))
    address = pdas.meter(built, config.meter.id)
    meter = fetch(chain, built, Meter, address)
    state = fetch(chain, built, MeterState, pdas.meter_state(built, address))
    owner = fetch(chain, built, User, pdas.user(built, meter.owner)) if meter else None
    wallet = None if isinstance(relayer, Unknown) else chain.accounts([relayer])[0]
    listed = (
        config.relay is not None or oracle is None or oracle.relayer_mode != LISTED_ONLY or relayer in oracle.relayers
    )
    return ChainFacts(
        host=chain.name,
        answered_in_s=answered_in_s,
        domain=None if oracle is None else oracle.domain.hex(),
        meter=None if meter is None else _registered(meter, owner.status if owner else None),
        account=None
        if state is None
        else Account(state.install_id, state.seq, state.last_ts, frozen=state.frozen, gaps=state.gaps),
        paused=bool(governance and governance.effective_pause(chain.clock().unix_s) & PAUSE_ORACLE),
        oracle_active=oracle is None or oracle.active,
        relayer=relayer if isinstance(relayer, Unknown) else str(relayer),
        relayer_listed=listed,
        relayer_lamports=wallet.lamports if wallet else 0,
        lamports_a_day=lamports_a_day(config.chain.settle_every),
    )


def _registered(meter: Meter, owner: UserStatus | None) -> RegistryMeter:
    return RegistryMeter(
        status=meter.status.name.lower(),
        meter_key=str(meter.meter_key),
        owner=str(meter.owner),
        owner_status=owner.name.lower() if owner is not None else "not registered",
        install_id=meter.install_id,
        serial=meter.serial,
        model=meter.model,
        key_level=meter.key_level.word,
    )
