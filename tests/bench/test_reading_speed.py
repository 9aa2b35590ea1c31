"""Reading with every guard is as fast as the wire, and cheap: measured side by side with what others use."""

import pytest
from tests.bench import reader


@pytest.mark.ci
def test_guarded_reads_reach_the_wires_limit_at_half_the_cost_of_plain_minimalmodbus() -> None:
    numbers = reader.quietest()
    print(numbers)  # noqa: T201
    assert numbers["wire_ratio"] >= reader.FLOORS["reader.wire_ratio"]
    assert numbers["cpu_vs_minimalmodbus"] <= reader.LIMITS["reader.cpu_vs_minimalmodbus"]
    assert numbers["wire_ratio"] > numbers["wire_ratio_pymodbus"]
