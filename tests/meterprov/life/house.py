"""One node without wires: its own files and code, a meter in memory; and, in a `House`, a chain and its operator."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.meterchain.commands.conftest import Operator, Outcome
from tests.meteredge.node import BASELINE_EXPORT, BASELINE_IMPORT, MemoryMeter

from meterchain.accounts import Meter, MeterState, fetch
from meterchain.claim import Claim
from meterchain.embedded import START, EmbeddedChain
from meterchain.site import Site
from meterchain.units import InstallId, UnixTime
from meteredge import config as agent_config
from meteredge.agent import Agent
from meteredge.claim import find_record, make_claim
from meteredge.clock import VirtualClock
from meteredge.journal import Identity, Journal
from meteredge.key_rotation import settle_cut
from meteredge.keys import load_key
from meteredge.ledger import Ledger
from meteredge.signer import Signer
from meteredge.status import read_status
from meteredge.timesource import ToldTime
from meterprov.cli import app
from meterprov.manifest import AnyFact, read
from meterprov.paths import AGENT_TOML
from meterprov.payload import payload
from meterprov.site_example import example
from meterprov.site_file import load_site

METER = "METER_001"
SERIAL = "10000001"
DISPLAYS = ("--display-export", f"{BASELINE_EXPORT / 1e6:.3f}", "--display-import", f"{BASELINE_IMPORT / 1e6:.3f}")
SEEN = ("--direction-proved-by", "N. Technician", *DISPLAYS)
"""What a technician says who has looked at everything."""


@dataclass
class Papers:
    """What there is of one node before the chain is asked; its folder stands for its card and its state."""

    folder: Path
    domain: str
    owner: Pubkey
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    meter: MemoryMeter = field(default_factory=lambda: MemoryMeter(serial=SERIAL))

    def __post_init__(self) -> None:
        self.site_file.write_text(
            example()
            .replace('domain = "0011223344556677"', f'domain = "{self.domain}"')
            .replace("[defaults]", f'[defaults]\nowner = "{self.owner}"')
        )
        self.configure()

    @property
    def site_file(self) -> Path:
        return self.folder / "site.toml"

    @property
    def config(self) -> Path:
        return self.folder / "agent.toml"

    def configure(self) -> None:
        """The agent's file as the card of this node has it, its state moved into our folder."""
        described = load_site(self.site_file)
        text = payload(described, described.meter(METER), (), b"", None)[AGENT_TOML].decode()
        self.config.write_text(text.replace("/var/lib/meterbridge", str(self.folder)))

    def change_site(self, old: str, new: str) -> None:
        text = self.site_file.read_text()
        assert old in text
        self.site_file.write_text(text.replace(old, new))

    def is_a(self, profile: str) -> None:
        """METER_001 is another model, on the site as on the node."""
        first = f'[[meters]]\nid = "{METER}"\n'
        self.change_site(first, f'{first}profile = "{profile}"\n')
        self.configure()

    def other_meter(self, **changes: object) -> None:
        """Another device hangs on the wire."""
        self.meter = replace(self.meter, **changes)  # type: ignore[arg-type]

    def claim(self, install: int = 1, **options: object) -> Claim:
        return make_claim(
            self.config,
            self.owner,
            self.clock,
            install_id=InstallId(install),
            read=lambda _config, _clock: self.meter.read(),
            **({"new_key": True} | options),  # type: ignore[arg-type]
        )

    def claim_file(self, claim: Claim | None = None, **changes: object) -> Path:
        """The claim as it comes to the operator; `changes` were made to it on its way."""
        path = self.folder / "claim.json"
        made = json.loads((claim or self.claim()).model_dump_json(by_alias=True))
        path.write_text(json.dumps(made | changes))
        return path

    def facts(self) -> list[AnyFact]:
        return list(read(self.folder / "manifest.jsonl"))


@dataclass
class House(Papers):
    """The same, on a site on a chain; slot time and chain time move together."""

    chain: EmbeddedChain = field(kw_only=True)
    site: Site = field(kw_only=True)
    operator: Operator = field(kw_only=True)
    department: Path = field(kw_only=True)
    relayer: Keypair = field(kw_only=True)
    agent: Agent | None = None

    def keep_relayer(self, wallet: Keypair) -> None:
        """The node pays by this one."""
        self.relayer = wallet
        path = self.folder / "relayer.json"
        path.touch(mode=0o600)
        path.write_text(wallet.to_json())

    def start(self) -> Agent:
        """The node's agent begins, or begins again."""
        self.stop()
        config = agent_config.load(self.config)
        next_key = settle_cut(config)
        signer = Signer(load_key(Path(config.key.file or "")))
        journal = Journal.open(config.journal_path, Identity(METER, config.domain, bytes(signer.public_key)))
        ledger = Ledger(self.chain, self.site.programs, self.relayer, METER, signer.public_key)
        self.agent = Agent(
            reader=self.meter, clock=self.clock, time_source=ToldTime(), journal=journal, signer=signer, ledger=ledger,
            settle_every=1, next_key=next_key,
        )  # fmt: skip
        return self.agent

    def stop(self) -> None:
        if self.agent is not None:
            self.agent.journal.close()
            self.agent = None

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.chain.set_unix_time(UnixTime(int(self.clock.utc())))

    def pass_slots(self, count: int = 1) -> None:
        """Let the agent close and deliver."""
        assert self.agent is not None
        for _ in range(count):
            self.agent.deliver()
            self.advance(900 - self.clock.utc() % 900)
            self.meter.export_mwh += 250_000
            self.meter.import_mwh += 10_000
            assert self.agent.close_due_slot() is not None
            self.agent.deliver()

    def provision(self, *words: object) -> Outcome:
        by = ("--site", self.site_file, "--authority", self.department)
        return self.operator.run(app, *words, *by)

    def enrol(self, claim: Path, *words: object) -> Outcome:
        return self.provision("enrol", claim, "--no-wait", *words)

    def replace(self, *words: object) -> Outcome:
        return self.provision("replace", METER, *words, "--json")

    def status_file(self) -> Path:
        """What `agent status --json` prints."""
        path = self.folder / "status.json"
        path.write_text(json.dumps(read_status(self.config)))
        return path

    def record_file(self, name: str = "final.json") -> Path:
        """What `agent record` prints: the last record."""
        row = find_record(self.config, None, None)
        path = self.folder / name
        path.write_text(json.dumps({"record": row.record.hex(), "signature": row.signature.hex()}))
        return path

    def sign_final(self) -> Path:
        """`agent final && agent record`, at least a minute after the last record."""
        assert self.agent is not None
        self.advance(61)
        self.agent.sign_final()
        self.agent.deliver()
        return self.record_file()

    def new_card(self) -> None:
        """The card is gone, and with it key and journal."""
        self.stop()
        for name in (f"{METER}.journal", f"{METER}.journal.lock", "meter.key"):
            (self.folder / name).unlink()

    def on_chain(self) -> Meter:
        found = fetch(self.chain, self.site.programs, Meter, self.site.meter(METER))
        assert found is not None
        return found

    def state(self) -> MeterState:
        found = fetch(self.chain, self.site.programs, MeterState, self.site.meter_state(METER))
        assert found is not None
        return found

    def enrolled(self, slots: int = 2) -> None:
        """A node that has been at work for some slots."""
        told = self.enrol(self.claim_file(), *SEEN)
        assert told.code == 0, told.err
        self.start()
        self.pass_slots(slots)
