"""`provision first-boot`: this machine becomes the node that the payload describes.

Steps, each harmless when done again: check the configuration, install, make the node's keys as the agent's own user,
order the claim and make it if the meter answers.  A meter that does not answer yet is no failure: the service
meterbridge-claim tries every 30 s, and the agent starts once the claim is written, for its registers are the baseline.
"""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.pubkey import Pubkey

from meterchain.claim import ClaimError, read_claim
from meterchain.durable import write_whole
from meteredge.board import board_serial
from meteredge.claim import MADE, WANTED, want_claim
from meteredge.config import AgentConfig, load
from meteredge.install import changes
from meteredge.install.check import mistakes
from meteredge.install.errors import InstallFailed, InstallRefused
from meteredge.install.host import Host
from meteredge.install.release import UPDATE_KEY
from meteredge.install.unit_files import SERVICES
from meterprov.first_boot.outcome import CLAIM, read_outcome, write_outcome
from meterprov.paths import PROGRAMS_ON_NODE

UNREACHED, BUSY = 3, 75
ANSWER_S = 90.0
"""How long the first try for a claim may take; the service goes on after it."""


class FirstBootFailed(Exception):
    """A step of the first boot failed; the outcome on the card says the same."""

    def __init__(self, step: str, message: str) -> None:
        super().__init__(f"{step}: {message}")
        self.step, self.message = step, message


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


AsAgent = Callable[[Sequence[str]], Said]
"""Runs `meterbridge WORDS…` as the agent's user."""


def become_node(
    payload: Path, host: Host, told: Callable[[str], None], as_agent: AsAgent | None = None
) -> dict[str, Any]:
    """Do all of it and write the outcome; returns it.  Raises FirstBootFailed once the outcome says so."""
    try:
        outcome = _steps(payload, host, told, as_agent or running_as_agent(host))
    except FirstBootFailed as failure:
        facts = {"ok": False, "step": failure.step, "message": failure.message, "board_serial": board_serial()}
        write_outcome(payload, facts)
        raise
    write_outcome(payload, outcome)
    return outcome


def publish(payload: Path, host: Host) -> bool:
    """Carry the claim that the agent's user made to the card, and let the agent start.  False if there is none.

    Runs as root on a file of another user: it takes no link, and nothing but a claim whose proof holds.
    Raises ClaimError, OSError.
    """
    config = load(host.at(changes.CONFIG))
    folder = host.at(config.state.directory)
    if not os.path.lexists(folder / MADE):
        return False
    if (folder / MADE).is_symlink():
        raise ClaimError(f"{folder / MADE}: a link stands in the claim's place; remove it")
    claim = read_claim(folder / MADE)
    if claim.meter_id != config.meter.id:
        raise ClaimError(f"{folder / MADE}: a claim for {claim.meter_id}, but this node is {config.meter.id}'s")
    write_whole(payload / CLAIM, f"{claim.model_dump_json(by_alias=True, indent=1)}\n".encode())
    outcome = read_outcome(payload)
    if outcome.get("ok"):
        write_outcome(payload, {**outcome, "claim": _written(claim.serial)})
    (folder / WANTED).unlink(missing_ok=True)
    return True


def running_as_agent(host: Host) -> AsAgent:
    """The installed command as the agent's user and groups, with nothing of our environment."""

    def run(words: Sequence[str]) -> Said:
        user, dialout = host.user(changes.USER), host.group("dialout")
        if user is None:
            raise FirstBootFailed("users", f"there is no user {changes.USER}")
        done = subprocess.run(
            [str(host.at(changes.CURRENT) / "bin" / "meterbridge"), *words],
            user=user[0], group=user[1], extra_groups=[] if dialout is None else [dialout],
            env={"PATH": "/usr/bin:/bin", "HOME": changes.STATE, "LC_ALL": "C.UTF-8"}, cwd="/", umask=0o077,
            capture_output=True, text=True, timeout=ANSWER_S, check=False,
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr.strip().removeprefix("meterbridge: "))

    return run


