"""What a running agent costs: keys `agent.*` of build/bench.json.

`rss_mb` is the resident memory of one `meterbridge agent run` after ten slots that it closed, delivered over HTTPS and
saw final: a meter on a simulated bus, a Surfnet behind a TLS endpoint of this process, and a clock that is led from
slot to slot (the agent's and the chain's alike).  `start_seconds` is the time from starting the process to its first
reading, the best of a few: a busy machine only adds.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey
from solders.keypair import Keypair
from tests.bench.tls import tls_in_front_of
from tests.free_ports import free_port
from tests.meteredge.cabinet import KEY, NOBODY_LISTENS, Cabinet
from tests.meteredge.node import BASELINE_EXPORT, BASELINE_IMPORT, MAX_W

from meterchain import localnet, programs
from meterchain import site as steps
from meterchain.accounts import MeterKind, Role, UserType
from meterchain.ed25519 import Signed
from meterchain.instructions import MeterAssignment
from meterchain.rpc import RpcChain
from meterchain.site import SiteSettings
from meterchain.units import SLOT_S, InstallId, Lamports, slot_of
from meteredge.signer import Signer
from metersim.bus import running
from metersim.bus.line import Line
from metersim.bus.loop import SegmentPlan
from metersim.meters.installation import Installation
from metersim.meters.meter import MeterPlan

LIMITS: Mapping[str, float] = {"agent.rss_mb": 60.0, "agent.start_seconds": 2.0}
WORDS = {
    "agent.rss_mb": "one agent, resident after ten slots delivered over HTTPS, MB",
    "agent.start_seconds": "`meterbridge agent run`: start to first reading, seconds",
}
SLOTS, STARTS = 10, 5
WAIT_S = 60.0
METER = "METER_001"
_NOTHING_DUE_S = 300
"""So long after a slot's end its close is over."""
_STANDING_STILL = 1_782_043_200.0
"""The meter's own day does not pass: its registers stay at the baseline."""
NEVER_LOADED = frozenset(
    {"typer", "rich", "click", "textual", "starlette", "uvicorn", "websockets", "pytest", "metersim"}
)
"""What is for people, for pages, or for the bench."""
_AGENT = """
import json, sys, threading, time
from pathlib import Path
from meteredge.clock import SystemClock
lead = Path(sys.argv[2])
SystemClock.utc = lambda self: time.time() + float(lead.read_text())
SystemClock.monotonic = lambda self: time.monotonic() + float(lead.read_text())
def tell():
    sys.stdin.readline()
    print(json.dumps(sorted(sys.modules)), flush=True)
threading.Thread(target=tell, daemon=True).start()
from meterbridge.__main__ import main
sys.exit(main(["agent", "run", "--config", sys.argv[1]]))
"""
"""`meterbridge agent run` on a clock that a file leads; tells what it has loaded when it is asked."""


@dataclass(frozen=True, slots=True)
class Lived:
    """An agent that has delivered its slots."""

    rss_mb: float
    peak_mb: float
    modules: frozenset[str]
    """Names of all that it had loaded."""


def measure() -> dict[str, float]:
    """The numbers by key."""
    lived = ten_slots_over_https()
    return {"rss_mb": lived.rss_mb, "peak_mb": lived.peak_mb, "start_seconds": start_seconds()}


def start_seconds(tries: int = STARTS) -> float:
    """From the process's start to the first reading in its status file; the best of up to `tries`."""
    best = float("inf")
    with tempfile.TemporaryDirectory() as folder, _meter_bus() as port:
        cabinet = _cabinet(Path(folder), port)
        for _ in range(tries):
            _status_file(cabinet).unlink(missing_ok=True)  # what the killed one before said
            began = time.monotonic()
            with _process(["-m", "meterbridge", "agent", "run", "--config", str(cabinet.config)], {}):
                _await(lambda: _status(cabinet).get("export_mwh") is not None, "no reading")
                best = min(best, time.monotonic() - began)
            if best <= LIMITS["agent.start_seconds"]:
                break
    return round(best, 2)


