"""A node's whole life, with the real agent: enrolled, its meter replaced, its card renewed, decommissioned."""

from collections.abc import Callable

from tests.meteredge.node import BASELINE_EXPORT
from tests.meterprov.life.house import METER, SEEN, House

from meterchain import pdas
from meterchain.accounts import KeyIndex, MeterStatus, User, fetch
from meterchain.commands.meter import app as meter_app
from meterchain.record import Reason
from meterprov.cli import app
from meterprov.fingerprint import fingerprint
from meterprov.manifest import Decommissioned, Enrolled, FinalRecord, FirstReading, KeyRotated, LabelVoid

NEW_SERIAL = "10000077"
DISPLAYS = ("--display-export", "0.000", "--display-import", "0.000")
NEW = (*SEEN[:2], *DISPLAYS)


def states(document: dict[str, list[dict[str, str]]]) -> list[str]:
    return [step["state"] for step in document["steps"]]


def test_a_meter_is_replaced_step_by_step_and_no_energy_is_lost(house: House) -> None:
    house.enrolled()
    agent = house.agent
    assert agent is not None
    old_key = house.on_chain().meter_key

    first = house.replace()
    assert (first.code, states(first.document)) == (75, ["next", *["later"] * 5])
    house.advance(900 - house.clock.utc() % 900)
    house.meter.export_mwh += 250_000
    assert agent.close_due_slot() is not None
    held = house.replace("--node-status", house.status_file())
    assert held.code == 4
    assert "has not delivered all: 1 closed" in held.err
    assert house.on_chain().status is MeterStatus.ACTIVE
    agent.deliver()
    agent.deliver()
    assert house.replace("--node-status", house.status_file(), "--dry-run").code == 0
    assert house.on_chain().status is MeterStatus.ACTIVE

    drained = house.replace("--node-status", house.status_file())
    assert (drained.code, states(drained.document)) == (75, ["done", "done", "next", *["later"] * 3])
    assert house.on_chain().status is MeterStatus.MAINTENANCE
    assert house.replace("--final", house.record_file("p.json")).code == 4, "a periodic record is no final one"

    house.meter.export_mwh += 4_000
    final = house.sign_final()
    credited = house.meter.export_mwh - BASELINE_EXPORT
    assert house.state().cum_export_mwh == credited
    proved = house.replace("--final", final)
    assert (proved.code, states(proved.document)) == (75, [*["done"] * 3, "next", "later", "later"])
    assert states(house.replace().document) == states(proved.document), "the manifest remembers the proof"

    swap(house)
    claim = house.claim_file(house.claim(install=2, new_key=False, rotate=True))
    unseen = house.replace("--claim", claim, *NEW[:2])
    assert unseen.code == 4
    assert house.on_chain().install_id == 1
    assert house.replace("--claim", claim, *NEW, "--dry-run").code == 0
    assert house.on_chain().install_id == 1
    replaced = house.replace("--claim", claim, *NEW)
    assert (replaced.code, states(replaced.document)) == (75, [*["done"] * 5, "next"])
    meter = house.on_chain()
    assert (meter.install_id, meter.serial, meter.status) == (2, NEW_SERIAL, MeterStatus.ACTIVE)

    house.start()
    house.pass_slots()
    done = house.replace("--claim", claim)
    assert (done.code, done.document["done"], states(done.document)) == (0, True, ["done"] * 6)
    assert house.state().cum_export_mwh == credited + house.meter.export_mwh
    kinds = [type(fact) for fact in house.facts()]
    assert kinds == [Enrolled, FinalRecord, LabelVoid, Enrolled, FirstReading]
    assert house.facts()[2].fingerprint == fingerprint(str(old_key))  # type: ignore[union-attr]
    assert len(house.facts()) == len({fact.model_dump_json() for fact in house.facts()})


def swap(house: House) -> None:
    """The technician mounts another device and writes its number down, in the site file and on the node."""
    house.other_meter(serial=NEW_SERIAL, export_mwh=0, import_mwh=0)
    house.change_site('serial = "10000001"', f'serial = "{NEW_SERIAL}"')
    house.configure()


def test_a_final_record_proves_nothing_unless_it_is_the_chain_s_last_of_this_meter(house: House) -> None:
    house.enrolled()
    agent = house.agent
    assert agent is not None
    house.advance(61)
    row = agent.sign_final()
    assert row.reason is Reason.FINAL
    paper = house.record_file()
    early = house.replace("--final", paper)
    assert early.code == 4
    assert "the final record is number 3, the chain has 2" in early.err
    agent.deliver()
    house.advance(900)
    house.pass_slots()
    late = house.replace("--final", paper)
    assert late.code == 4
    assert "the chain has 4" in late.err
    paper.write_text(paper.read_text().replace('"signature": "', '"signature": "00')[:-4] + '"}')
    assert "not signed by the key" in house.replace("--final", paper).err
    assert house.on_chain().status is MeterStatus.ACTIVE
    assert house.replace("--final", house.sign_final()).code == 75, "the control"
    assert house.on_chain().status is MeterStatus.MAINTENANCE


