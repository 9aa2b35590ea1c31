"""What is in the archive: each entry with its text, and in one line why a helper wants it."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from meterchain.record import Record
from meteredge.bundle.scrub import scrubber_of
from meteredge.bus_errors import BusError
from meteredge.config import AgentConfig
from meteredge.doctor.examine import Bench, examine
from meteredge.doctor.gather.host import versions
from meteredge.frame_log import FrameLog
from meteredge.frame_ring import KEPT_S, FrameRing
from meteredge.journal import Journal
from meteredge.journal_schema import JournalError
from meteredge.meter_port import USUAL_BAUD, USUAL_FRAMING
from meteredge.privacy import shown
from meteredge.profiles import load
from meteredge.socket_client import AgentError, AgentSocket
from meteredge.socket_protocol import Frames, Status

UNIT = "meterbridge-agent"
LOG_LINES = 2_000
JOURNAL_ROWS = 200
ABOUT = """A support archive of meterbridge, made by `meterbridge bundle`.

No key, no wallet, no address of the RPC beyond its host, no password is in it: the configuration is shown by the marks
of its fields, all texts were searched for what looks like a secret, and energies stand nowhere but in the frames.

frames.jsonl can be played: meterbridge sim replay frames.jsonl
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the archive."""

    name: str
    about: str
    text: str


def entries(config: AgentConfig, bench: Bench, read_log: Callable[[], str]) -> tuple[Entry, ...]:
    """Everything, redacted.  Raises ProfileError, UnmarkedField."""
    scrub = scrubber_of(config)
    ring = FrameRing(bench.clock)
    sheets = {one.meter.id: examine(one, replace(bench, frames=ring)).document() for one in config.each()}
    status, frames = _of_agent(config, ring)
    journals = {one.meter.id: _journal(one) for one in config.each()}
    documents = (
        ("configuration.json", "the configuration, what is not public left out", shown(config)),
        ("doctor.json", "the doctor's sheet", sheets),
        ("status.json", "what the agent says of itself", status),
        ("versions.json", "what runs here", versions(bench.root)),
        ("journal.json", f"the journal: counts, and the last {JOURNAL_ROWS} records without energies", journals),
    )
    return (
        Entry("README.txt", "what this is", ABOUT),
        *(Entry(name, about, _json(scrub.document(document))) for name, about, document in documents),
        Entry("log.txt", f"the agent's last {LOG_LINES} lines", scrub(read_log())),
        frames,
    )


def read_systemd_log() -> str:
    """The agent's lines from the journal of systemd, or why there are none."""
    command = shutil.which("journalctl")
    if command is None:
        return "there is no journalctl on this machine\n"
    words = [command, "--unit", UNIT, "--lines", str(LOG_LINES), "--output", "short-iso", "--no-pager", "--quiet"]
    try:
        answer = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False, errors="replace")
    except (OSError, subprocess.SubprocessError) as error:
        return f"journalctl did not answer: {error}\n"
    return answer.stdout or f"no lines of {UNIT} {answer.stderr}\n"


def _of_agent(config: AgentConfig, ring: FrameRing) -> tuple[dict[str, Any], Entry]:
    """The status document and the frames: the agent's, or those that passed while the doctor looked."""
    with AgentSocket(config.socket_path) as agent:
        try:
            status, frames = dict(agent.ask(Status())), agent.ask(Frames(KEPT_S))
            about = f"raw frames of the last {KEPT_S / 60:.0f} minutes"
        except (AgentError, BusError) as error:
            status = {"running": False, "why": str(error)}
            profile = load(config.each()[0].meter.profile)
            baud = config.bus.baud or profile.default.baud or USUAL_BAUD
            framing = config.bus.framing or profile.default.format or USUAL_FRAMING
            frames = ring.log(KEPT_S, baud, framing)
            about = "raw frames of the doctor's own questions: no agent runs"
    return status, Entry("frames.jsonl", about, _lines(frames))


def _lines(frames: FrameLog) -> str:
    return "".join(f"{line}\n" for line in (frames.head(), *(frame.line() for frame in frames.frames)))


def _journal(config: AgentConfig) -> dict[str, Any]:
    if not config.journal_path.exists():
        return {"there": False}
    try:
        journal = Journal.open_read_only(config.journal_path)
    except JournalError as error:
        return {"there": True, "error": str(error)}
    try:
        return {
            "there": True,
            "bytes": config.journal_path.stat().st_size,
            "records": {str(state): number for state, number in journal.counts().items()},
            "codes": journal.codes(),
            "install_id": (install := journal.install()) and install.install_id,
            "last": list(_rows(journal)),
        }
    except JournalError as error:
        return {"there": True, "error": str(error)}
    finally:
        journal.close()


def _rows(journal: Journal) -> Iterator[dict[str, Any]]:
    for row in journal.last_rows(JOURNAL_ROWS):
        record = Record.decode(row.record)
        yield {
            "install_id": row.install_id, "seq": row.seq, "slot": row.slot, "ts": record.ts,
            "reason": str(row.reason), "time_status": str(record.time_status), "flags": int(record.status_flags),
            "state": str(row.state), "code": row.code,
        }  # fmt: skip


def _json(document: object) -> str:
    return json.dumps(document, indent=1, default=str) + "\n"
