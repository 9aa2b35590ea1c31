"""What must be so, kept beside the chain: who decides, what is paused, who is who, what each meter has said.

Nothing here is read from the chain: it follows from the steps that were accepted.
"""

from dataclasses import dataclass, field, replace

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain.accounts import MeterKind, MeterStatus, UserStatus, UserType

NOBODY = Pubkey.default()
ALL = 0x3F
REGISTRY_WRITE, ORACLE_SUBMIT, MINT, BURN, ORDER_ENTRY, CLEARING = (1 << bit for bit in range(6))

(EPOCH_SECS, MAX_METERS, MAX_ORDERS, FEE_BPS, FUTURE_SKEW, READING_AGE, READING_INTERVAL, PLAUSIBILITY_PCT, FLOOR_MWH,
 CANCEL_FREEZE, SETTLE_DELAY, MIN_LOTS, MARGIN_RULE, PAUSE_MAX, TIMELOCK, AUTH_EXPIRY, MINT_CAP, MAX_SWEEP,
 MAX_CATCHUP) = range(19)  # fmt: skip
BOUNDS = (
    (900, 900), (1, 16), (1, 1_000), (0, 500), (0, 300), (900, 2_592_000), (1, 600), (100, 200), (0, 10_000), (0, 300),
    (0, 300), (1, 100_000), (0, 1), (900, 31_536_000), (0, 2_592_000), (3_600, 2_592_000), (0, 10**15), (1, 4_096),
    (86_400, 2_592_000),
)  # fmt: skip
DEFAULTS = (900, 10, 100, 25, 30, 604_800, 60, 120, 1_000, 60, 0, 10, 0, 604_800, 0, 172_800, 10**9, 1_024, 604_800)


def is_allowed(number: int, value: int) -> bool:
    """May the parameter have this value?"""
    low, high = BOUNDS[number]
    return low <= value <= high or (number == PAUSE_MAX and value == 0)


@dataclass
class Government:
    """Governance, as it should be."""

    authority: Keypair
    guardian: Pubkey = NOBODY
    validator: Pubkey = NOBODY
    pending: Keypair | None = None
    eta: int = 0
    expires: int = 0
    mask: int = 0
    ends: int = 0
    """When the pause ends; 0: never."""
    nonce: int = 0
    params: list[int] = field(default_factory=lambda: list(DEFAULTS))
    programs: list[Pubkey] = field(default_factory=lambda: [NOBODY] * 8)

    def paused(self, now: int) -> int:
        """Bits that count now."""
        return self.mask if self.ends == 0 or now < self.ends else 0

    def pause(self, mask: int, now: int) -> None:
        active, most = self.paused(now), self.params[PAUSE_MAX]
        if most == 0 or (active and self.ends == 0):
            self.ends = 0
        else:
            self.ends = max(now + most, self.ends if active else 0)
        self.mask = active | mask

    def unpause(self, mask: int, now: int) -> None:
        self.mask = self.paused(now) & ~mask
        if not self.mask:
            self.ends = 0


@dataclass
class Person:
    """Somebody with a wallet, who may be registered and may have a seat."""

    name: str
    key: Keypair
    user: Pubkey
    seat_index: Pubkey
    accounts: tuple[Pubkey, Pubkey]
    """Canonical GRID and money accounts."""
    bumps: tuple[int, int]
    registered: bool = False
    user_type: UserType = UserType.PROSUMER
    status: UserStatus = UserStatus.ACTIVE
    meters: set[str] = field(default_factory=set)

    @property
    def wallet(self) -> Pubkey:
        return self.key.pubkey()

    @property
    def is_active(self) -> bool:
        return self.registered and self.status is UserStatus.ACTIVE


@dataclass(frozen=True)
class State:
    """What the oracle should believe about a meter.  Frozen: a refused record leaves no trace."""

    install: int
    owner: str
    last_ts: int
    export: int
    import_: int
    seq: int = 0
    digest: bytes = bytes(32)
    last_epoch: int = 0
    cum_export: int = 0
    cum_import: int = 0
    minted: int = 0
    forfeited: int = 0
    burned: int = 0
    written_off: int = 0
    frozen_at: int = 0
    """0: not frozen."""
    accepted_at: int = 0
    claimed: int = 0
    """Seconds of rated power that were claimed ahead of the chain's time."""

    @property
    def unminted(self) -> int:
        return self.cum_export - self.minted - self.forfeited

    @property
    def unburned(self) -> int:
        return self.cum_import - self.burned - self.written_off

    def but(self, **changes: object) -> "State":
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass
class Meter:
    """A metering point, as the registry should have it; `state` once the oracle opened its account."""

    meter_id: str
    number: int
    kind: MeterKind
    owner: str
    key: Keypair
    address: Pubkey
    state_address: Pubkey
    serial: str
    baseline_ts: int
    baseline: tuple[int, int]
    max_w: tuple[int, int] = (5_000, 10_000)
    resolution: int = 10
    modulus: int = 0
    install: int = 1
    forfeit: int = 0
    key_rotated_at: int = 0
    key_level: int = 0
    status: MeterStatus = MeterStatus.ACTIVE
    freed: bool = False
    """Taken off its last owner's list."""
    state: State | None = None
    last: bytes = b""
    """The last accepted record."""