def test_a_node_that_is_gone_ends_with_what_the_chain_has(house: House) -> None:
    house.enrolled()
    house.new_card()
    told = house.replace("--force")
    assert (told.code, states(told.document)) == (75, [*["done"] * 3, "next", "later", "later"])
    swap(house)
    claim = house.claim_file(house.claim(install=2))
    assert house.replace("--force", "--claim", claim, *NEW).code == 75
    assert house.on_chain().install_id == 2


def test_a_meter_whose_key_was_stolen_is_replaced_without_a_word_of_that_key(house: House) -> None:
    house.enrolled()
    set_status(house, MeterStatus.COMPROMISED)
    swap(house)
    claim = house.claim_file(house.claim(install=2, new_key=False, rotate=True))
    told = house.replace("--claim", claim, *NEW)
    assert (told.code, states(told.document)) == (75, [*["done"] * 5, "next"])
    assert "nothing of its key is believed" in told.document["steps"][2]["told"]
    assert (house.on_chain().install_id, house.on_chain().status) == (2, MeterStatus.ACTIVE)


def set_status(house: House, status: MeterStatus) -> None:
    told = house.operator.run(
        meter_app, "status", METER, status.name.lower(), "--authority", house.department, "--json"
    )
    assert told.code == 0, told.err


def test_a_new_card_gets_the_meter_by_a_key_of_its_own(house: House, make_image: Callable[[], None]) -> None:
    house.enrolled()
    old_key = house.on_chain().meter_key
    old = fingerprint(str(old_key))
    old_claim = house.claim_file().rename(house.folder / "old.json")
    again = house.claim_file()
    nothing = house.provision("re-provision", METER, "--json")
    assert (nothing.code, states(nothing.document)) == (75, ["next", *["later"] * 4])
    same = house.provision("re-provision", METER, "--claim", again)
    assert same.code == 4
    assert "has already" in same.err

    make_image()
    made = house.provision("re-provision", METER, "--json")
    assert states(made.document) == ["done", "next", "later", "later", "later"]
    house.new_card()
    claim = house.claim_file()
    rehearsed = house.provision("re-provision", METER, "--claim", claim, "--dry-run", "--json")
    assert (rehearsed.code, len(rehearsed.document["sent"])) == (0, 1)
    rotated = house.provision("re-provision", METER, "--claim", claim, "--json")
    assert (rotated.code, states(rotated.document)) == (75, [*["done"] * 4, "next"])
    index = fetch(house.chain, house.site.programs, KeyIndex, pdas.key_index(house.site.programs, old_key))
    assert index is not None
    assert index.retired_at
    house.start()
    house.pass_slots()
    for words in (("--claim", claim), ()):
        done = house.provision("re-provision", METER, *words, "--json")
        assert (done.code, states(done.document), done.document["sent"]) == (0, ["done"] * 5, [])
    assert house.state().seq == 3, "the new journal goes on where the chain stands"
    labels = ("label", "--site", house.site_file, "--node", METER, "-o", house.folder / "label.pdf", "--claim")
    assert house.operator.run(app, *labels, claim).code == 0
    refused = house.operator.run(app, *labels, old_claim)
    assert refused.code == 2
    assert "the key in the claim is retired: METER_001" in refused.err
    make_image()
    stale = house.provision("re-provision", METER, "--claim", claim)
    assert stale.code == 4
    assert "has already" in stale.err, "a third life needs a third key"
    rotations = [fact for fact in house.facts() if isinstance(fact, KeyRotated)]
    assert [fact.retired for fact in rotations] == [old]
    assert [fact.fingerprint for fact in house.facts() if isinstance(fact, LabelVoid)] == [old]


def test_a_meter_goes_to_the_shelf_paid_out_and_for_ever(house: House) -> None:
    house.enrolled()
    asked = ("decommission", METER, "--json")
    mistyped = house.provision(*asked, "--confirm", "METER_002", "--force")
    assert mistyped.code == 4
    assert house.on_chain().status is MeterStatus.ACTIVE
    by = (*asked, "--confirm", METER)
    assert states(house.provision(*by).document) == ["next", *["later"] * 6]
    house.provision(*by, "--node-status", house.status_file())
    house.meter.export_mwh += 3_000
    final = house.sign_final()
    rehearsed = house.provision(*asked, "--final", final, "--dry-run")
    assert (rehearsed.code, house.on_chain().status) == (0, MeterStatus.MAINTENANCE)
    done = house.provision(*by, "--final", final)
    assert (done.code, states(done.document)) == (0, ["done"] * 7)
    assert "uninstall --purge" in done.document["next_step"]
    meter, state = house.on_chain(), house.state()
    assert meter.status is MeterStatus.DECOMMISSIONED
    assert state.minted_mwh == state.cum_export_mwh == house.meter.export_mwh - BASELINE_EXPORT
    user = fetch(house.chain, house.site.programs, User, pdas.user(house.site.programs, meter.owner))
    assert user is not None
    assert user.meter_count == 0
    again = house.provision(*by)
    assert (again.code, again.document["sent"]) == (0, [])
    kinds = [type(fact) for fact in house.facts()]
    assert kinds == [Enrolled, FinalRecord, Decommissioned, LabelVoid]
