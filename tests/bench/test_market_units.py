"""What the market costs is part of its contract."""

from tests.bench import market


def test_the_market_stays_within_its_limits() -> None:
    measured = {f"cu.{key}": units for key, units in market.measure_cu().items()}
    measured |= {f"market.{key}": count for key, count in market.measure_counts().items()}
    assert market.LIMITS.keys() <= measured.keys()
    for key, limit in market.LIMITS.items():
        assert measured[key] <= limit, key
