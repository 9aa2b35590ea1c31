"""`meterbridge site`: a site from nothing, told and priced before it is done, and nothing done twice."""

from collections.abc import Callable
from pathlib import Path

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.meterchain.commands.conftest import KeptChain, Operator, balance

from meterchain.commands.site import app
from meterchain.deploy import LOADER, program_data_address
from meterchain.embedded import EmbeddedChain
from meterchain.programs import NAMES, Programs, development_key
from meterchain.site import Site, domain_of

WalletOf = Callable[[Keypair], Path]


class Elsewhere(KeptChain):
    """An embedded chain that claims to be a public cluster."""

    name = "api.example.org"
    is_local = False


def corrupt(chain: EmbeddedChain, program: Pubkey) -> None:
    """Another byte in the deployed program, as no deployment of ours would leave it."""
    address = program_data_address(program)
    (info,) = chain.accounts([address])
    assert info is not None
    data = bytearray(info.data)
    data[-40_000] ^= 1
    chain.set_account(address, owner=LOADER, data=bytes(data), lamports=info.lamports)


def test_a_deployment_costs_what_the_rehearsal_said(
    operator: Operator, chain: EmbeddedChain, authority: Keypair, department: Path, built: Programs
) -> None:
    before = balance(chain, authority)
    told = operator.run(app, "deploy", "--authority", department, "--dry-run", "--json")
    assert told.code == 0
    assert balance(chain, authority) == before
    assert operator.run(app, "verify").code == 1
    done = operator.run(app, "deploy", "--authority", department, "--json")
    assert done.code == 0, done.err
    assert before - balance(chain, authority) == told.document["spent_lamports"] > 10**9
    assert [(each["name"], each["action"]) for each in done.document["programs"]] == [
        (name, "deploy") for name in NAMES
    ]
    assert "SOL" in told.err
    again = operator.run(app, "deploy", "--authority", department)
    assert again.code == 0
    assert again.out.count("unchanged") == len(NAMES)
    assert before - balance(chain, authority) == told.document["spent_lamports"]


def test_a_payer_without_enough_money_is_told_how_much_before_anything_is_sent(
    operator: Operator, chain: EmbeddedChain, wallet_of: WalletOf
) -> None:
    poor = Keypair.from_seed(bytes(31) + b"\7")
    refused = operator.run(app, "deploy", "--authority", wallet_of(poor))
    assert refused.code == 4
    assert "has 0 SOL and needs" in refused.err
    assert "--airdrop" in refused.err


def test_an_airdrop_pays_for_a_deployment_on_a_local_chain(operator: Operator, tmp_path: Path) -> None:
    made = operator.run(app, "wallet", tmp_path / "new.json")
    assert Pubkey.from_string(made.out.strip())
    again = operator.run(app, "wallet", tmp_path / "new.json")
    assert again.code == 4, "nothing is overwritten"
    assert Pubkey.from_string(operator.run(app, "wallet", tmp_path / "other.json", "--json").document["address"])
    assert operator.run(app, "deploy", "--authority", tmp_path / "new.json", "--airdrop", 50).code == 0
    assert operator.run(app, "verify").code == 0


def test_development_ids_are_refused_where_the_chain_is_not_local(department: Path) -> None:
    refused = Operator(Elsewhere()).run(app, "deploy", "--authority", department, "--dry-run")
    assert refused.code == 4
    assert "published development ids" in refused.err


@pytest.mark.usefixtures("deployed")
def test_other_bytes_are_seen_by_verify_and_replaced_with_upgrade_only(
    operator: Operator, chain: EmbeddedChain, department: Path, built: Programs
) -> None:
    assert operator.run(app, "verify").code == 0
    corrupt(chain, built.id("oracle"))
    seen = operator.run(app, "verify", "--json")
    assert seen.code == 1
    assert [each["name"] for each in seen.document["programs"] if each["verdict"] == "differs"] == ["oracle"]
    refused = operator.run(app, "deploy", "--authority", department)
    assert refused.code == 4
    assert "other bytes of oracle" in refused.err
    assert "--upgrade" in refused.err
    assert operator.run(app, "deploy", "--authority", department, "--upgrade").code == 0
    assert operator.run(app, "verify").code == 0


