"""Whatever interrupts a command, the same command run again finishes it, once."""

from collections.abc import Callable

import pytest
from tests.meterprov.life.house import METER, SEEN, House
from tests.meterprov.life.test_story import NEW, swap

from meterchain import pdas
from meterchain.accounts import MeterStatus, User, fetch
from meterchain.chain import ChainUnreachable
from meterprov import manifest
from meterprov.fingerprint import fingerprint
from meterprov.manifest import Decommissioned, Enrolled, KeyRotated, LabelVoid, ManifestError


class Cuts:
    """Lets so many acts through, cuts the next one off (before or after it took effect), then lets all through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, house: House) -> None:
        self._left: int | None = None
        self._after = False
        self._wrap(monkeypatch, house.chain, "send", ChainUnreachable("the line is cut"))
        self._wrap(monkeypatch, manifest, "append", ManifestError("the disk is full"))

    def at(self, act: int, *, after: bool) -> None:
        self._left, self._after = act, after

    def none(self) -> None:
        self._left = None

    @property
    def spent(self) -> bool:
        """Was the act reached?"""
        return self._left is None

    def _wrap(self, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, error: Exception) -> None:
        real = getattr(owner, name)

        def act(*args: object, **options: object) -> object:
            cut = self._left == 0
            self._left = None if cut or self._left is None else self._left - 1
            if cut and not self._after:
                raise error
            done = real(*args, **options)
            if cut:
                raise error
            return done

        monkeypatch.setattr(owner, name, act)


def through_all_cuts(cuts: Cuts, run: Callable[[], int], *, after: bool, done: int) -> int:
    """Run once for each act, cut at the first that is left; then to the end.  How many cuts there were."""
    for number in range(20):
        cuts.at(number % 2, after=after)
        code = run()
        if cuts.spent:
            assert code in {3, 4}, "the line or the disk"
            continue
        cuts.none()
        assert code == done
        return number
    raise AssertionError("it makes no headway")


@pytest.mark.parametrize("after", [False, True])
def test_an_enrolment_and_the_way_to_the_shelf_survive_every_cut(
    house: House, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    cuts = Cuts(monkeypatch, house)
    file = house.claim_file()
    assert through_all_cuts(cuts, lambda: house.enrol(file, *SEEN).code, after=after, done=0) >= 2
    house.start()
    house.pass_slots(2)
    house.provision("decommission", METER, "--confirm", METER, "--node-status", house.status_file())
    final = house.sign_final()
    words = ("decommission", METER, "--confirm", METER, "--final", final)
    assert through_all_cuts(cuts, lambda: house.provision(*words).code, after=after, done=0) >= 2
    assert house.on_chain().status is MeterStatus.DECOMMISSIONED
    user = fetch(house.chain, house.site.programs, User, pdas.user(house.site.programs, house.owner))
    assert user is not None
    assert user.meter_count == 0
    kept = [type(fact) for fact in house.facts()]
    assert [kept.count(kind) for kind in (Enrolled, Decommissioned, LabelVoid)] == [1, 1, 1]


@pytest.mark.parametrize("after", [False, True])
def test_a_replacement_survives_every_cut(house: House, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
    house.enrolled()
    cuts = Cuts(monkeypatch, house)
    status = house.status_file()
    through_all_cuts(cuts, lambda: house.replace("--node-status", status).code, after=after, done=75)
    final = house.sign_final()
    through_all_cuts(cuts, lambda: house.replace("--final", final).code, after=after, done=75)
    swap(house)
    claim = house.claim_file(house.claim(install=2, new_key=False, rotate=True))
    assert through_all_cuts(cuts, lambda: house.replace("--claim", claim, *NEW).code, after=after, done=75) >= 2
    house.start()
    house.pass_slots()
    assert house.replace("--claim", claim).code == 0
    assert (house.on_chain().install_id, house.on_chain().status) == (2, MeterStatus.ACTIVE)
    kept = [type(fact) for fact in house.facts()]
    assert [kept.count(kind) for kind in (Enrolled, LabelVoid)] == [2, 1]


@pytest.mark.parametrize("after", [False, True])
def test_a_new_card_survives_every_cut(
    house: House, make_image: Callable[[], None], monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    house.enrolled()
    old = fingerprint(str(house.on_chain().meter_key))
    make_image()
    house.new_card()
    cuts, words = Cuts(monkeypatch, house), ("re-provision", METER, "--claim", house.claim_file())
    assert through_all_cuts(cuts, lambda: house.provision(*words).code, after=after, done=75) >= 2
    house.start()
    house.pass_slots()
    assert house.provision("re-provision", METER).code == 0
    assert [fact.retired for fact in house.facts() if isinstance(fact, KeyRotated)] == [old]
    assert [fact.fingerprint for fact in house.facts() if isinstance(fact, LabelVoid)] == [old]
