"""A journal that lives through power cuts, and what a cut must never do to it.

`live` opens the real Journal and works with it like an agent until the power fails; `harm_of` opens what is left and
compares it with what had been acknowledged.  Whoever calls them provides the disk.
"""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing as closed
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.meteredge.node import closing, install_at

from meterchain.units import InstallId, Mwh, Seq
from meteredge.journal import Identity, Journal, Row, State, Undated
from meteredge.journal_schema import JournalError
from meteredge.signer import Signer

NAME = "METER_001.journal"
BOOT = "this boot"
CUTS_A_MEDIUM = 10
Acknowledged = dict[tuple[InstallId, Seq], tuple[bytes, bytes]]


@dataclass
class Life:
    """One meter's journal over many cuts: what its agent was told is safe."""

    identity: Identity
    signer: Signer
    pragmas: tuple[str, ...] = ()
    """Set after opening: to try a journal that is kept less safely."""
    acknowledged: Acknowledged = field(default_factory=dict)
    settled: dict[tuple[InstallId, Seq], State] = field(default_factory=dict)
    """Rows whose last state was told to be stored."""

    def live(self, folder: Path, chance: random.Random) -> None:
        """Work until the disk fails, which it must."""
        while True:
            try:
                journal = self._open(folder)
            except JournalError:
                return
            try:
                self._work(journal, chance)
            except JournalError:
                return
            finally:
                with suppress(JournalError, sqlite3.Error):
                    journal.close()

    def harm_of(self, folder: Path) -> list[str]:
        """A sentence for each promise that what is in `folder` breaks."""
        try:
            with closed(Journal.open(folder / NAME, self.identity)) as journal:
                rows = self._all_rows(journal)
                sound = journal._connection.execute("PRAGMA integrity_check").fetchone()[0]
        except (JournalError, sqlite3.Error) as error:
            return [f"the journal cannot be used: {error}"]
        kept = {(row.install_id, row.seq): row for row in rows}
        slots = [(row.install_id, row.slot, row.reason) for row in rows]
        harm = [] if sound == "ok" else [f"integrity_check: {sound}"]
        if len(set(slots)) < len(slots):
            harm.append("two records of one slot")
        for key, stored in self.acknowledged.items():
            row = kept.get(key)
            if row is None:
                harm.append(f"record {key} was acknowledged and is lost")
            elif (row.record, row.signature) != stored:
                harm.append(f"record {key} was signed twice")
            elif key in self.settled and row.state != self.settled[key]:
                harm.append(f"record {key} was {self.settled[key]} and is {row.state}")
        unknown = len(kept.keys() - self.acknowledged.keys())
        if unknown > 1:
            harm.append(f"{unknown} records that nobody was told of")
        return harm

    def _open(self, folder: Path) -> Journal:
        journal = Journal.open(folder / NAME, self.identity)
        try:
            for pragma in self.pragmas:
                journal._connection.execute(f"PRAGMA {pragma}")
            if journal.install() is None:
                journal.begin_install(install_at())
        except (JournalError, sqlite3.Error) as error:
            with suppress(JournalError, sqlite3.Error):
                journal.close()
            raise JournalError(str(error)) from error
        for row in self._all_rows(journal):  # the one whose commit was in doubt is known now
            self.acknowledged[row.install_id, row.seq] = (row.record, row.signature)
        return journal

    def _work(self, journal: Journal, chance: random.Random) -> None:
        """Some slots of an agent's life, then the agent is stopped in peace."""
        journal._connection.execute(f"PRAGMA wal_autocheckpoint = {chance.choice((20, 100, 1_000))}")
        for _ in range(chance.randint(5, 60)):
            act = chance.choices(
                (self._close_slot, self._keep, self._send, self._finish, self._refuse), (6, 2, 2, 2, 1)
            )[0]
            act(journal, chance)

    def _close_slot(self, journal: Journal, chance: random.Random) -> None:
        last = journal.last_signed()
        assert last is not None
        n = last.seq + 1
        extra = chance.randrange(9_000)
        energy = closing(n).export_mwh
        dated = (journal.undated(BOOT) or [None])[0]
        row = journal.append(closing(n, export_mwh=energy + extra), self.signer.sign_record, dated)
        key = row.install_id, row.seq
        assert self.acknowledged.get(key, (row.record, row.signature)) == (row.record, row.signature)
        self.acknowledged[key] = row.record, row.signature

    def _keep(self, journal: Journal, chance: random.Random) -> None:
        journal.keep_undated(Undated(BOOT, chance.randrange(10**9), Mwh(1), Mwh(2), 1_000), 5)

    def _send(self, journal: Journal, _chance: random.Random) -> None:
        for row in journal.last_rows(1):
            journal.note_sent(row.install_id, row.seq)

    def _finish(self, journal: Journal, _chance: random.Random) -> None:
        for row in journal.last_rows(3)[:1]:
            journal.mark_final(row.install_id, row.seq)
            self.settled |= {(row.install_id, row.seq): State.FINAL}

    def _refuse(self, journal: Journal, _chance: random.Random) -> None:
        for row in journal.last_rows(1):
            if row.state is State.CLOSED:
                self._settle(journal, row, State.REFUSED)

    def _settle(self, journal: Journal, row: Row, state: State) -> None:
        self.settled.pop((row.install_id, row.seq), None)
        journal.mark(row, state, "ReadingTooOld")
        self.settled[row.install_id, row.seq] = state

    @staticmethod
    def _all_rows(journal: Journal) -> list[Row]:
        return journal.last_rows(1_000_000)


Cut = Callable[[Life, Path, int], None]
"""Let a journal live in a folder until the power fails, then leave there what the medium kept; the int seeds it."""


def harm_over(cuts: int, new_life: Callable[[], Life], folder: Path, cut: Cut, seed: int = 0) -> Iterator[str]:
    """Live through `cuts` power cuts, on a new medium from time to time, and tell the harm as it is found."""
    for number in range(cuts):
        if number % CUTS_A_MEDIUM == 0:
            life, home = new_life(), folder / str(number)
            home.mkdir()
        cut(life, home, seed + number)
        harm = life.harm_of(home)
        yield from (f"cut {number}: {sentence}" for sentence in harm)
        if harm:
            life, home = new_life(), folder / f"{number}-after-harm"
            home.mkdir()
