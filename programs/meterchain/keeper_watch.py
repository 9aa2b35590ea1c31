"""What watches a keeper while it runs: log lines, alarms as they come and go, metrics, systemd's watchdog."""

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from solders.pubkey import Pubkey

from meterchain.chain import Chain, ChainUnreachable
from meterchain.keeper import Turn
from meterchain.keeper_alarms import Alarm, Heard, Limits, alarms, heard_from
from meterchain.programs import Programs
from meterchain.systemd import Systemd
from meterchain.units import Lamports, UnixTime

if TYPE_CHECKING:
    from meterchain.keeper_metrics import Metrics

HEARD_EVERY_S = 60
"""The meters are asked about once in so many seconds of chain time."""


@dataclass
class Watchman:
    """Called after every turn.  `standing` alarms are remembered: each is logged when it comes and when it goes."""

    chain: Chain
    programs: Programs
    payer: Pubkey
    log: logging.Logger
    manager: Systemd
    limits: Limits = field(default_factory=Limits)
    metrics: "Metrics | None" = None
    standing: dict[tuple[str, str], Alarm] = field(default_factory=dict)
    _heard: list[Heard] = field(default_factory=list)
    _heard_at: UnixTime | None = None

    def __call__(self, seen: Turn | ChainUnreachable) -> None:
        """Log, measure, tell the service manager.  Never raises for a chain that does not answer."""
        if isinstance(seen, ChainUnreachable):
            self._away(seen)
        else:
            try:
                self._turned(seen)
            except ChainUnreachable as error:
                self._away(error)
        self.manager.ready()
        self.manager.alive()

    def _away(self, error: ChainUnreachable) -> None:
        self.log.warning("the chain does not answer: %s", error)
        if self.metrics:
            self.metrics.note_unreachable()

    def _turned(self, turn: Turn) -> None:
        for done in turn.done:
            what = f"{done.action.name} of epoch {done.action.epoch}"
            self.log.info("%s: %s compute units, %s lamports", what, f"{done.compute_units:,}", f"{done.fee:,}")
        for refused in turn.refused:
            self.log.warning("%s of epoch %s: %s", refused.action.name, refused.action.epoch, refused.error)
        if self.metrics:
            self.metrics.note_turn(turn)
        if self._heard_at is None or turn.now - self._heard_at >= HEARD_EVERY_S or turn.now < self._heard_at:
            self._heard, self._heard_at = heard_from(self.chain, self.programs), turn.now
        (info,) = self.chain.accounts([self.payer])
        balance = info.lamports if info else Lamports(0)
        self._tell(
            {(each.kind, each.about): each for each in alarms(turn.state, turn.now, self._heard, balance, self.limits)}
        )
        if self.metrics:
            self.metrics.note_alarms(list(self.standing.values()), self._heard, balance)

    def _tell(self, now: dict[tuple[str, str], Alarm]) -> None:
        for key, alarm in now.items():
            if key not in self.standing:
                self.log.error("ALARM %s: %s", alarm.kind, alarm.text)
        for key, alarm in self.standing.items():
            if key not in now:
                self.log.info("over: %s %s", alarm.kind, alarm.about)
        self.standing = now
