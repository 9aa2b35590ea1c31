"""Every instruction of the five programs is sent by some command, or stands here with the reason why it is by none.

One year of a department at its keyboard, from bare programs on; what the commands send is decoded from the wire.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from solders.keypair import Keypair
from solders.transaction import VersionedTransaction
from tests.meterchain.commands.conftest import KeptChain, Operator, claim_file
from tests.meterchain.commands.test_meter_freeze import contradicting, record_file
from tests.meterchain.commands.test_site_oracle import spl_burn
from tests.meterchain.conftest import Signer
from tests.meterchain.market.place import key

from meterchain import instructions
from meterchain.accounts import MeterKind
from meterchain.chain import Receipt
from meterchain.commands import keeper, market, meter, site, user
from meterchain.ed25519 import possession_message
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import AuthorityAction, MeterAssignment
from meterchain.programs import Programs
from meterchain.site import load
from meterchain.transactions import account_keys
from meterchain.units import SLOT_S, InstallId, Lamports, Mwh

VIEW = "a view: the commands read the accounts themselves, which any RPC serves"
BY_CPI = "only another of the five programs may, by CPI"
BY_NO_COMMAND = {
    "governance.get_status": VIEW,
    "registry.verify_user": VIEW,
    "registry.verify_meter": VIEW,
    "trading.get_order": VIEW,
    "trading.get_orders_of": VIEW,
    "trading.get_seat": VIEW,
    "trading.get_epoch": VIEW,
    "registry.set_authority": f"{BY_CPI}: `site authority push`",
    "oracle.set_authority": f"{BY_CPI}: `site authority push`",
    "energy_token.set_authority": f"{BY_CPI}: `site authority push`",
    "trading.set_authority": f"{BY_CPI}: `site authority push`",
    "energy_token.mint_to": f"{BY_CPI}: process_energy_data",
    "energy_token.burn_for_consumption": f"{BY_CPI}: process_energy_data",
    "trading.clear_epoch": f"{BY_CPI}: trigger_market_clearing",
    "oracle.submit_meter_data": "the node delivers its own records (`agent run`); tests/meteredge has it",
    "energy_token.transfer": "any wallet's plain SPL transfer does the same",
}
ACTIONS = "governance.manage_authorities"
LATER = {
    "trading.match_orders": "`keeper run` with a book larger than MAX_SWEEP; tests/meterchain/test_keeper.py has it",
    "trading.settle_trade": "`keeper run` with a book larger than MAX_SWEEP; tests/meterchain/test_keeper.py has it",
}


class Witness(KeptChain):
    """Notes each instruction that lands while a command runs."""

    def __init__(self, programs: Programs) -> None:
        super().__init__()
        self.programs = programs
        self.landed: set[str] = set()

    def submit(self, transaction: VersionedTransaction, **options: object) -> Receipt:
        receipt = super().submit(transaction, **options)  # type: ignore[arg-type]
        keys = account_keys(transaction, ())
        for step in transaction.message.instructions:
            idl = self.programs.by_id.get(keys[step.program_id_index])
            if idl is None:
                continue
            name, arguments = idl.decode_instruction(bytes(step.data))
            self.landed.add(f"{idl.name}.{name}")
            if f"{idl.name}.{name}" == ACTIONS:
                self.landed.add(f"{ACTIONS} {AuthorityAction(arguments['action']).name}")
        return receipt


@pytest.fixture
def chain(built: Programs) -> EmbeddedChain:
    return Witness(built)


@pytest.fixture
def office(deployed: EmbeddedChain, authority: Keypair, wallet_of: Callable[[Keypair], Path]) -> Callable[..., None]:
    """`office(app, words…)`: the department types it, and it must succeed."""
    operator = Operator(deployed)

    def type_it(app: typer.Typer, *words: object, by: str = "--authority", who: Keypair = authority) -> None:
        done = operator.run(app, *words, by, wallet_of(who))
        assert done.code == 0, (words, done.err)

    return type_it


def test_every_instruction_is_sent_by_a_command_or_has_a_reason_why_not(
    office: Callable[..., None], chain: Witness, built: Programs, authority: Keypair,
    wallet_of: Callable[[Keypair], Path], tmp_path: Path,
) -> None:  # fmt: skip
    chain.landed.clear()
    anna, ben, successor = (key(name) for name in ("anna", "ben", "successor"))
    for wallet in (anna, ben, successor):
        chain.airdrop(wallet.pubkey(), Lamports(10**11))
    _rules(office, successor, ben)
    first = _meters(office, chain, built, anna, ben, tmp_path)
    _trades(office, chain, built, anna, ben, wallet_of)
    _hand_over(office, authority, successor, built)
    assert first.state().owner == ben.pubkey()

    everything = {f"{name}.{each['name']}" for name in built for each in built[name].raw["instructions"]}
    reasons = {**BY_NO_COMMAND, **LATER}
    assert everything - chain.landed == set(reasons), "each is either reached, or listed with its reason"
    actions = {f"{ACTIONS} {action.name}" for action in AuthorityAction}
    assert actions <= chain.landed


def _rules(office: Callable[..., None], successor: Keypair, ben: Keypair) -> None:
    office(site.app, "init", "--name", "test")
    office(site.app, "params", "MAX_METERS_PER_USER=12")
    office(site.app, "pause", "mint")
    office(site.app, "unpause", "mint")
    office(site.app, "authority", "guardian", ben.pubkey())
    office(site.app, "authority", "validator", ben.pubkey())
    office(site.app, "authority", "propose", successor.pubkey())
    office(site.app, "authority", "cancel")
    office(site.app, "relayers", "owners")
    office(site.app, "relayers", "anybody")
    office(site.app, "records", "off")
    office(site.app, "records", "on")
    office(site.app, "endpoint", "https://ami.example")


def _meters(
    office: Callable[..., None], chain: Witness, built: Programs, anna: Keypair, ben: Keypair, folder: Path
) -> Signer:
    office(user.app, "register", anna.pubkey())
    office(user.app, "register", ben.pubkey(), "--type", "consumer")
    office(user.app, "update", ben.pubkey(), "--type", "prosumer")
    office(user.app, "status", ben.pubkey(), "suspended")
    office(user.app, "status", ben.pubkey(), "active")
    nodes = [_node(chain, built, anna, number) for number in (1, 2)]
    one, two = nodes
    for node in nodes:
        words = ("--max-export-w", 5_000, "--max-import-w", 10_000)
        office(meter.app, "assign", claim_file(folder, node), *words)
    office(user.app, "approve", "--kwh", "0.2", by="--owner", who=anna)
    landed = set(chain.landed)
    signed = one.sign(1_500_000, 7_500_000)
    chain.send(instructions.submit_meter_data(built, anna.pubkey(), [signed], position=0), [anna])
    chain.landed = landed
    office(meter.app, "key-level", "METER_001", "file")
    office(meter.app, "limits", "METER_001", "--max-import-w", 20_000)
    office(meter.app, "reassign", "METER_001", ben.pubkey())
    office(user.app, "burn", "0.1", by="--owner", who=anna)
    office(user.app, "approve", "--kwh", "1", by="--owner", who=anna)
    office(user.app, "revoke", by="--owner", who=anna)
    spl_burn(chain, one.site, anna, 7)
    office(site.app, "supply")
    _changes(office, chain, two, folder)
    return one


def _node(chain: Witness, built: Programs, owner: Keypair, number: int) -> Signer:
    assignment = MeterAssignment(
        meter_id=f"METER_{number:03}", owner=owner.pubkey(), kind=MeterKind.BIDIRECTIONAL, max_export_w=5_000,
        max_import_w=10_000, resolution_mwh=1_000, baseline_export_mwh=Mwh(1_000_000),
        baseline_import_mwh=Mwh(7_000_000), serial=f"S-{number}", model="SDM120", building="",
    )  # fmt: skip
    return Signer(chain, load(chain, built), assignment, key(f"meter {number}"), owner)


def _changes(office: Callable[..., None], chain: Witness, two: Signer, folder: Path) -> None:
    def claim(who: Keypair, install: int, **changes: object) -> Path:
        wanted = replace(two, key=who)
        message = possession_message(two.site.domain, "METER_002", two.owner.pubkey(), InstallId(install))
        proof = {"signature": bytes(who.sign_message(message)).hex(), "install_id": install}
        return claim_file(folder, wanted, **proof, **changes)

    first = two.sign(1_100_000, 7_100_000)
    landed = set(chain.landed)
    chain.send(instructions.submit_meter_data(two.site.programs, two.owner.pubkey(), [first], position=0), [two.owner])
    chain.landed = landed
    office(site.app, "billing", "all")
    evidence = [record_file(folder, "a", first), record_file(folder, "b", contradicting(two, first))]
    office(meter.app, "equivocation", *evidence)
    chain.advance(60)
    office(meter.app, "rotate-key", claim(key("second node"), 1))
    office(meter.app, "clear-freeze", "METER_002")
    office(meter.app, "status", "METER_002", "maintenance")
    office(meter.app, "rebase", claim(key("second node"), 2), "--force")
    office(meter.app, "replace", claim(key("third node"), 3, serial="S-3"), "--force")
    office(meter.app, "status", "METER_002", "decommissioned")
    office(meter.app, "unassign", "METER_002")


def _trades(
    office: Callable[..., None], chain: Witness, built: Programs, anna: Keypair, ben: Keypair,
    wallet_of: Callable[[Keypair], Path],
) -> None:  # fmt: skip
    office(market.app, "create", "--slots", 64, "--seats", 8, "--epochs", 8)
    office(site.app, "clearing", "department")
    office(site.app, "clearing", "anybody")
    for trader in (anna, ben):
        office(market.app, "issue", trader.pubkey(), "100")

    def trade(who: Keypair, *words: object) -> None:
        office(market.app, *words, by="--wallet", who=who)

    trade(anna, "deposit", "energy", "0.15")
    trade(anna, "order", "sell", "0.1", "3")
    trade(ben, "order", "buy", "0.1", "4")
    trade(ben, "order", "buy", "0.1", "3.5")
    trade(ben, "cancel", "3")
    chain.advance(SLOT_S + 10)
    office(keeper.app, "run", "--once", by="--payer", who=ben)
    office(market.app, "sweep-fees")
    trade(anna, "hold", "on")
    trade(anna, "hold", "off")
    trade(anna, "withdraw", "money", "0.1")
    trade(ben, "payout")
    trade(ben, "leave")
    office(market.app, "terms", "--tick", "0.01")
    _void(office, chain, built, anna, ben)


def _void(office: Callable[..., None], chain: Witness, built: Programs, anna: Keypair, ben: Keypair) -> None:
    """An epoch that was triggered and not matched, as a keeper leaves it that dies then."""
    from meterchain.market.builders import trigger_market_clearing
    from meterchain.market.reading import find_market

    for who, words in ((anna, ("sell", "0.05", "3")), (ben, ("buy", "0.05", "4"))):
        office(market.app, "order", *words, by="--wallet", who=who)
    chain.advance(SLOT_S + 10)
    now = find_market(chain, built)
    (book,) = now.waiting_books()
    chain.send([trigger_market_clearing(built, now, anna.pubkey(), book, 0)], [anna])
    office(market.app, "void")


def _hand_over(office: Callable[..., None], authority: Keypair, successor: Keypair, built: Programs) -> None:
    office(site.app, "authority", "propose", successor.pubkey())
    office(site.app, "authority", "accept", who=successor)
    office(site.app, "authority", "push", who=successor)
    office(site.app, "authority", "forget", built.id("oracle"), who=successor)
