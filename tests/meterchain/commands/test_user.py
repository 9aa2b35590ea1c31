"""`meterbridge user`: registered once, looked up, suspended, and in command of what may be burned."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from tests.meterchain.commands.conftest import Operator, balance

from meterchain import instructions, pdas
from meterchain import site as steps
from meterchain.accounts import User, fetch
from meterchain.commands.user import app
from meterchain.embedded import EmbeddedChain
from meterchain.site import Site
from meterchain.tokens import TOKEN_PROGRAM, read_token_account
from meterchain.units import Lamports

if TYPE_CHECKING:
    from tests.meterchain.conftest import Signer

WalletOf = Callable[[Keypair], Path]
WALLET = Keypair.from_seed(bytes(31) + b"\5").pubkey()
GRID = 10**9


@pytest.fixture
def owner(chain: EmbeddedChain, site: Site, authority: Keypair, funded: Callable[[str], Keypair]) -> Keypair:
    """A registered owner with a GRID account."""
    key = funded("alice")
    steps.register_user(chain, site, authority, key.pubkey(), steps.UserType.PROSUMER, steps.Role.STUDENT)
    steps.open_token_account(chain, site, authority, key.pubkey())
    return key


def approved(chain: EmbeddedChain, site: Site, owner: Keypair) -> int:
    (info,) = chain.accounts([site.grid_account(owner.pubkey())])
    assert info is not None
    account = read_token_account(info)
    return account.delegated_amount if account.delegate == pdas.burner(site.programs) else 0


def test_a_user_is_registered_once_with_a_grid_account_at_the_price_that_was_told(
    operator: Operator, chain: EmbeddedChain, site: Site, authority: Keypair, department: Path
) -> None:
    asked = ("register", WALLET, "--type", "consumer", "--role", "faculty", "--location", "Lab 2", "--json")
    told = operator.run(app, *asked, "--authority", department, "--dry-run")
    assert told.code == 0, told.err
    assert fetch(chain, site.programs, User, pdas.user(site.programs, WALLET)) is None
    before = balance(chain, authority)
    done = operator.run(app, *asked, "--authority", department)
    assert done.code == 0, done.err
    spent = sum(step["fee_lamports"] + step["rent_lamports"] for step in told.document["sent"])
    assert before - balance(chain, authority) == spent
    assert (done.document["type"], done.document["role"], done.document["location"]) == ("consumer", "faculty", "Lab 2")
    assert done.document["grid_account"] == str(site.grid_account(WALLET))
    assert operator.run(app, *asked, "--authority", department).document["sent"] == []


@pytest.mark.usefixtures("site")
def test_a_user_who_is_somebody_else_already_is_refused(operator: Operator, department: Path) -> None:
    assert operator.run(app, "register", WALLET, "--authority", department).code == 0
    refused = operator.run(app, "register", WALLET, "--type", "consumer", "--authority", department)
    assert refused.code == 4
    assert "registered as PROSUMER STUDENT already" in refused.err


@pytest.mark.usefixtures("site")
def test_what_cannot_be_registered_is_wrong_use(operator: Operator, department: Path) -> None:
    by = ("--authority", department)
    assert "is no address" in operator.run(app, "register", "alice", *by).err
    assert "64 hexadecimal digits" in operator.run(app, "register", WALLET, "--external-id-hash", "6512345", *by).err
    too_long = operator.run(app, "register", WALLET, "--location", "x" * 33, *by)
    assert (too_long.code, "at most 32 bytes" in too_long.err) == (2, True)


@pytest.mark.usefixtures("site")
def test_the_hash_of_a_number_is_kept_and_nothing_else_of_the_person(
    operator: Operator, chain: EmbeddedChain, site: Site, department: Path
) -> None:
    done = operator.run(app, "register", WALLET, "--external-id-hash", "ab" * 32, "--authority", department)
    assert done.code == 0, done.err
    user = fetch(chain, site.programs, User, pdas.user(site.programs, WALLET))
    assert user is not None
    assert user.external_id_hash == b"\xab" * 32


def test_users_are_listed_and_one_is_shown_with_his_meters(operator: Operator, meter: "Signer") -> None:
    owner = str(meter.owner.pubkey())
    assert owner in operator.run(app, "show").out
    assert [each["wallet"] for each in operator.run(app, "show", "--json").document["users"]] == [owner]
    document = operator.run(app, "show", owner, "--json").document
    assert (document["meter_ids"], document["approved_atoms"]) == (["METER_001"], 0)
    assert "METER_001" in operator.run(app, "show", owner).out
    missing = operator.run(app, "show", WALLET)
    assert missing.code == 2
    assert f"meterbridge user register {WALLET}" in missing.err


def test_a_status_is_shown_and_set_once(operator: Operator, owner: Keypair, department: Path) -> None:
    asked = ("status", owner.pubkey())
    assert operator.run(app, *asked).out.startswith("status  active since 2026-01-01")
    told = operator.run(app, *asked, "suspended", "--authority", department, "--dry-run", "--json").document
    assert (told["status"], len(told["sent"])) == ("active", 1)
    assert operator.run(app, *asked, "suspended", "--authority", department, "--json").document["status"] == "suspended"
    assert operator.run(app, *asked, "suspended", "--authority", department, "--json").document["sent"] == []
    assert operator.run(app, *asked, "gone").code == 2


def test_an_allowance_is_topped_up_and_never_replaced_by_less(
    operator: Operator, chain: EmbeddedChain, site: Site, owner: Keypair, wallet_of: WalletOf
) -> None:
    by = ("--owner", wallet_of(owner))
    assert operator.run(app, "approve", "--kwh", "12.5", *by).code == 0
    assert approved(chain, site, owner) == 12.5 * GRID
    assert operator.run(app, "approve", "--kwh", "0.000000001", *by, "--dry-run").code == 0
    assert approved(chain, site, owner) == 12.5 * GRID
    assert operator.run(app, "approve", "--kwh", "2.5", *by, "--json").document["approved_atoms"] == 15 * GRID
    assert operator.run(app, "approve", "--up-to", "10", *by, "--json").document["sent"] == []
    assert operator.run(app, "approve", "--up-to", "20", *by, "--json").document["approved_atoms"] == 20 * GRID
    assert operator.run(app, "revoke", *by).code == 0
    assert approved(chain, site, owner) == 0
    assert operator.run(app, "revoke", *by, "--json").document["sent"] == []


@pytest.mark.parametrize("amount", ["0", "-1", "much", "1e-10", "18446744074", "nan"])
def test_an_allowance_that_is_no_amount_is_wrong_use(
    operator: Operator, owner: Keypair, wallet_of: WalletOf, amount: str
) -> None:
    assert operator.run(app, "approve", f"--kwh={amount}", "--owner", wallet_of(owner)).code == 2


def test_adding_and_raising_at_once_is_wrong_use(operator: Operator, owner: Keypair, wallet_of: WalletOf) -> None:
    by = ("--owner", wallet_of(owner))
    assert operator.run(app, "approve", *by).code == 2
    assert operator.run(app, "approve", "--kwh", "1", "--up-to", "1", *by).code == 2


def test_an_allowance_of_somebody_else_is_not_wiped_away(
    operator: Operator, chain: EmbeddedChain, site: Site, owner: Keypair, wallet_of: WalletOf
) -> None:
    accounts = [
        AccountMeta(site.grid_account(owner.pubkey()), is_signer=False, is_writable=True),
        AccountMeta(WALLET, is_signer=False, is_writable=False),
        AccountMeta(owner.pubkey(), is_signer=True, is_writable=False),
    ]
    chain.send([Instruction(TOKEN_PROGRAM, b"\4" + (77).to_bytes(8, "little"), accounts)], [owner])
    refused = operator.run(app, "approve", "--kwh", "1", "--owner", wallet_of(owner))
    assert refused.code == 4
    assert f"allows {WALLET} to spend 0.000000077 GRID" in refused.err
    assert operator.run(app, "revoke", "--owner", wallet_of(owner)).code == 0
    assert operator.run(app, "approve", "--kwh", "1", "--owner", wallet_of(owner)).code == 0


@pytest.mark.usefixtures("site")
def test_a_stranger_s_wallet_cannot_register_and_hears_why(
    operator: Operator, chain: EmbeddedChain, wallet_of: WalletOf
) -> None:
    stranger = Keypair.from_seed(bytes(31) + b"\6")
    chain.airdrop(stranger.pubkey(), Lamports(GRID))
    for extra in ((), ("--dry-run",)):
        refused = operator.run(app, "register", WALLET, "--authority", wallet_of(stranger), *extra)
        assert refused.code == 4
        assert "Unauthorized" in refused.err


def test_what_a_user_is_is_corrected_once_and_the_rest_stays(
    operator: Operator, owner: Keypair, department: Path
) -> None:
    asked = ("update", owner.pubkey(), "--type", "consumer", "--location", "Lab 3", "--authority", department, "--json")
    assert operator.run(app, *asked, "--dry-run").document["type"] == "prosumer"
    done = operator.run(app, *asked)
    assert done.code == 0, done.err
    assert (done.document["type"], done.document["role"], done.document["location"]) == ("consumer", "student", "Lab 3")
    assert operator.run(app, *asked).document["sent"] == []
    assert operator.run(app, "update", WALLET, "--role", "faculty", "--authority", department).code == 2


def test_nobody_retires_more_than_he_has_and_down_to_a_rest_once(
    operator: Operator, chain: EmbeddedChain, meter: "Signer", authority: Keypair, wallet_of: WalletOf
) -> None:
    programs = meter.site.programs
    signed = meter.sign(1_500_000, 7_000_000)
    chain.send(instructions.submit_meter_data(programs, authority.pubkey(), [signed], position=0), [authority])
    chain.send([instructions.process_energy_data(programs, "METER_001", meter.owner.pubkey())], [authority])
    by = ("--owner", wallet_of(meter.owner), "--json")
    much = operator.run(app, "burn", "0.6", *by)
    assert (much.code, "has 0.500000000 GRID" in much.err) == (4, True)
    assert operator.run(app, "burn", "0.2", *by, "--dry-run").document["grid_atoms"] == 500_000_000
    assert operator.run(app, "burn", "0.2", *by).document["grid_atoms"] == 300_000_000
    done = operator.run(app, "burn", "--down-to", "0.1", *by)
    assert done.code == 0, done.err
    assert (done.document["grid_atoms"], len(done.document["sent"])) == (100_000_000, 1)
    assert operator.run(app, "burn", "--down-to", "0.1", *by).document["sent"] == []
    assert operator.run(app, "burn", "--down-to", "7", *by).document["grid_atoms"] == 100_000_000
    for wrong in ((), ("0.1", "--down-to", "0")):
        assert operator.run(app, "burn", *wrong, *by).code == 2
    assert operator.run(app, "burn", "--down-to", "0", *by).document["grid_atoms"] == 0