def test_an_upgrade_is_refused_while_accounts_of_another_layout_are_there(
    operator: Operator, chain: EmbeddedChain, site: Site, department: Path
) -> None:
    (info,) = chain.accounts([site.oracle])
    assert info is not None
    chain.set_account(site.oracle, owner=info.owner, data=info.data[:8] + b"\2" + info.data[9:], lamports=info.lamports)
    corrupt(chain, site.programs.id("oracle"))
    refused = operator.run(app, "deploy", "--authority", department, "--upgrade")
    assert refused.code == 4
    assert "1 OracleConfig accounts of oracle" in refused.err
    assert "no migration" in refused.err
    assert operator.run(app, "verify").code == 1, "nothing was upgraded"


def test_an_upgrade_is_refused_while_shorter_accounts_are_there(
    operator: Operator, chain: EmbeddedChain, site: Site, department: Path
) -> None:
    (info,) = chain.accounts([site.registry])
    assert info is not None
    chain.set_account(site.registry, owner=info.owner, data=info.data[:-1], lamports=info.lamports)
    corrupt(chain, site.programs.id("registry"))
    refused = operator.run(app, "deploy", "--authority", department, "--upgrade")
    assert refused.code == 4
    assert f"{len(info.data) - 1} bytes long" in refused.err


@pytest.mark.usefixtures("deployed")
def test_a_site_is_initialised_once_and_costs_what_the_rehearsal_said(
    operator: Operator, chain: EmbeddedChain, authority: Keypair, department: Path, built: Programs
) -> None:
    asked = ("init", "--name", "campus east", "--authority", department, "--json")
    before = balance(chain, authority)
    told = operator.run(app, *asked, "--dry-run")
    assert told.code == 0, told.err
    assert balance(chain, authority) == before
    done = operator.run(app, *asked)
    assert done.code == 0, done.err
    cost = sum(step["fee_lamports"] + step["rent_lamports"] for step in told.document["sent"])
    assert before - balance(chain, authority) == cost
    domain = domain_of(chain.genesis_hash(), built.id("oracle"), "campus east").hex()
    assert told.document["domain"] == done.document["domain"] == domain
    assert [step["what"] for step in done.document["sent"]] == [
        "initialize_governance", "initialize_registry", "initialize_token", "initialize_oracle",
    ]  # fmt: skip
    assert operator.run(app, *asked).document["sent"] == []


@pytest.mark.usefixtures("site")
def test_another_name_or_guardian_does_not_change_a_site_and_is_said_so(operator: Operator, department: Path) -> None:
    other = operator.run(app, "init", "--name", "elsewhere", "--authority", department)
    assert other.code == 4
    assert "belongs to another site" in other.err
    guarded = operator.run(app, "init", "--name", "test", "--authority", department, "--guardian", LOADER)
    assert guarded.code == 0
    assert "initialised with guardian 1111" in guarded.err


def test_nothing_is_initialised_before_the_programs_are_there(operator: Operator, department: Path) -> None:
    refused = operator.run(app, "init", "--name", "test", "--authority", department)
    assert refused.code == 4
    assert "run `meterbridge site deploy` first" in refused.err


def test_the_state_of_a_site_is_told(operator: Operator, site: Site) -> None:
    shown = operator.run(app, "status")
    assert shown.code == 0
    assert site.domain.hex() in shown.out
    document = operator.run(app, "status", "--json").document
    assert (document["users"], document["meters"], document["supply_atoms"]) == (0, 0, 0)
    assert (document["paused"], document["oracle_active"]) == ([], True)


@pytest.mark.usefixtures("site")
def test_a_pause_is_set_once_extended_on_demand_and_taken_back(
    operator: Operator, chain: EmbeddedChain, department: Path
) -> None:
    told = operator.run(app, "pause", "mint", "order-entry", "--authority", department, "--dry-run", "--json")
    assert (told.document["paused"], len(told.document["sent"])) == ([], 1)
    paused = operator.run(app, "pause", "mint", "order-entry", "--authority", department, "--json").document
    assert paused["paused"] == ["mint", "order-entry"]
    assert paused["until"] == chain.clock().unix_s + 604_800
    chain.advance(60)
    again = operator.run(app, "pause", "mint", "--authority", department, "--json").document
    assert (again["sent"], again["until"]) == ([], paused["until"])
    longer = operator.run(app, "pause", "mint", "--extend", "--authority", department, "--json").document
    assert longer["until"] == paused["until"] + 60
    left = operator.run(app, "unpause", "mint", "--authority", department, "--json").document
    assert left["paused"] == ["order-entry"]
    assert operator.run(app, "unpause", "mint", "--authority", department, "--json").document["sent"] == []
    assert "paused  nothing" in operator.run(app, "unpause", "all", "--authority", department).out