def ten_slots_over_https() -> Lived:
    """Run the agent through SLOTS slots.  Raises RuntimeError if they are not delivered."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rpc_port = free_port(neighbours=1)
        net = stack.enter_context(localnet.run(port=rpc_port, slot_ms=20))
        tls = stack.enter_context(tls_in_front_of(("127.0.0.1", rpc_port), folder))
        cabinet = _cabinet(folder, stack.enter_context(_meter_bus()))
        now = slot_of(int(time.time())) + 2 * SLOT_S
        _go_to(net.url, folder, now)
        cabinet.domain = _on_chain(net.url, cabinet).hex()
        _go_to(net.url, folder, now + _NOTHING_DUE_S)
        cabinet.rpc = f"https://localhost:{tls.port}"
        environment = {"SSL_CERT_FILE": str(tls.trusted)}
        words = ["-c", _AGENT, str(cabinet.config), str(folder / "lead")]
        agent = stack.enter_context(_process(words, environment))
        _await(lambda: _status(cabinet).get("read_at") is not None, "the meter was not read", agent)
        for number in range(1, SLOTS + 1):
            _go_to(net.url, folder, now + number * SLOT_S + 5)
            _await(lambda n=number: _delivered(cabinet) >= n, f"slot {number} was not delivered", agent)
        _await(lambda: _records(cabinet).get("final", 0) >= SLOTS, "the last record is not final", agent)
        rss_mb, peak_mb = _memory_mb(agent.pid)
        if not tls.handshakes:
            raise RuntimeError("nothing came over TLS")
        return Lived(rss_mb, peak_mb, frozenset(_told_modules(agent)))


@contextmanager
def _meter_bus() -> Iterator[str]:
    """A bus with the meter in a process of its own; its port."""
    line = Line(9_600, "8N1")
    plan = MeterPlan(
        "sdm120",
        Installation(seed=1),
        line,
        since_utc=_STANDING_STILL,
        import_mwh=BASELINE_IMPORT,
        export_mwh=BASELINE_EXPORT,
        turnaround_s=0.01,
    )
    with running.in_process([SegmentPlan(line, (plan,))]) as buses:
        buses.set_time(_STANDING_STILL)
        yield buses.ports[0]


def _cabinet(folder: Path, port: str) -> Cabinet:
    """Configuration, meter key and wallet."""
    for name, content in (("meter.key", KEY), ("relayer.json", json.dumps(list(bytes(Keypair()))).encode())):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    return Cabinet(folder, port, NOBODY_LISTENS)


def _on_chain(url: str, cabinet: Cabinet) -> bytes:
    """Deploy, initialise, assign the meter, fund the relayer; returns the site's domain."""
    line = programs.load()
    built = replace(line, idls={name: idl for name, idl in line.idls.items() if name != "trading"})
    authority, owner = Keypair(), Keypair()
    relayer = Keypair.from_json((cabinet.folder / "relayer.json").read_text())
    signer = Signer(SigningKey(KEY))
    chain = RpcChain(url, poll_s=0.02, idls=built.by_id)
    try:
        for who in (authority, owner, relayer):
            chain.airdrop(who.pubkey(), Lamports(100 * 10**9))
        steps.deploy_programs(chain, built, payer=authority, authority=authority)
        site = steps.initialise(chain, built, SiteSettings("bench"), authority)
        steps.register_user(chain, site, authority, owner.pubkey(), UserType.PROSUMER, Role.STUDENT)
        assignment = MeterAssignment(
            METER, owner.pubkey(), MeterKind.BIDIRECTIONAL, MAX_W, MAX_W, 1_000, BASELINE_EXPORT, BASELINE_IMPORT,
            serial="10000001", model="SDM120", building="",
        )  # fmt: skip
        proof = signer.prove_possession(site.domain, METER, owner.pubkey(), InstallId(1))
        steps.assign_meter(chain, site, authority, assignment, Signed(bytes(signer.public_key), proof))
        return site.domain
    finally:
        chain.close()


def _go_to(url: str, folder: Path, utc: int) -> None:
    """Chain and agent are at `utc` (Unix seconds) from now on."""
    words = {"jsonrpc": "2.0", "id": 1, "method": "surfnet_timeTravel", "params": [{"absoluteTimestamp": utc * 1_000}]}
    request = urllib.request.Request(url, json.dumps(words).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        if "error" in (said := json.load(answer)):
            raise RuntimeError(f"the local chain does not travel in time: {said['error']}")
    draft = folder / "lead.tmp"
    draft.write_text(str(utc - time.time()))
    draft.replace(folder / "lead")


@contextmanager
def _process(words: list[str], environment: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _await(condition: Callable[[], bool], failed: str, process: "subprocess.Popen[str] | None" = None) -> None:
    """Poll until it holds.  Raises RuntimeError with what the process said on stderr."""
    pause, until = threading.Event(), time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > until or (process is not None and process.poll() is not None):
            said = ""
            if process is not None:
                process.kill()
                said = process.communicate()[1]
            raise RuntimeError(f"{failed}: {said[-2_000:]}")
        pause.wait(0.02)


def _status_file(cabinet: Cabinet) -> Path:
    return cabinet.folder / "run" / f"{METER}.json"


def _status(cabinet: Cabinet) -> dict[str, Any]:
    """What the agent says of itself; empty before it does."""
    try:
        found: dict[str, Any] = json.loads(_status_file(cabinet).read_text())
    except FileNotFoundError:
        return {}
    return found


def _records(cabinet: Cabinet) -> dict[str, int]:
    return dict(_status(cabinet).get("records", {}))


def _delivered(cabinet: Cabinet) -> int:
    return sum(_records(cabinet).get(state, 0) for state in ("sent", "final"))


def _memory_mb(pid: int) -> tuple[float, float]:
    """Resident now and at most, MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {
        name: int(value.split()[0]) / 1_024
        for name, _, value in (line.partition(":") for line in lines if "kB" in line)
    }
    return round(found["VmRSS"], 1), round(found["VmHWM"], 1)


def _told_modules(agent: "subprocess.Popen[str]") -> list[str]:
    if agent.stdin is None or agent.stdout is None:
        raise RuntimeError("the agent has no pipes")
    agent.stdin.write("\n")
    agent.stdin.flush()
    names: list[str] = json.loads(agent.stdout.readline())
    return names
