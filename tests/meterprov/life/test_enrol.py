"""Enrolment on the chain: assigned once, however often it is run; its first record waited for."""

import pytest
import typer
from solders.keypair import Keypair
from tests.meteredge.node import BASELINE_EXPORT
from tests.meterprov.life.house import METER, SEEN, House

from meterchain.accounts import Meter, MeterStatus, fetch
from meterchain.units import Lamports
from meteredge.clock import VirtualClock
from meteredge.profiles import load
from meterprov.cli import app
from meterprov.fingerprint import fingerprint
from meterprov.life.enrol import NoReadingYet, kind_of, wait_for_reading
from meterprov.life.options import office
from meterprov.manifest import Enrolled, FirstReading


def assigned(house: House) -> Meter | None:
    return fetch(house.chain, house.site.programs, Meter, house.site.meter(METER))


@pytest.mark.parametrize(
    ("profile", "kind"),
    [("sdm120", "bidirectional"), ("pzem-004t", "consumption-only"), ("sunspec-101", "generation-only")],
)
def test_a_meter_is_enrolled_for_the_directions_that_its_model_counts(profile: str, kind: str) -> None:
    assert kind_of(load(profile)) == kind


def test_a_claim_becomes_a_meter_and_its_first_record_ends_the_enrolment(house: House) -> None:
    claim = house.claim()
    file = house.claim_file(claim)
    told = house.enrol(file, *SEEN)
    assert told.code == 0, told.err
    assert fingerprint(claim.public_key) in told.out
    assert "level file" in told.out
    meter = assigned(house)
    assert meter is not None
    assert (meter.status, str(meter.meter_key), meter.serial) == (MeterStatus.ACTIVE, claim.public_key, claim.serial)
    assert (meter.baseline_export_mwh, meter.max_export_w) == (BASELINE_EXPORT, 5_000)
    assert [type(fact) for fact in house.facts()] == [Enrolled]

    house.start()
    house.pass_slots()
    again = house.enrol(file, *SEEN, "--json")
    assert again.code == 0, again.err
    assert (again.document["reading"]["seq"], again.document["sent"]) == (1, [])
    assert [type(fact) for fact in house.facts()] == [Enrolled, FirstReading]
    assert house.enrol(file).code == 0, "what people answered for once is not asked again"
    assert len(house.facts()) == 2, "what is known is not written again"


def test_it_waits_for_the_first_record_and_gives_up_in_time(house: House) -> None:
    assert house.enrol(house.claim_file(), *SEEN).code == 0
    told = house.provision("enrol", house.folder / "claim.json", *SEEN, "--wait", 0, "--json")
    assert (told.code, told.document["reading"]) == (75, None)
    agent = house.start()

    class Waiting(VirtualClock):
        """While somebody waits, the node works."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            house.advance(seconds)
            agent.deliver()
            agent.close_due_slot()

    clock, lines = Waiting(0), list[str]()
    context = typer.Context(typer.main.get_command(app), obj=lambda *_: house.chain)
    with office(house.site_file, None).chain(context, None) as there:
        with pytest.raises(NoReadingYet, match="no record came within 10 min"):
            wait_for_reading(there, METER, 1, VirtualClock(0), 600, lines.append)
        assert wait_for_reading(there, METER, 1, clock, 1_200, lines.append).seq == 1
    assert clock.monotonic() == 75, "looked at every 15 s; the agent wants 60 s after the baseline"
    assert "waiting for the first record" in lines[0]


def test_a_rehearsal_shows_everything_and_a_refusal_sends_nothing(house: House) -> None:
    told = house.enrol(house.claim_file(), *SEEN, "--dry-run", "--json")
    assert told.code == 0, told.err
    assert len(told.document["sent"]) == 2
    assert {check["verdict"] for check in told.document["checks"]} == {"pass", "warn", "not applicable"}
    told = house.enrol(house.claim_file(), *SEEN[2:], "--json")
    assert told.code == 4
    assert "refused, nothing was sent: direction" in told.err
    assert [check["name"] for check in told.document["checks"] if check["verdict"] == "fail"] == ["direction"]
    assert assigned(house) is None
    assert house.facts() == []


def test_an_owner_whom_nobody_registered_is_told_how_to_be(house: House) -> None:
    stranger = house.relayer.pubkey()
    house.change_site(str(house.owner), str(stranger))
    house.owner = stranger
    told = house.enrol(house.claim_file(), *SEEN)
    assert told.code == 2
    assert f"meterbridge user register {stranger}" in told.err
    assert assigned(house) is None


def test_a_node_whose_wallet_is_empty_is_told_of_before_it_is_waited_for(house: House) -> None:
    house.keep_relayer(Keypair())
    poor = house.enrol(house.claim_file(), *SEEN)
    assert poor.code == 0
    assert f"send SOL to {house.relayer.pubkey()}" in poor.err
    house.chain.airdrop(house.relayer.pubkey(), Lamports(10_000_000))
    assert "send SOL" not in house.enrol(house.claim_file(), *SEEN).err
