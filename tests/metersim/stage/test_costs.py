"""metersim.stage.costs: compute units from logs."""

from solders.pubkey import Pubkey

from meterchain.chain import Receipt
from meterchain.units import Lamports
from metersim.stage.costs import compute_units

ORACLE, OTHER, BUDGET = (Pubkey(bytes([n]) * 32) for n in (1, 2, 3))


def test_top_level_units_are_counted_with_what_they_called_and_others_are_not() -> None:
    logs = (
        f"Program {BUDGET} invoke [1]",
        f"Program {BUDGET} success",
        f"Program {ORACLE} invoke [1]",
        f"Program {OTHER} invoke [2]",
        f"Program {BUDGET} invoke [3]",
        f"Program {BUDGET} success",
        f"Program {OTHER} consumed 400 of 9000 compute units",
        f"Program {OTHER} success",
        "Program log: something else",
        f"Program {ORACLE} consumed 1500 of 10000 compute units",
        f"Program {ORACLE} success",
        f"Program {OTHER} invoke [1]",
        f"Program {ORACLE} invoke [2]",
        f"Program {ORACLE} consumed 70 of 8000 compute units",
        f"Program {ORACLE} success",
        f"Program {OTHER} consumed 100 of 8000 compute units",
        f"Program {OTHER} success",
    )
    assert compute_units(Receipt("", logs, 2_000, Lamports(5_000)), ORACLE) == 1_500
