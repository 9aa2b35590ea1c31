"""The first boot's own steps, on a machine in a folder: what the outcome says, and what may go onto the card."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.meteredge.install.machine import CONFIG, Machine
from tests.meteredge.node import MemoryMeter

from meterchain.claim import ClaimError, read_claim
from meteredge.board import board_serial
from meteredge.claim import own_addresses
from meteredge.clock import VirtualClock
from meterprov.first_boot.node import FirstBootFailed, Said, become_node, publish
from meterprov.first_boot.outcome import read_outcome

OWNER = str(Pubkey.from_bytes(b"the owner of the first-boot test"))


@dataclass
class Boot:
    """A payload, a machine, and the agent's commands, run here instead of as another user."""

    machine: Machine
    payload: Path
    meter_answers: bool = True
    codes: dict[str, int] = field(default_factory=dict)

    def run(self) -> dict[str, object]:
        return become_node(self.payload, self.machine.host, lambda _: None, self.as_agent)

    @property
    def state(self) -> Path:
        return self.machine.host.at("/var/lib/meterbridge")

    @property
    def config(self) -> Path:
        """The installed configuration with the paths of the folder."""
        path = self.machine.root / "as-seen.toml"
        own = f'[key]\nfile = "{self.state}/meter.key"\n[state]\ndirectory = "{self.state}"\n'
        path.write_text(CONFIG.replace("[chain]", f'{own}[chain]\nrelayer = "{self.state}/relayer.json"'))
        return path

    def as_agent(self, words: Sequence[str]) -> Said:
        from meteredge.claim import make_wanted

        code = self.codes.get(words[1], 0)
        if code:
            return Said(code, "", f"{words[1]} said no")
        if words[1] == "key":
            return Said(0, json.dumps(own_addresses(self.config, new=True)), "")
        if not self.meter_answers:
            return Said(3, "", "the meter does not answer")
        make_wanted(self.config, VirtualClock(0), read=lambda *_: MemoryMeter().read())
        return Said(0, "", "")


@pytest.fixture
def boot(tmp_path: Path) -> Boot:
    machine = Machine.empty(tmp_path / "root")
    payload = tmp_path / "card"
    payload.mkdir()
    (payload / "agent.toml").write_text(CONFIG)
    (payload / "owner").write_text(f"{OWNER}\n")
    (machine.root / "etc").mkdir()
    return Boot(machine, payload)


def test_a_meter_that_answers_gets_its_claim_at_once(boot: Boot) -> None:
    said = boot.run()
    assert said == {k: v for k, v in read_outcome(boot.payload).items() if k != "schema"}
    claim = read_claim(boot.payload / "claim.json")
    assert (claim.owner, claim.public_key, claim.serial) == (OWNER, said["meter_key"], "1234")
    assert not (boot.state / "claim.wanted").exists()
    assert boot.run() == said, "a second run changes nothing"


def test_a_meter_that_does_not_answer_yet_is_no_failure(boot: Boot) -> None:
    boot.meter_answers = False
    said = boot.run()
    assert said["ok"] is True
    assert dict(said["claim"])["state"] == "waiting"  # type: ignore[call-overload]
    assert (boot.state / "claim.wanted").exists()
    boot.as_agent(["agent", "claim"])
    boot.meter_answers = True
    boot.as_agent(["agent", "claim"])
    assert publish(boot.payload, boot.machine.host)
    assert dict(read_outcome(boot.payload)["claim"])["state"] == "written"
    assert not (boot.state / "claim.wanted").exists()


def test_without_an_owner_no_claim_is_made_and_the_agent_is_free_to_start(boot: Boot) -> None:
    (boot.payload / "owner").unlink()
    assert dict(boot.run()["claim"])["state"] == "not ordered"  # type: ignore[call-overload]
    assert not (boot.state / "claim.wanted").exists()


@pytest.mark.parametrize(("word", "step"), [("key", "key"), ("claim", "claim")])
def test_a_step_that_is_refused_is_named_in_the_outcome(boot: Boot, word: str, step: str) -> None:
    boot.codes[word] = 4
    with pytest.raises(FirstBootFailed, match=f"{step}: {word} said no"):
        boot.run()
    assert (read_outcome(boot.payload)["ok"], read_outcome(boot.payload)["step"]) == (False, step)


def test_an_owner_that_is_no_address_is_a_failure_before_anything_is_ordered(boot: Boot) -> None:
    (boot.payload / "owner").write_text("alice\n")
    with pytest.raises(FirstBootFailed, match="'alice' is no address"):
        boot.run()
    assert not (boot.state / "claim.wanted").exists()


def test_the_programs_of_the_site_go_where_the_configuration_names_them(boot: Boot) -> None:
    (boot.payload / "programs/idl").mkdir(parents=True)
    (boot.payload / "programs/idl/oracle.json").write_text("{}")
    boot.run()
    assert boot.machine.text("/etc/meterbridge/programs/idl/oracle.json") == "{}"


def test_root_carries_nothing_but_a_claim_of_this_meter_to_the_card(boot: Boot) -> None:
    boot.meter_answers = False
    boot.run()
    made = boot.state / "claim.json"
    assert not publish(boot.payload, boot.machine.host), "there is none yet"
    made.symlink_to("/etc/shadow")
    with pytest.raises(ClaimError, match="link"):
        publish(boot.payload, boot.machine.host)
    made.unlink()
    made.write_text(json.dumps(list(bytes(Keypair()))))
    with pytest.raises(ClaimError, match="no claim"):
        publish(boot.payload, boot.machine.host)
    boot.meter_answers = True
    boot.as_agent(["agent", "claim"])
    made.write_text(made.read_text().replace("METER_001", "METER_002"))
    with pytest.raises(ClaimError, match="proves nothing"):
        publish(boot.payload, boot.machine.host)
    assert not (boot.payload / "claim.json").exists()
    boot.as_agent(["agent", "claim"])
    assert publish(boot.payload, boot.machine.host)


def test_a_board_tells_its_serial_number_and_other_machines_have_none(tmp_path: Path) -> None:
    (tmp_path / "serial-number").write_bytes(b"10000000abcdef01\0")
    assert board_serial(tmp_path / "serial-number") == "10000000abcdef01"
    assert board_serial(tmp_path / "none") is None
