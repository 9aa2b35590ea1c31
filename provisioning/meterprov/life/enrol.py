"""Enrolment on the chain: the meter assigned to its owner, and its first reading waited for.

Each step looks first and does only what is missing, so a run that was cut short is finished by running it again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from solders.pubkey import Pubkey

from meterchain.accounts import MeterState, fetch
from meterchain.claim import Claim
from meterchain.commands.meter import Kind
from meterchain.commands.session import Session
from meterchain.commands.user_views import user_of
from meteredge.clock import Clock
from meteredge.profiles import Profile

LOOK_EVERY_S = 15.0
LEAST_LAMPORTS = 10_000_000
"""0.01 SOL: what opens the owner's GRID account and delivers for some days."""


class EnrolRefused(Exception):
    """Something that money depends on is not as it must be; nothing was sent."""


class NoReadingYet(Exception):
    """The meter is enrolled; no record of it has come within the time that was waited."""


@dataclass(frozen=True)
class Verified:
    """The first record that the chain took, or a later one if nobody looked in between."""

    seq: int
    read_at: int


def kind_of(profile: Profile) -> Kind:
    """Which directions a model counts."""
    if not profile.export_registers:
        return "consumption-only"
    return "bidirectional" if profile.import_registers else "generation-only"


def refuse_unknown_owner(here: Session, claim: Claim) -> None:
    """Raises NotFound, which says how to register him, and EnrolRefused."""
    user = user_of(here, Pubkey.from_string(claim.owner))
    if user.status.name != "ACTIVE":
        raise EnrolRefused(
            f"{claim.owner} is {user.status.name.lower()}: run `meterbridge user status {claim.owner} active` first"
        )


def without_money(here: Session, claim: Claim) -> str | None:
    """The wallet by which the node pays for delivery, if it holds next to nothing; else None."""
    if claim.node is None or claim.node.relayer is None:
        return None
    (info,) = here.chain.accounts([Pubkey.from_string(claim.node.relayer)])
    return claim.node.relayer if info is None or info.lamports < LEAST_LAMPORTS else None


def verified(here: Session, meter_id: str, install_id: int) -> Verified | None:
    """What the chain has verified of that install; None as long as it is nothing."""
    state = fetch(here.chain, here.programs, MeterState, here.site.meter_state(meter_id))
    if state is None or state.install_id != install_id or not state.seq:
        return None
    return Verified(state.seq, state.last_ts)


def wait_for_reading(
    here: Session, meter_id: str, install_id: int, clock: Clock, most_s: float, tell: Callable[[str], None]
) -> Verified:
    """Look every 15 s.  Raises NoReadingYet after `most_s`, and what the chain raises."""
    began = clock.monotonic()
    while (found := verified(here, meter_id, install_id)) is None:
        waited = clock.monotonic() - began
        if waited >= most_s:
            raise NoReadingYet(
                f"{meter_id} is enrolled, and no record came within {most_s / 60:.0f} min: look at the node "
                "(`meterbridge doctor`), then run this again"
            )
        tell(f"waiting for the first record of {meter_id}: {waited / 60:.0f} of {most_s / 60:.0f} min")
        clock.sleep(min(LOOK_EVERY_S, most_s - waited))
    return found
