"""A meter from one owner to another: everybody gets what was measured for him, once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.meterchain.commands.conftest import Operator, balance
from tests.meterchain.commands.test_meter_changes import node_status, now, set_status
from tests.meterchain.conftest import Signer

from meterchain import instructions, pdas
from meterchain import site as steps
from meterchain.accounts import MeterStatus, Role, User, UserStatus, UserType, fetch
from meterchain.audit import audit
from meterchain.chain import TransactionFailed
from meterchain.commands.meter import app
from meterchain.embedded import EmbeddedChain
from meterchain.site import Site
from meterchain.tokens import read_token_account

ATOMS = 1_000


@pytest.fixture
def ben(chain: EmbeddedChain, site: Site, authority: Keypair, funded: Callable[[str], Keypair]) -> Keypair:
    """The next owner: registered, active, without a GRID account."""
    key = funded("ben")
    steps.register_user(chain, site, authority, key.pubkey(), UserType.PROSUMER, Role.STUDENT)
    return key


def deliver(meter: Signer, export_mwh: int, import_mwh: int, payer: Keypair) -> None:
    signed = meter.sign(export_mwh, import_mwh)
    meter.chain.send(instructions.submit_meter_data(meter.site.programs, payer.pubkey(), [signed], position=0), [payer])


def settle(meter: Signer, payer: Keypair) -> None:
    wanted = instructions.process_energy_data(meter.site.programs, "METER_001", meter.state().owner)
    meter.chain.send([wanted], [payer])


def grid_of(meter: Signer, owner: Keypair) -> int:
    (info,) = meter.chain.accounts([meter.site.grid_account(owner.pubkey())])
    return read_token_account(info).amount if info and info.data else 0


def set_user(meter: Signer, authority: Keypair, user: Keypair, status: UserStatus) -> None:
    step = instructions.set_user_status(meter.site.programs, authority.pubkey(), user.pubkey(), status)
    meter.chain.send([step], [authority])


def test_each_owner_is_paid_what_was_measured_in_his_time_and_nobody_twice(
    operator: Operator, meter: Signer, ben: Keypair, authority: Keypair, department: Path
) -> None:
    deliver(meter, 1_500_000, 7_200_000, authority)
    asked = ("reassign", "METER_001", ben.pubkey(), "--authority", department, "--json")
    told = operator.run(app, *asked, "--dry-run")
    assert told.code == 0, told.err
    assert now(meter).owner == meter.owner.pubkey()
    before = balance(meter.chain, authority)
    done = operator.run(app, *asked)
    assert done.code == 0, done.err
    spent = sum(step["fee_lamports"] + step["rent_lamports"] for step in told.document["sent"])
    assert before - balance(meter.chain, authority) == spent
    assert [step["what"] for step in done.document["sent"]] == [
        "create_associated_token_account",
        "process_energy_data + reassign_meter + sync_owner",
    ]
    assert "0.200000 kWh not burned yet" in done.err
    assert (now(meter).owner, meter.state().owner) == (ben.pubkey(), ben.pubkey())
    deliver(meter, 1_900_000, 7_200_000, authority)
    settle(meter, authority)
    assert (grid_of(meter, meter.owner), grid_of(meter, ben)) == (500_000 * ATOMS, 400_000 * ATOMS)
    assert (meter.state().written_off_import_mwh, meter.state().minted_mwh) == (200_000, 900_000)
    assert operator.run(app, *asked).document["sent"] == []
    assert audit(meter.chain, meter.site.programs, settled=True).ok


def test_a_hand_over_that_another_tool_began_is_finished(
    operator: Operator, meter: Signer, ben: Keypair, authority: Keypair, department: Path
) -> None:
    deliver(meter, 1_500_000, 7_000_000, authority)
    half = instructions.reassign_meter(
        meter.site.programs, authority.pubkey(), "METER_001", meter.owner.pubkey(), ben.pubkey()
    )
    meter.chain.send([half], [authority])
    signed = meter.sign(1_600_000, 7_000_000)
    submit = instructions.submit_meter_data(meter.site.programs, authority.pubkey(), [signed], position=0)
    with pytest.raises(TransactionFailed, match="OwnerChangePending"):
        meter.chain.send(submit, [authority])
    done = operator.run(app, "reassign", "METER_001", ben.pubkey(), "--authority", department, "--json")
    assert done.code == 0, done.err
    assert "reassign_meter" not in done.document["sent"][-1]["what"]
    meter.chain.send(submit, [authority])
    settle(meter, authority)
    assert (grid_of(meter, meter.owner), grid_of(meter, ben)) == (500_000 * ATOMS, 100_000 * ATOMS)


def test_an_owner_who_cannot_be_paid_keeps_the_meter_unless_his_energy_is_given_up(
    operator: Operator, meter: Signer, ben: Keypair, authority: Keypair, department: Path
) -> None:
    deliver(meter, 1_500_000, 7_000_000, authority)
    set_user(meter, authority, meter.owner, UserStatus.SUSPENDED)
    asked = ("reassign", "METER_001", ben.pubkey(), "--authority", department)
    refused = operator.run(app, *asked)
    assert refused.code == 4
    assert "0.500000 kWh" in refused.err
    assert "suspended" in refused.err
    assert now(meter).owner == meter.owner.pubkey()
    done = operator.run(app, *asked, "--forfeit")
    assert done.code == 0, done.err
    assert "given up" in done.err
    assert (now(meter).owner, grid_of(meter, meter.owner)) == (ben.pubkey(), 0)


def test_while_minting_is_paused_nobody_loses_what_waits(
    operator: Operator, meter: Signer, ben: Keypair, authority: Keypair, department: Path
) -> None:
    deliver(meter, 1_500_000, 7_000_000, authority)
    programs = meter.site.programs
    meter.chain.send([instructions.emergency_pause(programs, authority.pubkey(), 4, 0)], [authority])
    asked = ("reassign", "METER_001", ben.pubkey(), "--authority", department)
    refused = operator.run(app, *asked)
    assert refused.code == 4
    assert "minting is paused" in refused.err
    assert now(meter).owner == meter.owner.pubkey()
    meter.chain.send([instructions.emergency_unpause(programs, authority.pubkey(), 4)], [authority])
    assert operator.run(app, *asked).code == 0
    assert grid_of(meter, meter.owner) == 500_000 * ATOMS


def test_records_that_the_node_still_holds_stop_the_hand_over(
    operator: Operator, meter: Signer, ben: Keypair, department: Path, tmp_path: Path
) -> None:
    asked = ("reassign", "METER_001", ben.pubkey(), "--authority", department, "--node-status")
    held = operator.run(app, *asked, node_status(tmp_path, records={"closed": 2, "final": 1}))
    assert held.code == 4
    assert "2 closed" in held.err
    assert operator.run(app, *asked, node_status(tmp_path)).code == 0


def test_only_an_active_user_gets_a_meter_that_is_in_service(
    operator: Operator, meter: Signer, ben: Keypair, authority: Keypair, department: Path
) -> None:
    stranger = Keypair.from_seed(bytes(31) + b"\4").pubkey()
    unknown = operator.run(app, "reassign", "METER_001", stranger, "--authority", department)
    assert (unknown.code, "meterbridge user register" in unknown.err) == (2, True)
    set_user(meter, authority, ben, UserStatus.REVOKED)
    asked = ("reassign", "METER_001", ben.pubkey(), "--authority", department)
    assert operator.run(app, *asked).code == 4
    set_user(meter, authority, ben, UserStatus.ACTIVE)
    set_status(meter, authority, MeterStatus.DECOMMISSIONED)
    gone = operator.run(app, *asked)
    assert (gone.code, "decommissioned" in gone.err) == (4, True)


def test_a_meter_out_of_service_leaves_its_owner_s_list_once_and_he_is_still_paid(
    operator: Operator, meter: Signer, authority: Keypair, department: Path
) -> None:
    deliver(meter, 1_500_000, 7_000_000, authority)
    asked = ("unassign", "METER_001", "--authority", department, "--json")
    active = operator.run(app, *asked)
    assert (active.code, "meter status METER_001 decommissioned" in active.err) == (4, True)
    set_status(meter, authority, MeterStatus.DECOMMISSIONED)
    assert operator.run(app, *asked, "--dry-run").document["owner_meters"] == 1
    assert operator.run(app, *asked).document["owner_meters"] == 0
    assert operator.run(app, *asked).document["sent"] == []
    user = fetch(meter.chain, meter.site.programs, User, pdas.user(meter.site.programs, meter.owner.pubkey()))
    assert user is not None
    assert user.meter_count == 0
    settle(meter, authority)
    assert grid_of(meter, meter.owner) == 500_000 * ATOMS
