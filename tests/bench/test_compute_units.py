"""What an instruction costs is part of its contract: within its limit, and within 5 % of the committed baseline."""

import json

from tests.bench import compute, readme

HELD = 1.05


def test_every_instruction_stays_within_its_limit_and_near_its_baseline() -> None:
    measured = compute.measure()
    baseline = json.loads(readme.BASELINE.read_text())
    assert measured.keys() == baseline.keys()
    for key, units in measured.items():
        assert units <= readme.LIMITS[f"cu.{key}"], key
        assert units <= baseline[key] * HELD, (
            f"{key}: {units} against {baseline[key]}; make bench ONLY=cu WRITE=1 if it is worth it"
        )
