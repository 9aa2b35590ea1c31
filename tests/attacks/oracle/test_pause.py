"""The pause matrix of the Oracle (threats.md X14): every instruction, every bit, expiry, the emergency; cures never.

`process_energy_data` is in test_processing.py: a pause leaves out its part and fails nothing.
`trigger_market_clearing` needs a market: tests/attacks/trading/test_trigger.py.
"""

from collections.abc import Sequence

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.oracle.department import new_key, reassign, rotate
from tests.attacks.oracle.plant import Node, Plant
from tests.attacks.oracle.test_equivocation import a_second_later, accusing, clearing, contradiction, report

from meterchain import instructions as ix
from meterchain.chain import TransactionFailed
from meterchain.units import Lamports, UnixTime

ORACLE_SUBMIT, CLEARING = 1, 5
BITS, ALL = range(6), 0x3F
WEEK = 604_800
"""PAUSE_MAX_SECS: a pause set now ends then."""
STOPPED_BY = {
    "submit_meter_data": ORACLE_SUBMIT,
    "init_meter_state": ORACLE_SUBMIT,
    "trigger_market_clearing": CLEARING,
    "initialize_oracle": None,
    "set_authority": None,
    "set_active": None,
    "set_ami_endpoint": None,
    "set_relayers": None,
    "set_auto_clearing": None,
    "process_energy_data": None,
    "sync_owner": None,
    "close_billing": None,
    "report_equivocation": None,
    "clear_freeze": None,
}
ELSEWHERE = {"trigger_market_clearing", "initialize_oracle"}


def prepared(name: str, plant: Plant, node: Node, bob: Keypair) -> Sequence[Instruction]:
    """Brings the plant to where `name` works, and returns it; the authority pays and signs."""
    built, me = plant.built, plant.authority.pubkey()
    if name == "submit_meter_data":
        record = node.next(export=10)
        plant.wait_for(record)
        return ix.submit_meter_data(built, me, plant.signed(record), position=0)
    if name == "init_meter_state":
        state = plant.site.meter_state(node.meter_id)
        plant.chain.set_account(state, owner=Pubkey.default(), data=b"", lamports=Lamports(0))
        return [ix.init_meter_state(built, me, node.meter_id)]
    if name == "process_energy_data":
        return [plant.processing(node)]
    if name == "sync_owner":
        reassign(plant, node, bob)
        return [ix.sync_owner(built, me, node.meter_id)]
    if name == "report_equivocation":
        return accusing(plant, contradiction(node), plant.authority)
    if name == "clear_freeze":
        report(plant, contradiction(node))
        a_second_later(plant)
        rotate(plant, node, new_key("good"))
        return [clearing(plant, node)]
    if name == "close_billing":
        return [ix.close_billing(built, me, node.meter_id)]
    return [_setting(name, plant)]


def _setting(name: str, plant: Plant) -> Instruction:
    built, me = plant.built, plant.authority.pubkey()
    if name == "set_authority":
        accounts = {"governance": plant.site.governance, "config": plant.site.oracle}
        return built["oracle"].instruction(name, accounts, {})
    return {
        "set_active": ix.set_active(built, me, active=True),
        "set_ami_endpoint": ix.set_ami_endpoint(built, me, "ami"),
        "set_relayers": ix.set_relayers(built, me, [me], listed_only=True),
        "set_auto_clearing": ix.set_auto_clearing(built, me, enabled=True),
    }[name]


def outcome(plant: Plant, instructions: Sequence[Instruction]) -> str:
    """`done`, or the name of the error; nothing is changed."""
    try:
        plant.chain.simulate(list(instructions), plant.authority.pubkey())
    except TransactionFailed as refusal:
        return refusal.name
    return "done"


def test_the_matrix_knows_every_instruction(plant: Plant) -> None:
    assert set(STOPPED_BY) == {shape["name"] for shape in plant.built["oracle"].raw["instructions"]}


@pytest.mark.parametrize("name", [name for name in STOPPED_BY if name not in ELSEWHERE])
def test_a_pause_stops_what_it_names_until_it_expires_and_nothing_else(
    plant: Plant, node: Node, bob: Keypair, name: str
) -> None:
    instructions = prepared(name, plant, node, bob)
    assert outcome(plant, instructions) == "done"
    (unpaused,) = plant.chain.accounts([plant.site.governance])
    assert unpaused is not None
    for mask in [1 << bit for bit in BITS] + [ALL]:
        plant.chain.set_account(plant.site.governance, owner=unpaused.owner, data=unpaused.data)
        plant.pause(mask)
        bit = STOPPED_BY[name]
        stopped = bit is not None and mask & 1 << bit
        assert outcome(plant, instructions) == ("Paused" if stopped else "done"), mask


@pytest.mark.parametrize("name", ["submit_meter_data", "init_meter_state"])
def test_what_has_expired_stops_nothing(plant: Plant, node: Node, bob: Keypair, name: str) -> None:
    now = plant.chain.clock().unix_s
    plant.pause(ALL)
    plant.chain.set_unix_time(UnixTime(now + WEEK))
    if name == "submit_meter_data":
        record = node.next(export=10, slots=WEEK // 900)
        plant.wait_for(record)
        delivery = ix.submit_meter_data(plant.built, plant.authority.pubkey(), plant.signed(record), position=0)
        assert outcome(plant, delivery) == "done"
    else:
        assert outcome(plant, prepared(name, plant, node, bob)) == "done"
