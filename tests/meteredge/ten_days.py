"""A node that is left alone for days while everything goes wrong that can go wrong and pass: the play and its witness.

Three tracks of faults run beside each other, on the wire, to the node and to the chain; on each, one fault follows the
other with a pause between them.  What never passes by itself (another meter, a copied card) is left to the scenarios.
"""

import random
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from meterchain.units import SLOT_S, UnixTime
from meteredge.journal import Row
from meteredge.reader import Reader, Reading
from meteredge.slots import CLOSE_WITHIN_S
from metersim.stage.scenarios.events import events_of
from metersim.stage.scenarios.files import Config, Expect, FaultEntry, Scenario
from metersim.stage.scenarios.foundation import Foundation
from metersim.stage.scenarios.world import AFTER_END_S, World

Kinds = tuple[tuple[str, Mapping[str, Any]], ...]
WIRE: Kinds = (
    ("late_reply", {"delay_s": 0.62, "probability": 0.15}), ("late_reply", {"delay_s": 0.42}), ("silence", {}),
    ("echo", {}), ("lead_zero", {"probability": 0.3}), ("bit_flip", {"per_character": 0.002, "requests": True}),
    ("lost_bytes", {"per_character": 0.002, "requests": True}), ("extra_bytes", {"per_character": 0.003}),
    ("truncation", {"probability": 0.25}), ("brown_out", {"dark_s": 40}), ("wrong_line", {"baud": 19200}),
    ("swapped_pair", {}), ("unplugged", {}), ("babbling", {"every_s": 0.7}), ("second_master", {"every_s": 3.0}),
    ("same_address", {"other": {"serial": "20000002", "turnaround_s": 0.021}}), ("exception_storm", {"code": 6}),
    ("reboot_on_fast_polling", {"gap_s": 0.06, "dark_s": 60}),
)  # fmt: skip
DARK_BOOT = "dark_boot"
"""Power comes back, and for a while there is neither clock nor network."""
DARK_S = 240.0
NODE: Kinds = (
    ("power_cut", {}), ("clock_lost", {}), ("clock_set", {"by_s": 3_600}), ("clock_set", {"by_s": -5_400}),
    ("time_informative", {}), ("power_cut", {}), ("card_lost", {}), (DARK_BOOT, {}),
)  # fmt: skip
CHAIN: Kinds = (
    ("rpc_dead", {}), ("answers_lost", {}), ("blockhash_expires", {}), ("chain_clock", {"by_s": -120}), ("paused", {}),
    ("oracle_inactive", {}), ("owner_suspended", {}), ("meter_in_maintenance", {}), ("frozen", {}),
)  # fmt: skip
PAUSE_S = (600, 7_200)
LASTS_S = (300, 5_400)
TOGETHER_S = 5.0
"""Two readings so near to each other are the pair of one try."""
QUIET_END_S = 3 * SLOT_S
"""Nothing goes wrong at the end, so that all that waits can go out."""


def schedule(config: Config, seed: int) -> tuple[FaultEntry, ...]:
    """The faults of all tracks, each kind about as often as the others of its track."""
    return tuple(
        entry
        for number, kinds in enumerate((WIRE, NODE, CHAIN))
        for entry in _track(kinds, config.slots * SLOT_S - QUIET_END_S, random.Random(seed * 10 + number))
    )


def _track(kinds: Kinds, until_s: float, chance: random.Random) -> Iterator[FaultEntry]:
    left: list[tuple[str, Mapping[str, Any]]] = []
    at_s = float(SLOT_S)
    while True:
        left = left or chance.sample(kinds, len(kinds))
        kind, options = left.pop()
        begin_s = at_s + chance.uniform(*PAUSE_S)
        at_s = begin_s + chance.uniform(*LASTS_S)
        if at_s > until_s:
            return
        if kind == DARK_BOOT:
            yield FaultEntry("power_cut", {}, begin_s, begin_s + DARK_S)
            yield FaultEntry("clock_lost", {}, begin_s + DARK_S / 2, at_s)
            yield FaultEntry("rpc_dead", {}, begin_s + DARK_S / 2, at_s)
        else:
            yield FaultEntry(kind, dict(options), begin_s, at_s)


@dataclass
class Noted:
    """A reader that notes when the meter was read well by a node that may sign; true time, Unix seconds.

    A new card knows where its records begin once it has seen the chain: before that nothing can be signed.
    """

    reader: Reader
    world: World
    read_at: list[float]

    def read(self) -> Reading:
        reading = self.reader.read()
        if self.world.agent is not None and self.world.agent.journal.install() is not None:
            self.read_at.append(self.world.now())
        return reading


class NotedWorld(World):
    """A World that remembers what is needed to say which slots the meter answered for, and nothing of what is past."""

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401
        self.read_at: list[float] = []
        self.cards = 0
        self.closed_on_card: list[tuple[int, int]] = []
        """Card and slot of each record: a new card cannot know what the lost one had signed and not delivered."""
        super().__init__(*arguments)

    def power_on(self) -> None:
        super().power_on()
        if self.agent is not None and self.agent.journal.install() is None:
            self.cards += 1

    def _closed(self, row: Row) -> None:
        super()._closed(row)
        self.closed_on_card.append((self.cards, row.slot))

    def _reader(self) -> Any:  # noqa: ANN401
        return Noted(super()._reader(), self, self.read_at)

    def missed_though_answered(self) -> list[int]:
        """Slots (from 1) without a record in whose window the meter was read twice running."""
        signed = {self.slot_number(one.row.slot) for one in self.signed}
        return [
            number for number in range(1, self.config.slots + 1) if number not in signed and self._was_answered(number)
        ]

    def _was_answered(self, number: int) -> bool:
        begin_s = self.config.begin_s + number * SLOT_S
        end_s = begin_s + CLOSE_WITHIN_S
        first = bisect_left(self.read_at, begin_s)
        well = [at_s for at_s in self.read_at[first : first + 40] if at_s <= end_s]
        return any(later - earlier < TOGETHER_S for earlier, later in pairwise(well))


@dataclass
class Days:
    """What became of some days."""

    world: NotedWorld
    scenario: Scenario
    resident_kib: list[int] = field(default_factory=list)
    """After each day."""


@contextmanager
def lived(slots: int, seed: int, folder: Path, foundation: Foundation) -> Iterator[Days]:
    """Live through so many slots with everything that the schedule holds."""
    config = Config(title="left alone", slots=slots, poll_s=300, seed=seed)
    scenario = Scenario("left-alone", config, schedule(config, seed), Expect())
    with ExitStack() as stack:
        chain = foundation.raised(UnixTime(config.begin_s))
        stack.callback(chain.close)
        world = NotedWorld(config, (), chain, foundation, folder)
        stack.callback(world.power_off)
        world.power_on()
        days = Days(world, scenario)
        chain._svm.with_transaction_history(0)  # the chain's memory is not the node's
        next_day_s = config.begin_s + 96 * SLOT_S
        for event in events_of(scenario):
            while event.at_s >= next_day_s:
                world.play_until(next_day_s)
                world.witness.seen.clear()
                world.told.clear()
                days.resident_kib.append(resident_kib())
                next_day_s += 96 * SLOT_S
            world.play_until(event.at_s)
            event.happens(world)
        world.play_until(config.end_s + AFTER_END_S)
        days.resident_kib.append(resident_kib())
        world.settle()
        yield days


def resident_kib() -> int:
    """Of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
