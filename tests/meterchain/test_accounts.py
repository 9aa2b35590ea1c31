"""Accounts as dataclasses: the right owner, the right type, the right version, or a sentence that says what it is."""

from typing import TYPE_CHECKING

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import pdas
from meterchain.accounts import (
    AccountError,
    GovernanceConfig,
    Meter,
    MeterState,
    OracleConfig,
    RegistryConfig,
    TokenConfig,
    User,
    fetch,
    fetch_all,
    fetch_many,
)
from meterchain.embedded import START, EmbeddedChain
from meterchain.programs import Programs
from meterchain.site import Site
from meterchain.tokens import NotAToken, read_mint, read_token_account
from meterchain.units import Lamports, UnixTime

if TYPE_CHECKING:
    from tests.meterchain.conftest import NewMeter, Signer

NOBODY = Pubkey([5] * 32)


def test_a_fresh_site_s_configurations_read_back(
    chain: EmbeddedChain, site: Site, built: Programs, authority: Keypair
) -> None:
    governance = fetch(chain, built, GovernanceConfig, site.governance)
    registry = fetch(chain, built, RegistryConfig, site.registry)
    oracle = fetch(chain, built, OracleConfig, site.oracle)
    token = fetch(chain, built, TokenConfig, site.token_config)
    assert governance is not None
    assert registry is not None
    assert oracle is not None
    assert token is not None
    assert governance.system_parameters[:4] == (900, 10, 100, 25)
    assert (governance.pause_mask, governance.emergency_pause, governance.campus_network) == (0, False, "campus")
    assert (registry.user_count, registry.created_at, registry.domain) == (0, START, site.domain)
    assert (oracle.active, oracle.domain, oracle.relayer_mode) == (True, site.domain, 0)
    assert (oracle.registry_program, oracle.token_program) == (built.id("registry"), built.id("energy_token"))
    assert (token.mint, token.oracle_minter) == (site.grid_mint, pdas.oracle_auth(built))
    assert {config.engineering_authority for config in (governance, registry, oracle)} == {authority.pubkey()}


def test_all_meters_are_found_with_their_users_and_states(
    chain: EmbeddedChain, site: Site, built: Programs, new_meter: "NewMeter"
) -> None:
    signers = [new_meter(f"METER_00{n}") for n in (1, 2, 3)]
    assert {meter.meter_id for meter in fetch_all(chain, built, Meter).values()} == {
        "METER_001", "METER_002", "METER_003",
    }  # fmt: skip
    assert set(fetch_all(chain, built, MeterState)) == {site.meter_state(f"METER_00{n}") for n in (1, 2, 3)}
    users = fetch_many(chain, built, User, [pdas.user(built, signer.owner.pubkey()) for signer in signers])
    assert [user.meters[:2] for user in users if user] == [(1, 0), (2, 0), (3, 0)]


def test_what_is_not_there_is_none_even_if_somebody_sent_lamports(chain: EmbeddedChain, built: Programs) -> None:
    address = pdas.meter(built, "METER_009")
    assert fetch(chain, built, Meter, address) is None
    chain.airdrop(address, Lamports(10**9))
    assert fetch(chain, built, Meter, address) is None


def test_a_foreign_owner_another_type_and_short_bytes_are_named(
    chain: EmbeddedChain, meter: "Signer", built: Programs
) -> None:
    address = meter.site.meter("METER_001")
    (info,) = chain.accounts([address])
    assert info is not None
    with pytest.raises(AccountError, match="it is no MeterState"):
        fetch(chain, built, MeterState, address)
    with pytest.raises(AccountError, match="the account is a Meter"):
        fetch(chain, built, User, address)
    chain.set_account(NOBODY, owner=NOBODY, data=info.data)
    with pytest.raises(AccountError, match="belongs to"):
        fetch(chain, built, Meter, NOBODY)
    chain.set_account(NOBODY, owner=built.id("registry"), data=info.data[:-70])
    with pytest.raises(AccountError, match="data end"):
        fetch(chain, built, Meter, NOBODY)


def test_a_newer_layout_asks_for_an_update(chain: EmbeddedChain, meter: "Signer", built: Programs) -> None:
    (info,) = chain.accounts([meter.site.meter("METER_001")])
    assert info is not None
    chain.set_account(NOBODY, owner=built.id("registry"), data=info.data[:8] + b"\2" + info.data[9:])
    with pytest.raises(AccountError, match="layout version 2"):
        fetch(chain, built, Meter, NOBODY)


def test_a_value_outside_an_enumeration_is_refused(chain: EmbeddedChain, meter: "Signer", built: Programs) -> None:
    (info,) = chain.accounts([meter.site.meter("METER_001")])
    assert info is not None
    forged = built["registry"].encode_account(
        "Meter", built["registry"].decode_account("Meter", info.data) | {"kind": 9}
    )
    chain.set_account(NOBODY, owner=built.id("registry"), data=forged)
    with pytest.raises(AccountError, match="MeterKind"):
        fetch(chain, built, Meter, NOBODY)


def test_an_expired_pause_counts_as_none(chain: EmbeddedChain, site: Site, built: Programs) -> None:
    (info,) = chain.accounts([site.governance])
    assert info is not None
    idl = built["governance"]
    fields = idl.decode_account("GovernanceConfig", info.data) | {"pause_mask": 5, "pause_expires_at": START + 10}
    chain.set_account(site.governance, owner=info.owner, data=idl.encode_account("GovernanceConfig", fields))
    config = fetch(chain, built, GovernanceConfig, site.governance)
    assert config is not None
    assert config.effective_pause(UnixTime(START + 9)) == 5
    assert config.effective_pause(UnixTime(START + 10)) == 0


def test_a_mint_is_no_token_account_and_the_other_way_round(chain: EmbeddedChain, meter: "Signer") -> None:
    mint, account = chain.accounts([meter.site.grid_mint, meter.site.grid_account(meter.owner.pubkey())])
    assert mint is not None
    assert account is not None
    assert read_token_account(account).mint == mint.address
    for read, wrong in ((read_mint, account), (read_token_account, mint)):
        with pytest.raises(NotAToken):
            read(wrong)
