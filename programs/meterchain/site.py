"""A site: the five programs on one chain, initialised for one department.  Everything here can be run again safely.

    deploy_programs → initialise → register_user → assign_meter → open_meter, open_token_account

Each step looks first, does what is missing, looks again, and refuses if what is there contradicts what was asked.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions, pdas
from meterchain.accounts import (
    GovernanceConfig,
    KeyLevel,
    Meter,
    MeterState,
    OracleConfig,
    RegistryConfig,
    Role,
    TokenConfig,
    User,
    UserType,
    fetch,
)
from meterchain.chain import Chain, ChainError
from meterchain.deploy import Deployment, deploy
from meterchain.ed25519 import BadSignature, Signed, possession_message
from meterchain.instructions import MeterAssignment
from meterchain.programs import NAMES, Programs, development_key
from meterchain.record import DOMAIN_SIZE
from meterchain.tokens import TokenAccount, read_token_account
from meterchain.units import InstallId

TOKEN_NAME = "Engineering GRID"  # noqa: S105
TOKEN_SYMBOL = "ENG_GRID"  # noqa: S105
_NOBODY = Pubkey.default()

Progress = Callable[[str, str, int, int], None]
"""Called with (program, what is being done, how much is done, out of how much)."""
Found = TypeVar("Found")


class SiteError(ChainError):
    """The chain holds something else than what was asked for."""


class DevelopmentIds(SiteError):
    """The programs' ids are the published ones, whose keys anybody has, and the chain is not a local one."""


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """What `initialise` writes down.  `name` goes into the domain and cannot be changed later."""

    name: str
    campus_network: str = "campus"
    building_location: str = ""
    ami_endpoint: str = ""
    guardian: Pubkey = _NOBODY
    single_validator: Pubkey = _NOBODY


@dataclass(frozen=True, slots=True)
class Site:
    """One initialised deployment."""

    programs: Programs
    domain: bytes
    engineering_authority: Pubkey

    @property
    def governance(self) -> Pubkey:
        """GovernanceConfig."""
        return pdas.governance(self.programs)

    @property
    def registry(self) -> Pubkey:
        """RegistryConfig."""
        return pdas.registry(self.programs)

    @property
    def oracle(self) -> Pubkey:
        """OracleConfig."""
        return pdas.oracle(self.programs)

    @property
    def token_config(self) -> Pubkey:
        """TokenConfig."""
        return pdas.token_config(self.programs)

    @property
    def grid_mint(self) -> Pubkey:
        """The mint of GRID."""
        return pdas.grid_mint(self.programs)

    def meter(self, meter_id: str) -> Pubkey:
        """Meter."""
        return pdas.meter(self.programs, meter_id)

    def meter_state(self, meter_id: str) -> Pubkey:
        """MeterState."""
        return pdas.meter_state(self.programs, self.meter(meter_id))

    def grid_account(self, wallet: Pubkey) -> Pubkey:
        """The canonical GRID account of `wallet`."""
        return pdas.grid_account(self.programs, wallet)[0]


def domain_of(genesis_hash: bytes, oracle_id: Pubkey, name: str) -> bytes:
    """The 8 bytes that tie a record to one site on one chain."""
    return hashlib.sha256(genesis_hash + bytes(oracle_id) + name.encode()).digest()[:DOMAIN_SIZE]


def refuse_development_ids(chain: Chain, programs: Programs) -> None:
    """Raises DevelopmentIds if the programs have the published ids and the chain is not a local one."""
    public = any(programs.id(name) == development_key(name).pubkey() for name in NAMES if name in programs)
    if public and not chain.is_local:
        raise DevelopmentIds(
            f"these programs are built for the published development ids, and {chain.name} is not local: anybody "
            "could own them there. Build for ids of your own: make programs KEYS=DIR OUT=DIR, then "
            "meterbridge site deploy --programs DIR --keys DIR"
        )


def deploy_programs(
    chain: Chain,
    programs: Programs,
    *,
    payer: Keypair,
    authority: Keypair,
    key_of: Callable[[str], Keypair | None] = development_key,
    progress: Progress = lambda _program, _what, _done, _total: None,
) -> list[Deployment]:
    """Deploy, upgrade or leave alone each program.  `key_of(name)` gives a program's keypair, for its first deployment.

    Raises DevelopmentIds, DeployError, and what Chain.send raises.
    """
    refuse_development_ids(chain, programs)
    names = [name for name in NAMES if name in programs]
    return [
        deploy(
            chain,
            programs.id(name),
            programs.binary(name),
            payer=payer,
            authority=authority,
            program_key=key_of(name),
            progress=lambda what, done, total, name=name: progress(name, what, done, total),  # type: ignore[misc]
        )
        for name in names
    ]


def initialise(chain: Chain, programs: Programs, settings: SiteSettings, authority: Keypair) -> Site:
    """Initialise governance, registry, token and oracle; `authority`, who may upgrade them, becomes the department.

    Raises SiteError if they were initialised for another site, and what Chain.send raises.
    """
    initialise_governance(chain, programs, settings, authority)
    initialise_registry(chain, programs, settings, authority)
    initialise_token(chain, programs, authority)
    initialise_oracle(chain, programs, settings, authority)
    return load(chain, programs)


def initialise_governance(
    chain: Chain, programs: Programs, settings: SiteSettings, authority: Keypair
) -> GovernanceConfig:
    """The first step of `initialise`."""
    wallet = authority.pubkey()
    wanted = instructions.initialize_governance(
        programs,
        wallet,
        engineering_authority=wallet,
        guardian=settings.guardian,
        single_validator=settings.single_validator,
        campus_network=settings.campus_network,
    )
    return _ensure(
        chain, lambda: fetch(chain, programs, GovernanceConfig, pdas.governance(programs)), [wanted], [authority]
    )


