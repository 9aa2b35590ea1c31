"""Which meter answers: every shipped profile is recognised as itself, or as one of those that nothing tells apart."""

import pytest
from tests.meteredge.scan.bench import bench

from meteredge.profiles import load, names
from meteredge.scan.identify import Sureness
from meteredge.scan.plan import Wanted

AT_9600 = Wanted(bauds=(9_600,), framings=("8N1",), units=(5,))


@pytest.mark.parametrize("name", names())
def test_every_known_meter_is_among_its_candidates(name: str) -> None:
    on_bus = bench((name, 5))
    (device,) = on_bus.identified(on_bus.search(AT_9600))
    assert name in [candidate.profile for candidate in device.candidates], device
    own = next(c for c in device.candidates if c.profile == name)
    if load(name).identity_level == "register":
        assert own.serial is not None
    named = any(r.expect for r in load(name).identity.values())
    assert (own.sureness is Sureness.CERTAIN) >= named


@pytest.mark.parametrize("name", ["eastron-sdm120", "carlo-gavazzi-em340", "abb-b23", "sunspec-103", "siemens-pac2200"])
def test_a_meter_that_names_its_model_is_certain_and_alone(name: str) -> None:
    on_bus = bench((name, 5))
    (device,) = on_bus.identified(on_bus.search(AT_9600))
    assert [(c.profile, c.sureness) for c in device.candidates] == [(name, Sureness.CERTAIN)]


def test_a_three_phase_meter_is_not_taken_for_its_single_phase_sister() -> None:
    on_bus = bench(("eastron-sdm630", 5))
    (device,) = on_bus.identified(on_bus.search(AT_9600))
    assert "eastron-sdm230" not in [c.profile for c in device.candidates]
