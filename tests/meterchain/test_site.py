"""A site from nothing to the first token, each step twice."""

import dataclasses
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from solders.keypair import Keypair

from meterchain import site as steps
from meterchain.accounts import MeterKind, MeterStatus, Role, TokenConfig, UserStatus, UserType, fetch
from meterchain.chain import TransactionFailed
from meterchain.embedded import START, EmbeddedChain
from meterchain.programs import NAMES, Programs
from meterchain.site import DevelopmentIds, Site, SiteError, SiteSettings, domain_of
from meterchain.tokens import read_mint

if TYPE_CHECKING:
    from tests.meterchain.conftest import Signer

Funded = Callable[[str], Keypair]


class Elsewhere(EmbeddedChain):
    """An embedded chain that claims to be a public cluster."""

    name = "api.example.org"
    is_local = False


def test_a_site_is_deployed_once_and_then_left_alone(chain: EmbeddedChain, built: Programs, authority: Keypair) -> None:
    seen: list[tuple[str, str]] = []
    first = steps.deploy_programs(
        chain,
        built,
        payer=authority,
        authority=authority,
        progress=lambda name, what, _d, _t: seen.append((name, what)),
    )
    again = steps.deploy_programs(chain, built, payer=authority, authority=authority)
    assert {deployment.action for deployment in first} == {"deployed"}
    assert {deployment.action for deployment in again} == {"unchanged"}
    assert [deployment.program for deployment in first] == [built.id(name) for name in NAMES if name in built]
    assert ("governance", "verified") in seen


def test_development_ids_are_refused_on_a_public_cluster(built: Programs, authority: Keypair) -> None:
    with pytest.raises(DevelopmentIds, match="make programs KEYS"):
        steps.deploy_programs(Elsewhere(), built, payer=authority, authority=authority)


def test_a_fresh_site_is_loaded_as_it_was_initialised(
    chain: EmbeddedChain, site: Site, built: Programs, authority: Keypair
) -> None:
    assert steps.load(chain, built) == site
    assert site.engineering_authority == authority.pubkey()
    assert site.domain == domain_of(chain.genesis_hash(), built.id("oracle"), "test")
    token = fetch(chain, built, TokenConfig, site.token_config)
    assert token is not None
    assert (token.name, token.symbol, token.decimals) == ("Engineering GRID", "ENG_GRID", 9)
    (info,) = chain.accounts([site.grid_mint])
    assert info is not None
    mint = read_mint(info)
    assert (mint.decimals, mint.supply, mint.freeze_authority) == (9, 0, None)


def test_initialising_again_changes_nothing_and_another_name_is_refused(
    chain: EmbeddedChain, site: Site, built: Programs, authority: Keypair
) -> None:
    before = authority_balance(chain, authority)
    assert steps.initialise(chain, built, SiteSettings("test"), authority) == site
    assert authority_balance(chain, authority) == before
    with pytest.raises(SiteError, match="belongs to another site"):
        steps.initialise(chain, built, SiteSettings("another"), authority)


def test_a_chain_without_a_site_says_what_to_run(chain: EmbeddedChain, built: Programs) -> None:
    with pytest.raises(SiteError, match="meterbridge site deploy"):
        steps.load(chain, built)


def test_only_the_upgrade_authority_initialises(deployed: EmbeddedChain, built: Programs, funded: Funded) -> None:
    with pytest.raises(TransactionFailed, match="Unauthorized"):
        steps.initialise(deployed, built, SiteSettings("test"), funded("stranger"))


def test_a_user_is_registered_once(chain: EmbeddedChain, site: Site, authority: Keypair) -> None:
    wallet = Keypair.from_seed(hashlib.sha256(b"a user").digest()).pubkey()
    secret = hashlib.sha256(b"hmac").digest()
    for _ in range(2):
        user = steps.register_user(
            chain, site, authority, wallet, UserType.CONSUMER, Role.FACULTY, location="Lab 2", external_id_hash=secret
        )
    assert (user.wallet, user.user_type, user.role, user.status) == (
        wallet, UserType.CONSUMER, Role.FACULTY, UserStatus.ACTIVE,
    )  # fmt: skip
    assert (user.location, user.external_id_hash, user.registered_at) == ("Lab 2", secret, START)
    with pytest.raises(SiteError, match="registered as CONSUMER FACULTY"):
        steps.register_user(chain, site, authority, wallet, UserType.PROSUMER, Role.FACULTY)


def test_a_meter_is_assigned_once_and_reads_back_whole(
    chain: EmbeddedChain, meter: "Signer", authority: Keypair
) -> None:
    again = steps.assign_meter(chain, meter.site, authority, meter.assignment, meter.claim())
    assert (again.meter_id, again.owner, again.meter_key) == ("METER_001", meter.owner.pubkey(), meter.key.pubkey())
    assert (again.kind, again.status, again.install_id) == (MeterKind.BIDIRECTIONAL, MeterStatus.ACTIVE, 1)
    assert (again.serial, again.model, again.building) == ("S-METER_001", "SDM120", "Building 4")
    assert (again.max_export_w, again.max_import_w, again.resolution_mwh) == (5_000, 10_000, 1_000)
    assert (again.baseline_export_mwh, again.baseline_import_mwh, again.baseline_ts) == (1_000_000, 7_000_000, START)
    state = steps.open_meter(chain, meter.site, authority, "METER_001")
    assert (state.seq, state.export_reg_mwh, state.import_reg_mwh, state.window) == (0, 1_000_000, 7_000_000, ())
    account = steps.open_token_account(chain, meter.site, authority, meter.owner.pubkey())
    assert (account.owner, account.mint, account.amount) == (meter.owner.pubkey(), meter.site.grid_mint, 0)


def test_a_claim_that_proves_nothing_is_refused_before_it_costs_a_fee(
    chain: EmbeddedChain, meter: "Signer", authority: Keypair, funded: Funded
) -> None:
    other = dataclasses.replace(meter.assignment, owner=funded("thief").pubkey())
    before = authority_balance(chain, authority)
    with pytest.raises(SiteError, match="does not prove possession"):
        steps.assign_meter(chain, meter.site, authority, other, meter.claim())
    assert authority_balance(chain, authority) == before


def authority_balance(chain: EmbeddedChain, authority: Keypair) -> int:
    (info,) = chain.accounts([authority.pubkey()])
    assert info is not None
    return info.lamports
