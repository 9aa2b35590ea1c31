"""`meterbridge site authority`: handed over in two steps, told to every program, nothing done twice."""

from collections.abc import Callable
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.meterchain.commands.conftest import Operator

from meterchain.accounts import RegistryConfig, TokenConfig, fetch
from meterchain.commands.site import app
from meterchain.embedded import EmbeddedChain
from meterchain.site import Site
from meterchain.units import UnixTime

Funded = Callable[[str], Keypair]
WalletOf = Callable[[Keypair], Path]


def test_the_authority_is_proposed_accepted_and_pushed_each_once(
    operator: Operator, chain: EmbeddedChain, site: Site, authority: Keypair, department: Path, funded: Funded,
    wallet_of: WalletOf,
) -> None:  # fmt: skip
    heir = funded("heir")
    propose = ("authority", "propose", heir.pubkey(), "--authority", department, "--json")
    assert operator.run(app, *propose, "--dry-run").document["proposed"] is None
    done = operator.run(app, *propose)
    assert done.code == 0, done.err
    assert done.document["proposed"] == str(heir.pubkey())
    assert done.document["accept_until"] > done.document["accept_from"]
    assert operator.run(app, *propose).document["sent"] == []
    assert "may accept from" in operator.run(app, "authority", "show").out

    accept = ("authority", "accept", "--authority", wallet_of(heir), "--json")
    accepted = operator.run(app, *accept)
    assert accepted.code == 0, accepted.err
    assert (accepted.document["engineering_authority"], accepted.document["proposed"]) == (str(heir.pubkey()), None)
    assert operator.run(app, *accept).document["sent"] == []
    assert "site authority push" in operator.run(app, "authority", "show").out

    by_the_old = operator.run(app, "authority", "push", "--authority", department)
    assert by_the_old.code == 4
    push = ("authority", "push", "--authority", wallet_of(heir), "--json")
    told = operator.run(app, *push, "--dry-run")
    assert told.code == 0, told.err
    pushed = operator.run(app, *push)
    assert pushed.code == 0, pushed.err
    assert len(pushed.document["sent"]) == len(told.document["sent"]) >= 2
    assert all(each["follows"] for each in pushed.document["mirrors"])
    registry = fetch(chain, site.programs, RegistryConfig, site.registry)
    token = fetch(chain, site.programs, TokenConfig, site.token_config)
    assert registry is not None
    assert token is not None
    assert registry.engineering_authority == token.mint_authority == heir.pubkey() != authority.pubkey()
    assert operator.run(app, *push).document["sent"] == []


@pytest.mark.usefixtures("site")
def test_once_listed_the_programs_are_told_by_anybody_and_a_parameter_as_well(
    operator: Operator, department: Path, funded: Funded, wallet_of: WalletOf
) -> None:
    push = ("authority", "push", "--json", "--authority")
    for most in (9, 8):
        changed = operator.run(app, "params", f"MAX_METERS_PER_USER={most}", "--authority", department)
        assert changed.code == 0
        done = operator.run(app, *push, department if most == 9 else wallet_of(funded("anybody")))
        assert done.code == 0, done.err
        assert len(done.document["sent"]) == 1
        assert all(each["follows"] for each in done.document["mirrors"])


@pytest.mark.usefixtures("site")
def test_a_proposal_is_forgotten_once_and_then_nobody_accepts(
    operator: Operator, department: Path, funded: Funded, wallet_of: WalletOf
) -> None:
    heir = funded("heir")
    assert operator.run(app, "authority", "propose", heir.pubkey(), "--authority", department).code == 0
    assert operator.run(app, "authority", "accept", "--authority", wallet_of(funded("thief"))).code == 4
    cancel = ("authority", "cancel", "--authority", department, "--json")
    assert operator.run(app, *cancel, "--dry-run").document["proposed"] == str(heir.pubkey())
    assert operator.run(app, *cancel).document["proposed"] is None
    assert operator.run(app, *cancel).document["sent"] == []
    assert operator.run(app, "authority", "accept", "--authority", wallet_of(heir)).code == 4


@pytest.mark.usefixtures("site")
def test_a_proposal_that_ran_out_is_made_anew(
    operator: Operator, chain: EmbeddedChain, department: Path, funded: Funded
) -> None:
    propose = ("authority", "propose", funded("heir").pubkey(), "--authority", department, "--json")
    until = operator.run(app, *propose).document["accept_until"]
    chain.set_unix_time(UnixTime(until))
    assert operator.run(app, *propose).document["accept_until"] > until


@pytest.mark.usefixtures("site")
def test_the_authority_does_not_propose_itself_and_nobody_else_proposes(
    operator: Operator, authority: Keypair, department: Path, funded: Funded, wallet_of: WalletOf
) -> None:
    itself = operator.run(app, "authority", "propose", authority.pubkey(), "--authority", department)
    assert itself.code == 2
    thief = funded("thief")
    assert operator.run(app, "authority", "propose", thief.pubkey(), "--authority", wallet_of(thief)).code == 4


@pytest.mark.usefixtures("site")
def test_a_guardian_is_named_once_and_taken_away(operator: Operator, department: Path, funded: Funded) -> None:
    who = funded("guardian").pubkey()
    named = ("authority", "guardian", who, "--authority", department, "--json")
    assert operator.run(app, *named, "--dry-run").document["guardian"] is None
    assert operator.run(app, *named).document["guardian"] == str(who)
    assert operator.run(app, *named).document["sent"] == []
    assert operator.run(app, "authority", "guardian", "none", "--authority", department, "--json").document[
        "guardian"
    ] is None  # fmt: skip
    assert operator.run(app, "authority", "guardian", "nobody", "--authority", department).code == 2