def _steps(payload: Path, host: Host, told: Callable[[str], None], as_agent: AsAgent) -> dict[str, Any]:
    config = _configured(payload)
    try:
        plan = changes.plan(host, config=(payload / "agent.toml").read_text("utf-8"))
        changes.carry_out(plan.steps, told)
        for idl in sorted((payload / "programs" / "idl").glob("*.json")):
            host.write(f"{PROGRAMS_ON_NODE}/idl/{idl.name}", idl.read_text("utf-8"), 0o644)
        if key := _line(payload / "update.pub"):
            host.write(UPDATE_KEY, f"{key}\n", 0o644)
    except (InstallFailed, InstallRefused) as error:
        raise FirstBootFailed("install", str(error)) from error
    said = as_agent(["agent", "key", "--new"])
    if said.code:
        raise FirstBootFailed("key", said.err)
    addresses = json.loads(said.out)
    own = {"meter_id": config.meter.id, "meter_key": addresses["meters"][0]["key"], "relayer": addresses.get("relayer")}
    claim = _claim(payload, host, config, as_agent)
    if host.is_running:
        host.systemctl("start", "--no-block", SERVICES["claim"], SERVICES["agent"])
    return {"ok": True, "step": "done", **own, "claim": claim, "board_serial": board_serial()}


def _configured(payload: Path) -> AgentConfig:
    wrong = mistakes(payload / "agent.toml")
    if wrong:
        raise FirstBootFailed("configuration", "\n".join(wrong))
    return load(payload / "agent.toml")


def _claim(payload: Path, host: Host, config: AgentConfig, as_agent: AsAgent) -> dict[str, Any]:
    owner = _line(payload / "owner")
    if owner is None:
        return {"state": "not ordered", "message": "no owner in the payload; `meterbridge agent claim --owner WALLET`"}
    try:
        wallet = Pubkey.from_string(owner)
    except ValueError:
        raise FirstBootFailed("claim", f"owner: {owner!r} is no address") from None
    try:
        return _ordered(payload, host, config, as_agent, wallet)
    except (ClaimError, OSError) as error:
        raise FirstBootFailed("claim", str(error)) from error


def _ordered(payload: Path, host: Host, config: AgentConfig, as_agent: AsAgent, owner: Pubkey) -> dict[str, Any]:
    folder, install = host.at(config.state.directory), _install(payload)
    if _claimed(folder / MADE, str(owner), config, install):
        publish(payload, host)
        return _written(read_claim(folder / MADE).serial)
    want_claim(folder, owner, _line(payload / "label"), install)
    host.give(Path(config.state.directory) / WANTED, changes.USER, changes.USER)
    try:
        said = as_agent(["agent", "claim", "--wanted"])
    except subprocess.TimeoutExpired:
        said = Said(UNREACHED, "", f"the meter did not answer within {ANSWER_S:.0f} s")
    if said.code == 0 and publish(payload, host):
        return _written(read_claim(folder / MADE).serial)
    if said.code in {UNREACHED, BUSY}:
        return {"state": "waiting", "message": f"{said.err}; tried again every 30 s until the meter answers"}
    raise FirstBootFailed("claim", said.err)


def _install(payload: Path) -> int:
    written = _line(payload / "claim-install") or "1"
    if not written.isdecimal() or not 0 < int(written) < 2**32:
        raise FirstBootFailed("claim", f"claim-install: {written!r} is no install")
    return int(written)


def _claimed(path: Path, owner: str, config: AgentConfig, install: int) -> bool:
    """True if the claim was made by an earlier run, for the same owner, meter and install."""
    if not path.is_file() or path.is_symlink():
        return False
    claim = read_claim(path)
    found = (claim.owner, claim.meter_id, claim.domain, claim.install_id)
    return found == (owner, config.meter.id, config.site.domain, install)


def _written(serial: str) -> dict[str, Any]:
    return {"state": "written", "file": CLAIM, "meter_serial": serial}


def _line(path: Path) -> str | None:
    try:
        return path.read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None
