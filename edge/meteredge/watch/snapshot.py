"""One look at a node as plain data: what `watch` shows and `watch --json` prints, a document a line.

Times are Unix seconds, energies mWh, powers W.  What is not known is None, and `problems` say why.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from meterchain.units import SLOT_S
from meteredge.close_window import seconds_left_of_window

SCHEMA = 1
BRIDGE_WELL = "answers, nothing happened"


@dataclass(frozen=True, slots=True)
class Live:
    """What the meter shows now."""

    export_mwh: int
    import_mwh: int
    power_w: float | None
    values: Mapping[str, float] = field(default_factory=dict)
    """Every number that came with it, by register."""


@dataclass(frozen=True, slots=True)
class OnChain:
    """What the chain shows of the meter."""

    host: str
    looked_at: float
    seq: int | None
    last_ts: int | None
    status: str | None
    fee_days: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look."""

    meter_id: str
    at: float
    running: bool
    timezone: str = "UTC"
    pid: int | None = None
    live: Live | None = None
    last_slot: int | None = None
    bus: Mapping[str, int] = field(default_factory=dict)
    """Counts since the agent started."""
    port: str | None = None
    settings: str | None = None
    records: Mapping[str, int] = field(default_factory=dict)
    delivered_at: float | None = None
    chain_ahead_s: float | None = None
    chain: OnChain | None = None
    bridge: str | None = None
    """What the bridge saw within a slot's length, BRIDGE_WELL if nothing; None where there is none, or while its bus is
    the agent's alone."""
    problems: tuple[str, ...] = ()

    @property
    def seconds_to_end(self) -> float:
        """Until the slot that runs now ends."""
        return SLOT_S - self.at % SLOT_S

    @property
    def closing(self) -> bool:
        """Whether slots are being closed now."""
        return seconds_left_of_window(self.at) > 0

    @property
    def waiting(self) -> int:
        """Records that are neither final nor refused."""
        return sum(number for state, number in self.records.items() if state not in ("final", "refused"))

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "schema": SCHEMA,
            **asdict(self),
            "seconds_to_end": round(self.seconds_to_end, 1),
            "closing": self.closing,
            "waiting": self.waiting,
        }


def answered_share(before: Mapping[str, int], now: Mapping[str, int]) -> float | None:
    """The share of the questions between two looks that were answered; None if there was none."""
    asked = now.get("requests", 0) - before.get("requests", 0)
    good = sum(now.get(name, 0) - before.get(name, 0) for name in ("replies", "device_exception"))
    return None if asked <= 0 else max(0.0, min(1.0, good / asked))
