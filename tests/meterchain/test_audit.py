"""The audit agrees with honest books and names every dishonest one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions
from meterchain.audit import NothingToAudit, audit
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.site import Site
from meterchain.tokens import TOKEN_PROGRAM
from meterchain.units import Atoms

if TYPE_CHECKING:
    from tests.meterchain.conftest import NewMeter, Signer

Funded = Callable[[str], Keypair]
MINT_SUPPLY_AT, MINT_FREEZE_AT = 36, 46
TOKEN_AMOUNT_AT = 64


def deliver(chain: EmbeddedChain, meter: "Signer", relayer: Keypair, export_mwh: int, import_mwh: int) -> None:
    record = meter.sign(export_mwh, import_mwh)
    chain.send(instructions.submit_meter_data(meter.site.programs, relayer.pubkey(), [record], position=0), [relayer])


def process(chain: EmbeddedChain, meter: "Signer", relayer: Keypair) -> None:
    ours, meter_id, owner = meter.site.programs, meter.assignment.meter_id, meter.owner.pubkey()
    chain.send([instructions.process_energy_data(ours, meter_id, owner)], [relayer])


@pytest.fixture
def books(chain: EmbeddedChain, new_meter: "NewMeter", funded: Funded) -> list["Signer"]:
    """Two meters: one with mint and burn, one with mint alone; nothing waits."""
    relayer, meters = funded("relayer"), [new_meter("METER_001"), new_meter("METER_002")]
    one = meters[0]
    for meter in meters:
        deliver(chain, meter, relayer, 1_100_000, 7_000_000)
        process(chain, meter, relayer)
    chain.send([instructions.approve_consumption(one.site.programs, one.owner.pubkey(), Atoms(10**9))], [one.owner])
    deliver(chain, one, relayer, 1_100_000, 7_030_000)
    process(chain, one, relayer)
    return meters


def failing(chain: EmbeddedChain, programs: Programs, *, settled: bool = True) -> list[str]:
    return [check.name for check in audit(chain, programs, settled=settled).checks if not check.ok]


def patch(chain: EmbeddedChain, address: Pubkey, at: int, content: bytes) -> None:
    """Forge bytes of an account as no transaction could."""
    (info,) = chain.accounts([address])
    assert info is not None
    data = info.data[:at] + content + info.data[at + len(content) :]
    chain.set_account(address, owner=info.owner, data=data, lamports=info.lamports)


def rewrite(chain: EmbeddedChain, programs: Programs, name: str, address: Pubkey, **changes: Any) -> None:  # noqa: ANN401
    """Forge fields of one of our accounts."""
    (info,) = chain.accounts([address])
    assert info is not None
    idl = programs.by_id[info.owner]
    forged = idl.encode_account(name, idl.decode_account(name, info.data) | changes)
    chain.set_account(address, owner=info.owner, data=forged, lamports=info.lamports)


def test_honest_books_hold_and_show_every_meter(chain: EmbeddedChain, site: Site, books: list["Signer"]) -> None:
    result = audit(chain, site.programs, settled=True)
    assert result.ok, [check for check in result.checks if not check.ok]
    assert [(m.meter_id, m.export_mwh, m.import_mwh, m.minted_atoms, m.burned_atoms) for m in result.meters] == [
        ("METER_001", 100_000, 30_000, 100_000_000, 30_000_000),
        ("METER_002", 100_000, 0, 100_000_000, 0),
    ]
    assert result.meters[0].owner == books[0].owner.pubkey()
    assert len(result.checks) == 2 * 2 + 8


def test_export_that_waits_is_fine_until_the_books_must_be_settled(
    chain: EmbeddedChain, site: Site, books: list["Signer"], funded: Funded
) -> None:
    deliver(chain, books[1], funded("relayer"), 1_100_500, 7_000_000)
    assert failing(chain, site.programs, settled=False) == []
    assert failing(chain, site.programs) == ["METER_002: minted atoms = 1,000 x credited export mWh"]


def test_burning_through_spl_alone_is_seen_and_allowed(chain: EmbeddedChain, site: Site, books: list["Signer"]) -> None:
    owner = books[1].owner
    accounts = [
        AccountMeta(site.grid_account(owner.pubkey()), is_signer=False, is_writable=True),
        AccountMeta(site.grid_mint, is_signer=False, is_writable=True),
        AccountMeta(owner.pubkey(), is_signer=True, is_writable=False),
    ]
    chain.send([Instruction(TOKEN_PROGRAM, b"\x08" + (77).to_bytes(8, "little"), accounts)], [owner])
    result = audit(chain, site.programs, settled=True)
    assert result.ok
    assert any("77 burned by holders through SPL" in check.detail for check in result.checks)


def test_a_meter_that_minted_more_than_it_measured_is_named(
    chain: EmbeddedChain, site: Site, books: list["Signer"]
) -> None:
    rewrite(chain, site.programs, "MeterState", site.meter_state("METER_001"), minted_mwh=100_001)
    assert failing(chain, site.programs) == [
        "METER_001: minted atoms = 1,000 x credited export mWh",
        "the meters' minted sum is the token's",
    ]


def test_a_meter_that_burned_more_than_it_imported_is_named(
    chain: EmbeddedChain, site: Site, books: list["Signer"]
) -> None:
    rewrite(chain, site.programs, "MeterState", site.meter_state("METER_001"), written_off_import_mwh=1)
    assert failing(chain, site.programs) == ["METER_001: burned and written off at most the credited import"]


def test_a_token_minted_by_nobody_is_seen_in_supply_and_balances(
    chain: EmbeddedChain, site: Site, books: list["Signer"]
) -> None:
    account = site.grid_account(books[0].owner.pubkey())
    patch(chain, account, TOKEN_AMOUNT_AT, (70_000_001).to_bytes(8, "little"))
    assert failing(chain, site.programs) == ["the balances add up to the supply"]
    patch(chain, site.grid_mint, MINT_SUPPLY_AT, (170_000_001).to_bytes(8, "little"))
    assert failing(chain, site.programs) == ["the supply is what was minted less what was burned"]


def test_totals_that_differ_from_the_meters_are_seen(chain: EmbeddedChain, site: Site, books: list["Signer"]) -> None:
    rewrite(chain, site.programs, "TokenConfig", site.token_config, total_burned_consumption=29_999_999)
    assert failing(chain, site.programs) == ["the meters' burned sum is the token's"]


def test_another_minter_a_freezer_and_a_foreign_domain_are_seen(
    chain: EmbeddedChain, site: Site, books: list["Signer"], authority: Keypair
) -> None:
    rewrite(chain, site.programs, "TokenConfig", site.token_config, oracle_minter=authority.pubkey())
    patch(chain, site.grid_mint, MINT_FREEZE_AT, b"\1\0\0\0" + bytes(authority.pubkey()))
    rewrite(chain, site.programs, "OracleConfig", site.oracle, domain=bytes(8))
    assert failing(chain, site.programs) == [
        "only the oracle mints",
        "nobody can freeze GRID, and it has 9 decimals",
        "oracle and registry are of one site",
    ]


def test_a_meter_state_at_a_wrong_address_is_seen(
    chain: EmbeddedChain, site: Site, books: list["Signer"], authority: Keypair
) -> None:
    (info,) = chain.accounts([site.meter_state("METER_002")])
    assert info is not None
    chain.set_account(authority.pubkey(), owner=info.owner, data=info.data)
    assert "every meter state is its meter's own" in failing(chain, site.programs)


def test_a_chain_without_a_site_has_nothing_to_audit(chain: EmbeddedChain, built: Programs) -> None:
    with pytest.raises(NothingToAudit, match="site deploy"):
        audit(chain, built)
