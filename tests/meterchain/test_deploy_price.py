"""What a deployment costs is known before it is made: new, resumed, grown, and with a payer of its own."""

from collections.abc import Callable

import pytest
from solders.keypair import Keypair
from tests.meterchain.test_deploy import PROGRAM, Flaky

from meterchain.chain import ChainUnreachable
from meterchain.deploy import DeployError, deploy
from meterchain.deploy_price import price
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs

Funded = Callable[[str], Keypair]


def balance(chain: EmbeddedChain, key: Keypair) -> int:
    (info,) = chain.accounts([key.pubkey()])
    return info.lamports if info else 0


def test_a_payer_of_its_own_costs_more_signatures(chain: EmbeddedChain, built: Programs, funded: Funded) -> None:
    payer, owner, binary = funded("payer"), funded("owner"), built.binary("governance")
    told = price(chain, PROGRAM.pubkey(), binary, payer=payer, authority=owner, program_key=PROGRAM)
    before = balance(chain, payer)
    deploy(chain, PROGRAM.pubkey(), binary, payer=payer, authority=owner, program_key=PROGRAM)
    assert before - balance(chain, payer) == told.spent
    done = price(chain, PROGRAM.pubkey(), binary, payer=payer, authority=owner)
    assert (done.action, done.spent, done.transactions) == ("unchanged", 0, 0)


def test_an_upgrade_that_grows_costs_the_rent_of_what_it_adds(
    chain: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    small, large = built.binary("governance"), built.binary("trading")
    deploy(chain, PROGRAM.pubkey(), small, payer=authority, authority=authority, program_key=PROGRAM)
    told = price(chain, PROGRAM.pubkey(), large, payer=authority, authority=authority)
    before = balance(chain, authority)
    done = deploy(chain, PROGRAM.pubkey(), large, payer=authority, authority=authority)
    assert (told.action, done.action) == ("upgrade", "upgraded")
    assert before - balance(chain, authority) == told.spent
    assert told.rent > 0


def test_what_an_interrupted_run_has_paid_is_not_paid_again(built: Programs, funded: Funded) -> None:
    chain, binary = Flaky(), built.binary("governance")
    payer = funded("payer")
    chain.airdrop(payer.pubkey(), 10**11)  # type: ignore[arg-type]
    with pytest.raises(ChainUnreachable):
        deploy(chain, PROGRAM.pubkey(), binary, payer=payer, authority=payer, program_key=PROGRAM)
    told = price(chain, PROGRAM.pubkey(), binary, payer=payer, authority=payer, program_key=PROGRAM)
    before, chain.left = balance(chain, payer), 10_000
    deploy(chain, PROGRAM.pubkey(), binary, payer=payer, authority=payer, program_key=PROGRAM)
    assert before - balance(chain, payer) == told.spent


def test_there_is_no_price_for_what_would_be_refused(chain: EmbeddedChain, built: Programs, funded: Funded) -> None:
    owner, stranger, binary = funded("owner"), funded("stranger"), built.binary("governance")
    with pytest.raises(DeployError, match="keypair was not given"):
        price(chain, PROGRAM.pubkey(), binary, payer=owner, authority=owner)
    deploy(chain, PROGRAM.pubkey(), binary, payer=owner, authority=owner, program_key=PROGRAM)
    with pytest.raises(DeployError, match="only, not by"):
        price(chain, PROGRAM.pubkey(), binary, payer=stranger, authority=stranger)
