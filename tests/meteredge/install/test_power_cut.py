"""The power is cut at each step of an update: after the next boot `current` leads to one whole version, every time.

A cut lets nothing more happen.  What stands on the disk afterwards is either all that was done, or, of the names in
/opt/meterbridge, only what was synced: both are tried.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.meteredge.install.test_update import QUIET, Site, journals, running, site, units_told

from meteredge.clock import VirtualClock
from meteredge.install.changes import TRIAL
from meteredge.install.errors import InstallFailed
from meteredge.install.host import Host
from meteredge.install.slots import digest_of, made_from, slot_in_use
from meteredge.install.update import folder_of_wheels, recover, update
from meteredge.journal_schema import SCHEMA_VERSION

__all__ = ["running", "site"]

STEPS = ("fsync", "replace", "rename", "symlink", "unlink", "link", "mkdir", "rmdir")


class PowerCut(BaseException):
    """Nothing happens any more."""


class Power:
    """Counts what reaches the disk, and is gone before the n-th step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, slots: Path) -> None:
        self.steps, self.last, self._slots = 0, 10**9, slots
        self.synced = self.names()
        for name in STEPS:
            monkeypatch.setattr(os, name, self._counting(name, getattr(os, name)))

    @property
    def is_cut(self) -> bool:
        return self.steps > self.last

    def step(self) -> None:
        self.steps += 1
        if self.is_cut:
            raise PowerCut

    def names(self) -> dict[str, str | bytes]:
        """The links and files of /opt/meterbridge."""
        return {
            path.name: os.readlink(path) if path.is_symlink() else path.read_bytes()  # noqa: PTH115
            for path in self._slots.iterdir()
            if path.is_symlink() or path.is_file()
        }

    def forget_unsynced(self) -> None:
        """As a disk that kept no name that was not synced."""
        for name in self.names():
            (self._slots / name).unlink()
        for name, content in self.synced.items():
            if isinstance(content, str):
                (self._slots / name).symlink_to(content)
            else:
                (self._slots / name).write_bytes(content)

    def _counting(self, name: str, real: Callable[..., object]) -> Callable[..., object]:
        def counted(*words: object, **more: object) -> object:
            self.step()
            done = real(*words, **more)
            if name == "fsync" and os.path.samestat(os.fstat(int(str(words[0]))), self._slots.stat()):
                self.synced = self.names()
            return done

        return counted


@pytest.fixture
def power(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Power]:
    with monkeypatch.context() as patch:
        yield Power(patch, site.machine.host.at("/opt/meterbridge"))


def cut_update(site: Site, host: Host, power: Power, at: int) -> bool:
    """An update to 0.2 whose power is gone after `at` steps; True if that was before its end."""

    def ask(words: list[str]) -> str:
        power.step()
        return site.ask(words)

    power.steps, power.last = 0, at
    site.clock = VirtualClock(QUIET)
    try:
        source = folder_of_wheels(site.wheels / "0.2")
        update(host, source, site.clock, print, make=site.make, ask=ask)  # type: ignore[arg-type]
    except (PowerCut, InstallFailed):
        pass
    cut, power.last = power.is_cut, 10**9
    return cut


def boot(site: Site, host: Host) -> str:
    """What systemd does at boot; returns the slot that the agent runs from, which is whole."""
    if host.at(TRIAL).exists():  # ConditionPathExists of meterbridge-recover.service
        assert made_from(host, os.readlink(host.at("/opt/meterbridge/previous"))), "its ExecStart is there"  # noqa: PTH115
        recover(host, print, site.ask, at_boot=True)
    assert not host.at(TRIAL).exists()
    slot = slot_in_use(host)
    assert slot is not None
    assert made_from(host, slot) == digest_of(
        site.wheels / (host.at("/opt/meterbridge") / slot / "version").read_text()
    )
    return slot


@pytest.mark.parametrize("disk", ["kept all", "kept what was synced"])
@pytest.mark.parametrize("well", [True, False])
def test_wherever_the_power_is_cut_one_whole_version_runs_after_the_next_boot(
    site: Site, running: Host, power: Power, disk: str, well: bool
) -> None:
    site.release("0.2")
    seen, at = set(), 0
    while True:
        site.reads = well
        power.synced = power.names()
        cut = cut_update(site, running, power, at)
        if cut and disk != "kept all":
            power.forget_unsynced()
        seen.add(slot := boot(site, running))
        if not cut:
            break
        # a second cut, at any step of the way back, is another cut of the same kind
        at += 1
        if slot == "b":  # it was the last step, and the update is done: nothing that could be cut is left
            site.update("0.1")
        (running.at("/opt/meterbridge/b") / ".made-from").unlink(missing_ok=True)
    assert at > 15, "each step was tried"
    assert slot == ("b" if well else "a")
    assert seen == ({"a", "b"} if well else {"a"})


def test_a_cut_on_the_way_back_is_made_good_at_the_boot_after(site: Site, running: Host, power: Power) -> None:
    site.release("0.2")
    begun = next(at for at in range(200) if cut_update(site, running, power, at) and slot_in_use(running) == "b")
    for at in range(100):
        power.steps, power.last = 0, at
        with suppress(PowerCut):
            recover(running, print, lambda words: (power.step(), site.ask(words))[1], at_boot=True)
        cut, power.last = power.is_cut, 10**9
        assert boot(site, running) == "a"
        if not cut:
            break
        (running.at("/opt/meterbridge/b") / ".made-from").unlink(missing_ok=True)
        assert cut_update(site, running, power, begun)
        assert slot_in_use(running) == "b"
    assert at > 5


def test_the_next_update_goes_on_from_one_that_was_cut(site: Site, running: Host, power: Power) -> None:
    site.release("0.2")
    next(at for at in range(200) if cut_update(site, running, power, at) and slot_in_use(running) == "b")
    before = len(units_told(site))
    done = site.update("0.3", running)
    assert done is not None
    assert (done.slot, done.was, site.runs) == ("b", "a", "0.3")
    assert units_told(site)[before:][:2] == ["stop", "restart"], "the agent that ran from b runs from a again"
    assert recover(running, print, site.ask) is None


def test_a_journal_is_whole_wherever_its_way_back_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from meteredge.install.journals import can_go_back, go_back, schema_of

    folder = tmp_path / "slots"
    folder.mkdir()
    for at in range(20):
        place = tmp_path / str(at)
        place.mkdir()
        path = journals(place, records=1)
        with monkeypatch.context() as patch:
            power = Power(patch, folder)
            power.last = at
            with suppress(PowerCut):
                go_back(path, SCHEMA_VERSION)
        assert can_go_back(path, SCHEMA_VERSION)
        go_back(path, SCHEMA_VERSION)
        assert schema_of(path) == SCHEMA_VERSION
        if not power.is_cut:
            break
    assert at >= 2
