"""The records that a relay holds for delivery: genuine ones, each once, until the chain has them.

A record is kept only if the registry's key signed it, for the meter's present install, and only while the chain is
behind it.  So a relay never holds more than what registered meters have signed, whatever it is sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from meterchain.ed25519 import BadSignature, Signed
from meterchain.instructions import SignedRecord
from meterchain.relay.views import View
from meterchain.relay.window import MOST_ROWS, Window

MOST_ROWS_A_METER = 2 * MOST_ROWS


@dataclass
class Kept:
    """Records by meter and sequence number."""

    _rows: dict[str, dict[int, SignedRecord]] = field(default_factory=dict)

    def take_in(self, window: Window, view: View | None) -> int:
        """Keep what is genuine and new; returns how many rows are neither."""
        if view is None or window.install_id != view.meter.install_id:
            return len(window.rows)
        key, strange = bytes(view.meter.meter_key), 0
        rows = self._rows.setdefault(window.meter_id, {})
        for row in window.rows:
            signed = Signed(key, row.signature)
            if row.record.seq <= view.seq or len(rows) >= MOST_ROWS_A_METER:
                continue
            try:
                signed.check(row.encoded)
            except BadSignature:
                strange += 1
            else:
                rows.setdefault(row.record.seq, SignedRecord(row.encoded, signed))
        return strange

    def forget_delivered(self, views: Mapping[str, View]) -> None:
        """Let go of what these views show to be on the chain."""
        for meter_id, view in views.items():
            left = {seq: row for seq, row in self._rows.pop(meter_id, {}).items() if seq > view.seq}
            if left:
                self._rows[meter_id] = left

    def forget(self, meter_id: str) -> None:
        """Let go of a meter's records: its node publishes what is still due."""
        self._rows.pop(meter_id, None)

    def meters(self) -> set[str]:
        """Whose records are held."""
        return set(self._rows)

    def of(self, meter_id: str) -> list[tuple[int, SignedRecord]]:
        """A meter's records with their numbers, oldest first."""
        return sorted(self._rows.get(meter_id, {}).items())

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))
