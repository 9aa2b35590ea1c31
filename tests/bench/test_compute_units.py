"""What an instruction costs is part of its contract: within its limit, and within 5 % of the committed baseline."""

import json
from collections.abc import Callable, Mapping

import pytest
from tests.bench import compute, market, readme

HELD = 1.05


@pytest.mark.parametrize("measure", [compute.measure, market.measure_cu], ids=["line", "market"])
def test_every_instruction_stays_within_its_limit_and_near_its_baseline(
    measure: Callable[[], Mapping[str, float]],
) -> None:
    baseline = json.loads(readme.BASELINE.read_text())
    for key, units in measure().items():
        assert units <= readme.LIMITS[f"cu.{key}"], key
        assert units <= baseline[key] * HELD, f"{key}: {units}, was {baseline[key]}; make bench WRITE=1 if worth it"


def test_an_epoch_of_4096_orders_fits_its_transactions() -> None:
    assert market.measure_counts()["tx_for_4096_orders"] <= readme.LIMITS["market.tx_for_4096_orders"]
