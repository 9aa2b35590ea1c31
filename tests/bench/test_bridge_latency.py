"""What the bridge adds to a read is part of its contract."""

import pytest
from tests.bench import bridge


@pytest.mark.ci
def test_the_bridge_adds_at_most_two_milliseconds() -> None:
    assert bridge.quietest()["added_ms"] <= bridge.LIMITS["bridge.added_ms"]
