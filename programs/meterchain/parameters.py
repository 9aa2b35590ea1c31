"""The site's parameters by name: number, unit, default and the bounds that the Governance program keeps.

GovernanceConfig.system_parameters holds the values; programs/governance/interface/src/params.rs is the law.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.  `zero_is_off`: 0 is allowed below `least`."""

    id: int
    name: str
    default: int
    least: int
    most: int
    unit: str
    zero_is_off: bool = False

    def accepts(self, value: int) -> bool:
        """True if the program would take `value`."""
        return self.least <= value <= self.most or (self.zero_is_off and value == 0)

    @property
    def bounds(self) -> str:
        """For people: `900..31,536,000 or 0`."""
        return f"{self.least:,}..{self.most:,}" + (" or 0" if self.zero_is_off else "")


PARAMETERS = (
    Parameter(0, "EPOCH_SECS", 900, 900, 900, "s"),
    Parameter(1, "MAX_METERS_PER_USER", 10, 1, 16, "meters"),
    Parameter(2, "MAX_ORDERS_PER_USER", 100, 1, 1_000, "orders an epoch"),
    Parameter(3, "FEE_BPS", 25, 0, 500, "1/10,000 of a trade"),
    Parameter(4, "MAX_FUTURE_SKEW_SECS", 30, 0, 300, "s"),
    Parameter(5, "MAX_READING_AGE_SECS", 604_800, 900, 2_592_000, "s"),
    Parameter(6, "MIN_READING_INTERVAL_SECS", 60, 1, 600, "s"),
    Parameter(7, "PLAUSIBILITY_PCT", 120, 100, 200, "% of rated power"),
    Parameter(8, "PLAUSIBILITY_FLOOR_MWH", 1_000, 0, 10_000, "mWh"),
    Parameter(9, "CANCEL_FREEZE_SECS", 60, 0, 300, "s"),
    Parameter(10, "SETTLE_DELAY_SECS", 0, 0, 300, "s"),
    Parameter(11, "MIN_LOTS", 10, 1, 100_000, "lots"),
    Parameter(12, "MARGIN_RULE", 0, 0, 1, "0 pro-rata, 1 time"),
    Parameter(13, "PAUSE_MAX_SECS", 604_800, 900, 31_536_000, "s, 0 = no end", zero_is_off=True),
    Parameter(14, "AUTH_TIMELOCK_SECS", 0, 0, 2_592_000, "s"),
    Parameter(15, "AUTH_EXPIRY_SECS", 172_800, 3_600, 2_592_000, "s"),
    Parameter(16, "MINT_CAP_MWH_PER_EPOCH", 1_000_000_000, 0, 1_000_000_000_000_000, "mWh"),
    Parameter(17, "MAX_SWEEP", 1_024, 1, 4_096, "rows a call"),
    Parameter(18, "MAX_CATCHUP_SECS", 604_800, 86_400, 2_592_000, "s"),
)
BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}
AT_ONCE = 8
"""Most parameters in one update_parameters."""
