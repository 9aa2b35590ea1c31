"""Our accounts as frozen dataclasses, read by the layouts of the IDLs.

`fetch(chain, programs, Meter, address)` gives a Meter or None.  What is at the address must be owned by
the right program and begin with the right discriminator, or AccountError says what it is instead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, ClassVar, TypeVar

from solders.pubkey import Pubkey

from meterchain.chain import AccountInfo, Chain, ChainError
from meterchain.idl_types import IdlError, Value
from meterchain.programs import Programs
from meterchain.record import decode_meter_id
from meterchain.units import SLOT_S, Atoms, InstallId, Mwh, Seq, Slot, UnixTime

LAYOUT_VERSION = 1
"""`version` of every account that this code reads."""


class AccountError(ChainError):
    """The account at an address is not what it should be."""


class UserType(IntEnum):
    """A prosumer may sell; a consumer only buys."""

    PROSUMER = 0
    CONSUMER = 1


class Role(IntEnum):
    """What somebody is at the university."""

    STUDENT = 0
    FACULTY = 1
    DEPARTMENT = 2


class UserStatus(IntEnum):
    """Whether a user may act."""

    ACTIVE = 0
    SUSPENDED = 1
    REVOKED = 2


class MeterKind(IntEnum):
    """Which directions of energy count."""

    BIDIRECTIONAL = 0
    GENERATION_ONLY = 1
    CONSUMPTION_ONLY = 2


class MeterStatus(IntEnum):
    """Whether records of a meter are accepted."""

    PROVISIONED = 0
    ACTIVE = 1
    MAINTENANCE = 2
    DECOMMISSIONED = 3
    COMPROMISED = 4


class KeyLevel(IntEnum):
    """What a thief must beat to get a meter's key; every new key begins as not stated."""

    NOT_STATED = 0
    FILE = 1
    BOARD = 2
    CHIP = 3

    @property
    def word(self) -> str:
        """As people read it."""
        return self.name.lower().replace("_", " ")


def _read_by(convert: Callable[[Value], object]) -> Mapping[str, object]:
    return {"convert": convert}


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode("utf-8", "replace")


_TEXT = _read_by(_text)
_KEYS = _read_by(tuple)


@dataclass(frozen=True, slots=True)
class GovernanceConfig:
    """Who decides, what is paused, what the parameters are."""

    PROGRAM: ClassVar = "governance"
    emergency_pause: bool = field(metadata=_read_by(bool))
    authorized_count: int
    pause_mask: int
    engineering_authority: Pubkey
    pending_authority: Pubkey
    guardian: Pubkey
    single_validator: Pubkey
    pending_eta: UnixTime
    pending_expires: UnixTime
    paused_at: UnixTime
    pause_expires_at: UnixTime
    params_nonce: int
    created_at: UnixTime
    authorized_programs: tuple[Pubkey, ...] = field(metadata=_KEYS)
    system_parameters: tuple[int, ...] = field(metadata=_KEYS)
    campus_network: str = field(metadata=_TEXT)

    def effective_pause(self, now: UnixTime) -> int:
        """The bits that are stopped at `now`; an expired pause counts as none."""
        return self.pause_mask if self.pause_expires_at == 0 or now < self.pause_expires_at else 0


@dataclass(frozen=True, slots=True)
class RegistryConfig:
    """Counters, and the domain that every record names."""

    PROGRAM: ClassVar = "registry"
    max_meters_per_user: int
    next_meter_no: int
    engineering_authority: Pubkey
    user_count: int
    meter_count: int
    active_meter_count: int
    created_at: UnixTime
    building_location: str = field(metadata=_TEXT)
    domain: bytes


@dataclass(frozen=True, slots=True)
class User:
    """A wallet that may trade and own meters."""

    PROGRAM: ClassVar = "registry"
    user_type: UserType = field(metadata=_read_by(UserType))
    role: Role = field(metadata=_read_by(Role))
    status: UserStatus = field(metadata=_read_by(UserStatus))
    meter_count: int
    wallet: Pubkey
    registered_at: UnixTime
    status_changed_at: UnixTime
    location: str = field(metadata=_TEXT)
    external_id_hash: bytes
    meters: tuple[int, ...] = field(metadata=_KEYS)


@dataclass(frozen=True, slots=True)
class Meter:
    """A metering point, its device and the key that signs its readings."""

    PROGRAM: ClassVar = "registry"
    kind: MeterKind = field(metadata=_read_by(MeterKind))
    status: MeterStatus = field(metadata=_read_by(MeterStatus))
    meter_no: int
    meter_id: str = field(metadata=_read_by(decode_meter_id))
    owner: Pubkey
    meter_key: Pubkey
    install_id: InstallId
    resolution_mwh: int
    max_export_w: int
    max_import_w: int
    register_modulus_mwh: Mwh
    baseline_export_mwh: Mwh
    baseline_import_mwh: Mwh
    baseline_ts: UnixTime
    assigned_at: UnixTime
    status_changed_at: UnixTime
    key_rotated_at: UnixTime
    forfeit_install: InstallId
    serial: str = field(metadata=_TEXT)
    model: str = field(metadata=_TEXT)
    building: str = field(metadata=_TEXT)
    cert_hash: bytes
    key_level: KeyLevel = field(metadata=_read_by(KeyLevel))


@dataclass(frozen=True, slots=True)
class OracleConfig:
    """How readings come in."""

    PROGRAM: ClassVar = "oracle"
    active: bool = field(metadata=_read_by(bool))
    auto_clearing_enabled: bool = field(metadata=_read_by(bool))
    decimals: int
    relayer_mode: int
    relayer_count: int
    engineering_authority: Pubkey
    registry_program: Pubkey
    token_program: Pubkey
    trading_program: Pubkey
    domain: bytes
    market_clearing_interval: int
    last_market_clearing: UnixTime
    relayers: tuple[Pubkey, ...] = field(metadata=_KEYS)
    ami_endpoint: str = field(metadata=_TEXT)


