"""Every builder, against the programs themselves: what it builds does what its name says."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions, pdas, transactions
from meterchain.accounts import GovernanceConfig, Meter, MeterStatus, User, UserStatus, fetch
from meterchain.chain import TransactionFailed
from meterchain.embedded import EmbeddedChain
from meterchain.idl_types import IdlError
from meterchain.instructions import SignedRecord
from meterchain.record import Record, record_digest
from meterchain.site import Site
from meterchain.tokens import TokenAccount, create_associated_token_account, read_token_account
from meterchain.units import Atoms

if TYPE_CHECKING:
    from tests.meterchain.conftest import NewMeter, Signer

Funded = Callable[[str], Keypair]


def holds(chain: EmbeddedChain, site: Site, wallet: Pubkey) -> TokenAccount:
    """The GRID account of `wallet`."""
    (info,) = chain.accounts([site.grid_account(wallet)])
    assert info is not None
    return read_token_account(info)


def deliver(chain: EmbeddedChain, site: Site, relayer: Keypair, *records: SignedRecord) -> int:
    """Submit with a salt and a limit in front, as a relayer does; the compute units that the oracle took."""
    front = [transactions.salt(1), transactions.compute_limit(60_000)]
    submit = instructions.submit_meter_data(site.programs, relayer.pubkey(), records, position=len(front))
    return chain.send([*front, *submit], [relayer]).compute_units


def test_export_that_a_meter_signed_becomes_its_owner_s_token(
    chain: EmbeddedChain, meter: "Signer", funded: Funded
) -> None:
    relayer = funded("relayer")
    record = meter.sign(1_250_000, 7_500_000)
    deliver(chain, meter.site, relayer, record)
    state = meter.state()
    assert (state.seq, state.cum_export_mwh, state.cum_import_mwh) == (1, 250_000, 500_000)
    assert state.last_digest == record_digest(record.encoded)
    assert [(energy.export_wh, energy.import_wh) for energy in state.window] == [(250, 500)]
    process = instructions.process_energy_data(meter.site.programs, "METER_001", meter.owner.pubkey())
    receipt = chain.send([process], [relayer])
    assert holds(chain, meter.site, meter.owner.pubkey()).amount == 250_000_000
    (minted,) = meter.site.programs["energy_token"].events(receipt)
    assert (minted.name, minted.fields["amount"]) == ("TokensMinted", 250_000_000)
    assert meter.state().minted_mwh == 250_000


def test_the_oracle_announces_what_it_accepted(chain: EmbeddedChain, meter: "Signer", funded: Funded) -> None:
    relayer = funded("relayer")
    submit = instructions.submit_meter_data(
        meter.site.programs, relayer.pubkey(), [meter.sign(1_001_000, 7_000_000)], position=0
    )
    (event,) = meter.site.programs["oracle"].events(chain.send(submit, [relayer]))
    assert (event.name, event.fields["seq"], event.fields["d_export"]) == ("MeterReadingAccepted", 1, 1_000)


def test_three_meters_and_five_records_of_one_go_together(
    chain: EmbeddedChain, site: Site, new_meter: "NewMeter", funded: Funded
) -> None:
    relayer = funded("relayer")
    three = [new_meter(f"METER_00{n}") for n in (1, 2, 3)]
    deliver(chain, site, relayer, *(meter.sign(1_010_000, 7_010_000) for meter in three))
    assert {meter.state().seq for meter in three} == {1}
    one = three[0]
    deliver(chain, site, relayer, *(one.sign(1_020_000 + n, 7_020_000) for n in range(4)))
    assert (one.state().seq, one.state().cum_export_mwh) == (5, 20_003)


def test_none_and_six_records_are_not_built(site: Site, meter: "Signer", funded: Funded) -> None:
    record = meter.sign(1_000_000, 7_000_000)
    for records in ([], [record] * 6):
        with pytest.raises(IdlError, match="1 to 5 records"):
            instructions.submit_meter_data(site.programs, funded("relayer").pubkey(), records, position=0)


def test_a_wrong_position_points_the_precompile_at_the_wrong_bytes(
    chain: EmbeddedChain, meter: "Signer", funded: Funded
) -> None:
    relayer = funded("relayer")
    record = meter.sign(1_001_000, 7_000_000)
    submit = instructions.submit_meter_data(meter.site.programs, relayer.pubkey(), [record], position=0)
    with pytest.raises(TransactionFailed):
        chain.send([transactions.salt(1), *submit], [relayer])
    assert meter.state().seq == 0
    deliver(chain, meter.site, relayer, record)
    assert meter.state().seq == 1


def test_import_burns_what_its_owner_approved(chain: EmbeddedChain, meter: "Signer", funded: Funded) -> None:
    relayer, ours, owner = funded("relayer"), meter.site.programs, meter.owner
    deliver(chain, meter.site, relayer, meter.sign(1_100_000, 7_000_000))
    process = instructions.process_energy_data(ours, "METER_001", owner.pubkey())
    chain.send([process], [relayer])
    chain.send([instructions.approve_consumption(ours, owner.pubkey(), Atoms(30_000_000))], [owner])
    assert holds(chain, meter.site, owner.pubkey()).delegate == pdas.burner(ours)
    deliver(chain, meter.site, relayer, meter.sign(1_100_000, 7_050_000))
    chain.send([process], [relayer])
    assert holds(chain, meter.site, owner.pubkey()).amount == 70_000_000
    assert (meter.state().burned_mwh, meter.state().cum_import_mwh) == (30_000, 50_000)
    chain.send([instructions.approve_consumption(ours, owner.pubkey(), Atoms(5_000_000))], [owner])
    chain.send([instructions.revoke_consumption(ours, owner.pubkey())], [owner])
    chain.send([process], [relayer])
    assert holds(chain, meter.site, owner.pubkey()).amount == 70_000_000


def test_tokens_are_sent_and_retired(chain: EmbeddedChain, meter: "Signer", funded: Funded) -> None:
    relayer, ours, owner, friend = funded("relayer"), meter.site.programs, meter.owner, funded("friend")
    deliver(chain, meter.site, relayer, meter.sign(1_100_000, 7_000_000))
    chain.send([instructions.process_energy_data(ours, "METER_001", owner.pubkey())], [relayer])
    chain.send([create_associated_token_account(friend.pubkey(), friend.pubkey(), meter.site.grid_mint)], [friend])
    chain.send([instructions.transfer(ours, owner.pubkey(), friend.pubkey(), Atoms(40_000_000))], [owner])
    chain.send([instructions.burn(ours, friend.pubkey(), Atoms(10_000_000))], [friend])
    assert holds(chain, meter.site, owner.pubkey()).amount == 60_000_000
    assert holds(chain, meter.site, friend.pubkey()).amount == 30_000_000
    with pytest.raises(TransactionFailed, match="InsufficientFunds"):
        chain.send([instructions.burn(ours, friend.pubkey(), Atoms(30_000_001))], [friend])


def test_governance_pauses_goes_on_and_changes_parameters(chain: EmbeddedChain, site: Site, authority: Keypair) -> None:
    ours, wallet = site.programs, authority.pubkey()

    def config() -> GovernanceConfig:
        found = fetch(chain, ours, GovernanceConfig, site.governance)
        assert found is not None
        return found

    chain.send([instructions.emergency_pause(ours, wallet, 0b10, 7)], [authority])
    assert config().effective_pause(chain.clock().unix_s) == 0b10
    chain.send([instructions.emergency_unpause(ours, wallet, 0b10)], [authority])
    assert config().pause_mask == 0
    chain.send([instructions.update_parameters(ours, wallet, {1: 3, 7: 150})], [authority])
    assert (config().system_parameters[1], config().system_parameters[7]) == (3, 150)
    status = ours["governance"].decode_return(
        "get_status", chain.simulate([instructions.get_status(ours)], wallet).return_data
    )
    assert status == {"pause_mask": 0, "params_nonce": 1}


def test_users_and_meters_change_their_status_and_are_verified(
    chain: EmbeddedChain, meter: "Signer", authority: Keypair
) -> None:
    ours, wallet, owner = meter.site.programs, authority.pubkey(), meter.owner.pubkey()
    view = chain.simulate([instructions.verify_user(ours, owner)], wallet)
    assert ours["registry"].decode_return("verify_user", view.return_data)["meter_count"] == 1
    view = chain.simulate([instructions.verify_meter(ours, "METER_001")], wallet)
    assert ours["registry"].decode_return("verify_meter", view.return_data)["owner"] == owner
    chain.send([instructions.set_user_status(ours, wallet, owner, UserStatus.SUSPENDED)], [authority])
    chain.send([instructions.set_meter_status(ours, wallet, "METER_001", MeterStatus.MAINTENANCE)], [authority])
    user, assigned = (
        fetch(chain, ours, User, pdas.user(ours, owner)),
        fetch(chain, ours, Meter, meter.site.meter("METER_001")),
    )
    assert user is not None
    assert assigned is not None
    assert (user.status, assigned.status) == (UserStatus.SUSPENDED, MeterStatus.MAINTENANCE)
    with pytest.raises(TransactionFailed, match="UserInactive"):
        chain.simulate([instructions.verify_user(ours, owner)], wallet)


def test_a_switched_off_oracle_accepts_nothing(
    chain: EmbeddedChain, meter: "Signer", authority: Keypair, funded: Funded
) -> None:
    ours, record = meter.site.programs, meter.sign(1_001_000, 7_000_000)
    chain.send([instructions.set_active(ours, authority.pubkey(), active=False)], [authority])
    with pytest.raises(TransactionFailed, match="Inactive"):
        deliver(chain, meter.site, funded("relayer"), record)
    chain.send([instructions.set_active(ours, authority.pubkey(), active=True)], [authority])
    deliver(chain, meter.site, funded("relayer"), record)


def test_text_that_does_not_fit_is_refused() -> None:
    assert instructions.text("Süd", 8) == b"S\xc3\xbcd\0\0\0\0"
    for value in ("ninebytes", "a\0b"):
        with pytest.raises(IdlError, match="at most 8 bytes"):
            instructions.text(value, 8)


def test_a_signed_record_knows_whose_it_is(meter: "Signer") -> None:
    record = meter.sign(1_000_000, 7_000_000)
    assert record.meter_id == Record.decode(record.encoded).meter_id == "METER_001"
