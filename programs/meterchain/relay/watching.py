"""What watches a relay while it runs: log lines, metrics, systemd's watchdog.

meterbridge_relay_records_total{outcome}   delivered; refused by the chain; strange: signed by no registered key
meterbridge_relay_waiting_records          held for delivery
meterbridge_relay_broker_up                1 while the subscription stands
meterbridge_relay_fees_lamports_total, meterbridge_relay_payer_lamports, meterbridge_relay_dropped_messages
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solders.pubkey import Pubkey

from meterchain.chain import Chain, ChainError
from meterchain.relay.delivery import Turn
from meterchain.relay.running import Intake
from meterchain.systemd import Systemd
from meterchain.units import Lamports

if TYPE_CHECKING:
    from meterchain.relay.metrics import Metrics

FEE_DAYS = 30
SLOTS_A_DAY = 96
FEE_A_RECORD = Lamports(6_250)
"""The precompile takes 5,000 lamports a signature; the transaction's own 5,000 are shared by four."""


@dataclass
class Watchman:
    """Called after every turn; what stays true is logged once."""

    chain: Chain
    payer: Pubkey
    log: logging.Logger
    intake: Intake
    manager: Systemd
    metrics: "Metrics | None" = None
    _told: str | None = None
    _meters: frozenset[str] = frozenset()

    def __call__(self, turn: Turn) -> None:
        """Log, measure, tell the service manager.  Never raises for a chain that does not answer."""
        if turn.delivered:
            records = sum(map(len, turn.delivered.values()))
            what = f"{records} records of {len(turn.delivered)} meters in {len(turn.receipts)} transactions"
            self.log.info("%s, %s lamports", what, f"{turn.fees_lamports:,}")
        for refusal in turn.refused:
            self.log.warning("%s is left alone for now: %s", refusal.meter_id, refusal.reason)
        self._meters |= set(turn.delivered)
        problem = turn.problem or self.intake.problem or self._poverty()
        if problem and problem != self._told:
            self.log.warning("%s", problem)
        self._told = problem
        if self.metrics:
            self.metrics.note(turn, self.intake)
        self.manager.ready()
        self.manager.alive()

    def _poverty(self) -> str | None:
        needed = FEE_DAYS * SLOTS_A_DAY * FEE_A_RECORD * len(self._meters)
        try:
            (info,) = self.chain.accounts([self.payer])
        except ChainError:
            return None
        balance = info.lamports if info else Lamports(0)
        if self.metrics:
            self.metrics.payer.set(balance)
        if balance >= needed:
            return None
        return f"the payer holds {balance:,} lamports, less than {FEE_DAYS} days of fees ({needed:,}): fund it"
