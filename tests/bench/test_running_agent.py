"""A running agent is small, quick to start, and has loaded nothing that it does not run."""

import pytest
from tests.bench import agent


@pytest.mark.ci
def test_an_agent_that_delivered_ten_slots_over_https_is_small_and_has_loaded_nothing_for_people() -> None:
    lived = agent.ten_slots_over_https()
    print(f"resident {lived.rss_mb} MB, at most {lived.peak_mb} MB, {len(lived.modules)} modules")  # noqa: T201
    packages = {name.partition(".")[0] for name in lived.modules}
    assert packages & agent.NEVER_LOADED == set()
    assert {"meteredge", "sqlite3", "ssl", "solders"} <= packages, "it did its work"
    assert lived.rss_mb <= agent.LIMITS["agent.rss_mb"]


@pytest.mark.ci
def test_an_agent_reads_its_meter_within_two_seconds_of_its_start() -> None:
    assert agent.start_seconds() <= agent.LIMITS["agent.start_seconds"]