def initialise_registry(chain: Chain, programs: Programs, settings: SiteSettings, authority: Keypair) -> RegistryConfig:
    """The second step of `initialise`; derives the domain."""
    domain = domain_of(chain.genesis_hash(), programs.id("oracle"), settings.name)
    wanted = instructions.initialize_registry(programs, authority.pubkey(), settings.building_location, domain)
    config = _ensure(
        chain, lambda: fetch(chain, programs, RegistryConfig, pdas.registry(programs)), [wanted], [authority]
    )
    if config.domain != domain:
        raise SiteError(
            f"the registry belongs to another site (domain {config.domain.hex()}, {settings.name!r} here would be "
            f"{domain.hex()}): use that site's name, or other program ids"
        )
    return config


def initialise_token(chain: Chain, programs: Programs, authority: Keypair) -> TokenConfig:
    """The third step of `initialise`: GRID's mint."""
    wanted = instructions.initialize_token(programs, authority.pubkey(), TOKEN_NAME, TOKEN_SYMBOL)
    return _ensure(
        chain, lambda: fetch(chain, programs, TokenConfig, pdas.token_config(programs)), [wanted], [authority]
    )


def initialise_oracle(chain: Chain, programs: Programs, settings: SiteSettings, authority: Keypair) -> OracleConfig:
    """The fourth step of `initialise`."""
    wanted = instructions.initialize_oracle(programs, authority.pubkey(), settings.ami_endpoint)
    return _ensure(chain, lambda: fetch(chain, programs, OracleConfig, pdas.oracle(programs)), [wanted], [authority])


def load(chain: Chain, programs: Programs) -> Site:
    """The site as the chain has it.  Raises SiteError if it is not initialised."""
    governance = fetch(chain, programs, GovernanceConfig, pdas.governance(programs))
    oracle = fetch(chain, programs, OracleConfig, pdas.oracle(programs))
    if governance is None or oracle is None:
        raise SiteError(
            f"there is no initialised site on {chain.name}: run `meterbridge site deploy`, then `meterbridge site init`"
        )
    return Site(programs, oracle.domain, governance.engineering_authority)


def register_user(
    chain: Chain,
    site: Site,
    authority: Keypair,
    wallet: Pubkey,
    user_type: UserType,
    role: Role,
    *,
    location: str = "",
    external_id_hash: bytes = bytes(32),
) -> User:
    """Register a wallet.  Raises SiteError if it is registered as something else."""
    wanted = instructions.register_user(
        site.programs,
        authority.pubkey(),
        wallet,
        user_type,
        role,
        location=location,
        external_id_hash=external_id_hash,
    )
    address = pdas.user(site.programs, wallet)
    user = _ensure(chain, lambda: fetch(chain, site.programs, User, address), [wanted], [authority])
    if (user.user_type, user.role) != (user_type, role):
        raise SiteError(f"{wallet} is registered as {user.user_type.name} {user.role.name} already")
    return user


def assign_meter(
    chain: Chain,
    site: Site,
    authority: Keypair,
    assignment: MeterAssignment,
    claim: Signed,
    level: KeyLevel = KeyLevel.NOT_STATED,
) -> Meter:
    """Assign a meter.  `claim` is the node's public key and its signature over the proof of possession (install 1).

    `level` says where that key lies; it is stated in the same transaction.

    Raises SiteError if the claim is not that key's, or the meter is assigned to another owner or key.
    """
    message = possession_message(site.domain, assignment.meter_id, assignment.owner, InstallId(1))
    try:
        claim.check(message)
    except BadSignature as error:
        raise SiteError(
            f"the claim for {assignment.meter_id} does not prove possession of its key here: make it again"
        ) from error
    wanted = instructions.assign_meter(site.programs, authority.pubkey(), site.domain, assignment, claim)
    key = Pubkey(claim.public_key)
    wanted += instructions.state_key_level(site.programs, authority.pubkey(), assignment.meter_id, key, level)
    address = site.meter(assignment.meter_id)
    meter = _ensure(chain, lambda: fetch(chain, site.programs, Meter, address), wanted, [authority])
    if (meter.owner, meter.meter_key) != (assignment.owner, key):
        raise SiteError(f"{assignment.meter_id} is assigned already, to {meter.owner} with key {meter.meter_key}")
    return meter


def open_meter(chain: Chain, site: Site, payer: Keypair, meter_id: str) -> MeterState:
    """Create the oracle's account for a meter that was assigned."""
    wanted = instructions.init_meter_state(site.programs, payer.pubkey(), meter_id)
    address = site.meter_state(meter_id)
    return _ensure(chain, lambda: fetch(chain, site.programs, MeterState, address), [wanted], [payer])


def open_token_account(chain: Chain, site: Site, payer: Keypair, owner: Pubkey) -> TokenAccount:
    """Create the GRID account of a registered owner."""
    wanted = instructions.create_token_account(site.programs, payer.pubkey(), owner)

    def look() -> TokenAccount | None:
        (info,) = chain.accounts([site.grid_account(owner)])
        return read_token_account(info) if info and info.data else None

    return _ensure(chain, look, [wanted], [payer])


def _ensure(
    chain: Chain, look: Callable[[], Found | None], wanted: Sequence[Instruction], signers: Sequence[Keypair]
) -> Found:
    found = look()
    if found is not None:
        return found
    chain.send(wanted, signers)
    if (made := look()) is None:
        raise SiteError(f"{chain.name} confirmed the transaction but does not show its account: try another RPC")
    return made
