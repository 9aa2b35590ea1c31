"""How the oracle is run: shown, set once, and the bill that closes a period."""

from pathlib import Path

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from tests.meterchain.commands.conftest import Operator
from tests.meterchain.commands.test_meter_owner import deliver, settle
from tests.meterchain.conftest import NewMeter, Signer

from meterchain import instructions
from meterchain.audit import audit
from meterchain.commands.site import app
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.site import Site
from meterchain.tokens import TOKEN_PROGRAM
from meterchain.units import Atoms

A, B = (str(Keypair.from_seed(bytes(31) + bytes([n])).pubkey()) for n in (1, 2))


def spl_burn(chain: EmbeddedChain, site: Site, owner: Keypair, atoms: int) -> None:
    """As any wallet can, past the energy token program."""
    accounts = [
        AccountMeta(site.grid_account(owner.pubkey()), is_signer=False, is_writable=True),
        AccountMeta(site.grid_mint, is_signer=False, is_writable=True),
        AccountMeta(owner.pubkey(), is_signer=True, is_writable=False),
    ]
    chain.send([Instruction(TOKEN_PROGRAM, b"\x08" + atoms.to_bytes(8, "little"), accounts)], [owner])


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("words", "name", "shown"),
    [
        (("relayers", A, B), "relayers", [A, B]),
        (("relayers", "owners"), "relayers", []),
        (("records", "off"), "records", False),
        (("clearing", "anybody"), "clearing", "anybody"),
        (("endpoint", "mqtts://ami.example:8883"), "endpoint", "mqtts://ami.example:8883"),
    ],
)
def test_a_setting_is_rehearsed_set_once_and_shown(
    operator: Operator, department: Path, words: tuple[str, ...], name: str, shown: object
) -> None:
    before = operator.run(app, words[0], "--json").document[name]
    assert before != shown
    asked = (*words, "--authority", department, "--json")
    assert operator.run(app, *asked, "--dry-run").document[name] == before
    done = operator.run(app, *asked)
    assert done.code == 0, done.err
    assert done.document[name] == shown
    assert operator.run(app, *asked).document["sent"] == []
    assert operator.run(app, words[0], "--json").document[name] == shown


@pytest.mark.usefixtures("site")
def test_a_list_of_relayers_that_cannot_be_is_wrong_use(operator: Operator, department: Path) -> None:
    many = [str(Keypair.from_seed(bytes(31) + bytes([n])).pubkey()) for n in range(1, 10)]
    for words in ((A, A), many, (A, "anybody")):
        assert operator.run(app, "relayers", *words, "--authority", department).code == 2
    assert operator.run(app, "relayers", A, "--authority", department).code == 0
    assert (
        operator.run(app, "relayers", "anybody", "--authority", department, "--json").document["relayers"] == "anybody"
    )


def test_a_bill_says_what_was_not_burned_and_it_is_never_burned_later(
    operator: Operator, meter: Signer, new_meter: NewMeter, authority: Keypair, department: Path
) -> None:
    new_meter("METER_002")
    deliver(meter, 2_000_000, 7_250_000, authority)
    settle(meter, authority)
    asked = ("billing", "all", "--authority", department, "--json")
    bill = [{"meter_id": "METER_001", "owner": str(meter.owner.pubkey()), "import_mwh": 250_000}]
    assert operator.run(app, *asked, "--dry-run").document["billed"] == bill
    done = operator.run(app, *asked)
    assert done.code == 0, done.err
    assert done.document["billed"] == bill
    again = operator.run(app, *asked).document
    assert (again["billed"], again["sent"]) == ([], [])
    owner, programs = meter.owner, meter.site.programs
    meter.chain.send([instructions.approve_consumption(programs, owner.pubkey(), Atoms(10**9))], [owner])
    settle(meter, authority)
    assert (meter.state().burned_mwh, meter.state().written_off_import_mwh) == (0, 250_000)
    assert audit(meter.chain, programs).ok
    assert operator.run(app, "billing", "METER_009", "--authority", department).code == 2


def test_grid_that_spl_burned_is_taken_note_of(
    operator: Operator, chain: EmbeddedChain, meter: Signer, built: Programs, site: Site, authority: Keypair,
    department: Path,
) -> None:  # fmt: skip
    deliver(meter, 1_500_000, 7_000_000, authority)
    settle(meter, authority)
    spl_burn(chain, site, meter.owner, 7)
    asked = ("supply", "--authority", department, "--json")
    told = operator.run(app, *asked, "--dry-run").document
    assert told["noted_atoms"] == told["supply_atoms"] + 7
    done = operator.run(app, *asked).document
    assert done["noted_atoms"] == done["supply_atoms"] == 500_000_000 - 7
    assert operator.run(app, *asked).document["sent"] == []
