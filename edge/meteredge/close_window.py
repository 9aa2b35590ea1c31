"""When slots are closed: from 5 s before to 110 s after each slot's end the bus belongs to the meters.

Pure functions over UTC.  Nothing here looks at a clock.
"""

from meterchain.units import SLOT_S
from meteredge.slots import CLOSE_WITHIN_S

AWAKE_BEFORE_S = 5.0
"""So long before a slot's end everybody is awake."""
WINDOW_S = float(CLOSE_WITHIN_S)
"""The part of the window that lies behind the slot's end."""


def seconds_to_window(utc: float) -> float:
    """From `utc` to the beginning of the next close window; 0 inside one."""
    into = utc % SLOT_S
    return 0.0 if into <= CLOSE_WITHIN_S else max(0.0, SLOT_S - AWAKE_BEFORE_S - into)


def seconds_left_of_window(utc: float) -> float:
    """From `utc` to the end of the close window that it lies in; 0 outside."""
    into = utc % SLOT_S
    if into <= CLOSE_WITHIN_S:
        return CLOSE_WITHIN_S - into
    to_end = SLOT_S - into
    return to_end + CLOSE_WITHIN_S if to_end <= AWAKE_BEFORE_S else 0.0