@pytest.mark.usefixtures("site")
def test_what_cannot_be_paused_is_wrong_use(operator: Operator, department: Path) -> None:
    wrong = operator.run(app, "pause", "withdrawals", "--authority", department)
    assert wrong.code == 2
    assert "order-entry" in wrong.err


@pytest.mark.usefixtures("site")
def test_parameters_are_shown_changed_once_and_kept_in_their_bounds(operator: Operator, department: Path) -> None:
    assert "MAX_METERS_PER_USER" in operator.run(app, "params").out
    wanted = ("params", "max_meters_per_user=12", "FEE_BPS=30", "--authority", department, "--json")
    assert operator.run(app, *wanted, "--dry-run").document["parameters"]["FEE_BPS"] == 25
    done = operator.run(app, *wanted).document
    assert (done["parameters"]["MAX_METERS_PER_USER"], done["parameters"]["FEE_BPS"]) == (12, 30)
    assert operator.run(app, *wanted).document["sent"] == []
    for wrong, hint in (("FEE_BPS=501", "0..500"), ("FEE_BP=1", "did you mean FEE_BPS"), ("FEE_BPS", "NUMBER")):
        refused = operator.run(app, "params", wrong, "--authority", department)
        assert refused.code == 2
        assert hint in refused.err


@pytest.mark.usefixtures("site")
def test_more_than_eight_parameters_go_in_several_transactions(operator: Operator, department: Path) -> None:
    changes = [f"{name}={value}" for name, value in {
        "MAX_METERS_PER_USER": 9, "MAX_ORDERS_PER_USER": 99, "FEE_BPS": 24, "MAX_FUTURE_SKEW_SECS": 29,
        "MAX_READING_AGE_SECS": 604_799, "MIN_READING_INTERVAL_SECS": 59, "PLAUSIBILITY_PCT": 119,
        "PLAUSIBILITY_FLOOR_MWH": 999, "CANCEL_FREEZE_SECS": 59,
    }.items()]  # fmt: skip
    done = operator.run(app, "params", *changes, "--authority", department, "--json").document
    assert len(done["sent"]) == 2
    assert done["parameters"]["CANCEL_FREEZE_SECS"] == 59


@pytest.mark.parametrize("url", ["foo", "ftp://host/key", "https://"])
def test_an_rpc_that_is_none_is_wrong_use_and_not_quoted(operator: Operator, url: str) -> None:
    wrong = operator.run(app, "status", "--rpc", url)
    assert wrong.code == 2
    assert "an address like" in wrong.err
    assert "key" not in wrong.err


@pytest.mark.usefixtures("site")
def test_a_wallet_that_others_may_read_is_refused(operator: Operator, department: Path) -> None:
    department.chmod(0o640)
    refused = operator.run(app, "pause", "all", "--authority", department)
    assert refused.code == 4
    assert "chmod 600" in refused.err


@pytest.mark.usefixtures("deployed")
def test_who_may_not_upgrade_hears_so_in_the_rehearsal(
    operator: Operator, chain: EmbeddedChain, wallet_of: WalletOf, built: Programs
) -> None:
    corrupt(chain, built.id("oracle"))
    stranger = Keypair.from_seed(bytes(31) + b"\7")
    refused = operator.run(app, "deploy", "--authority", wallet_of(stranger), "--upgrade", "--dry-run")
    assert refused.code == 4
    assert "can be upgraded by" in refused.err


def test_ids_of_ones_own_need_their_keys_the_first_time_only(
    operator: Operator, department: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    missing = operator.run(app, "deploy", "--authority", department, "--keys", keys)
    assert missing.code == 3
    assert "the program governance" in missing.err
    for name in NAMES:
        (keys / f"{name}.json").touch(mode=0o600)
        (keys / f"{name}.json").write_text(development_key(name).to_json())
    assert operator.run(app, "deploy", "--authority", department, "--keys", keys).code == 0
    for name in NAMES:
        (keys / f"{name}.json").unlink()
    again = operator.run(app, "deploy", "--authority", department, "--keys", keys)
    assert again.code == 0, again.err