@dataclass(frozen=True, slots=True)
class EpochEnergy:
    """Energy credited to one slot, in whole Wh."""

    slot: Slot
    export_wh: int
    import_wh: int
    flags: int


def _window(entries: Sequence[Mapping[str, Any]]) -> tuple[EpochEnergy, ...]:
    used = [entry for entry in entries if entry["epoch_no"]]
    return tuple(
        EpochEnergy(Slot(entry["epoch_no"] * SLOT_S), entry["export_wh"], entry["import_wh"], entry["flags"])
        for entry in sorted(used, key=lambda entry: int(entry["epoch_no"]))
    )


@dataclass(frozen=True, slots=True)
class MeterState:
    """What the chain believes about one meter.  `window` holds the last slots, oldest first."""

    PROGRAM: ClassVar = "oracle"
    flags: int
    install_id: InstallId
    meter: Pubkey
    owner: Pubkey
    seq: Seq
    last_ts: UnixTime
    last_accept_ts: UnixTime
    last_epoch: Slot
    frozen_at: UnixTime
    export_reg_mwh: Mwh
    import_reg_mwh: Mwh
    cum_export_mwh: Mwh
    cum_import_mwh: Mwh
    minted_mwh: Mwh
    burned_mwh: Mwh
    written_off_import_mwh: Mwh
    last_digest: bytes
    readings: int
    gaps: int
    rollovers: int
    multi_epoch: int
    window: tuple[EpochEnergy, ...] = field(metadata=_read_by(_window))
    forfeited_mwh: Mwh
    claimed_secs: int

    @property
    def unminted_mwh(self) -> Mwh:
        """Export that is credited, not given up and not minted yet; below 0 only if the books are wrong."""
        return Mwh(self.cum_export_mwh - self.minted_mwh - self.forfeited_mwh)

    @property
    def frozen(self) -> bool:
        """True after two different records of one sequence number were proved."""
        return bool(self.flags & 1)


@dataclass(frozen=True, slots=True)
class TokenConfig:
    """GRID's totals and limits; amounts in atoms."""

    PROGRAM: ClassVar = "energy_token"
    decimals: int
    mint_authority: Pubkey
    mint: Pubkey
    oracle_minter: Pubkey
    registry_program: Pubkey
    total_supply: Atoms
    total_minted: Atoms
    total_burned_consumption: Atoms
    total_burned_voluntary: Atoms
    mint_cap_per_epoch: Atoms
    epoch_no: int
    epoch_minted: Atoms
    created_at: UnixTime
    name: str = field(metadata=_TEXT)
    symbol: str = field(metadata=_TEXT)


@dataclass(frozen=True, slots=True)
class KeyIndex:
    """A key belongs to one meter for ever; `retired_at` is 0 while it is that meter's present one."""

    PROGRAM: ClassVar = "registry"
    meter: Pubkey
    retired_at: UnixTime


@dataclass(frozen=True, slots=True)
class SerialIndex:
    """A physical device belongs to one metering point for ever."""

    PROGRAM: ClassVar = "registry"
    meter: Pubkey


T = TypeVar(
    "T",
    GovernanceConfig,
    RegistryConfig,
    User,
    Meter,
    KeyIndex,
    SerialIndex,
    OracleConfig,
    MeterState,
    TokenConfig,
)


def parse(programs: Programs, kind: type[T], info: AccountInfo) -> T:
    """The account in `info`.  Raises AccountError if owner, discriminator, version or bytes are not a `kind`'s."""
    idl = programs[kind.PROGRAM]
    if info.owner != idl.program_id:
        raise AccountError(f"{info.address} belongs to {info.owner}, not to {idl.name}: it is no {kind.__name__}")
    try:
        layout = idl.decode_account(kind.__name__, info.data)
    except IdlError as error:
        raise AccountError(f"{info.address}: {error}") from error
    if layout["version"] != LAYOUT_VERSION:
        raise AccountError(
            f"{info.address} has layout version {layout['version']}, this software reads {LAYOUT_VERSION}: update it"
        )
    try:
        return kind(**{part.name: part.metadata.get("convert", _same)(layout[part.name]) for part in fields(kind)})
    except (KeyError, ValueError) as error:
        raise AccountError(f"{info.address} is no {kind.__name__}: {error!r}") from error


def fetch(chain: Chain, programs: Programs, kind: type[T], address: Pubkey) -> T | None:
    """The account at `address`, None if there is none.  Raises AccountError and what Chain.accounts raises."""
    return fetch_many(chain, programs, kind, [address])[0]


def fetch_many(chain: Chain, programs: Programs, kind: type[T], addresses: Sequence[Pubkey]) -> list[T | None]:
    """The accounts at `addresses` in their order."""
    infos = chain.accounts(addresses)
    return [None if info is None or _is_vacant(info) else parse(programs, kind, info) for info in infos]


def fetch_all(chain: Chain, programs: Programs, kind: type[T]) -> dict[Pubkey, T]:
    """Every account of this kind."""
    idl = programs[kind.PROGRAM]
    found = chain.program_accounts(idl.program_id, idl.discriminator(kind.__name__))
    return {address: parse(programs, kind, info) for address, info in found.items()}


def _is_vacant(info: AccountInfo) -> bool:
    """Only lamports, which somebody sent to the address in advance."""
    return info.owner == Pubkey.default() and not info.data


def _same(value: Value) -> Value:
    return value
