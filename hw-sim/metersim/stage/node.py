"""A node on stage: the real agent of one meter, on a real port, with a key, a journal and wallets of its own.

`read_baseline` needs no chain, `register` puts owner and meter on it, `start_agent` begins to keep records.
"""

from dataclasses import dataclass
from pathlib import Path

from solders.keypair import Keypair

from meterchain import instructions
from meterchain import site as chain_site
from meterchain.accounts import MeterKind, UserType
from meterchain.chain import Chain
from meterchain.ed25519 import Signed
from meterchain.instructions import MeterAssignment
from meterchain.site import Site
from meterchain.units import Atoms, InstallId, Lamports, Mwh
from meteredge.agent import Agent
from meteredge.bus import Bus
from meteredge.clock import Clock
from meteredge.journal import Identity, Journal
from meteredge.keys import create_key
from meteredge.ledger import Ledger
from meteredge.port import RtuPort
from meteredge.profiles import load
from meteredge.reader import Reader, Reading
from meteredge.signer import Signer
from meteredge.timesource import TimeSource
from metersim.meters.meter import MeterPlan
from metersim.stage.cast import Part, wallet

ALLOWANCE = Atoms(1_000_000_000_000)
"""What owners let measured import burn: 1,000 GRID."""
POCKET = Lamports(1_000_000_000)
"""What relayers and owners start with: 1 SOL."""
SETTLE_EVERY = 4
"""Mint and burn once in so many records, as in the field: hourly."""
_FIRST_INSTALL = InstallId(1)


@dataclass(frozen=True, slots=True)
class Node:
    """What is there before the chain knows of it: a meter that answers, a key, wallets."""

    part: Part
    folder: Path
    bus: Bus
    reader: Reader
    signer: Signer
    owner: Keypair
    relayer: Keypair

    @property
    def meter_id(self) -> str:
        """The meter's name."""
        return self.part.meter_id


def open_node(part: Part, port: str, folder: Path, seed: int, clock: Clock) -> Node:
    """Open the port and make the key.  `clock` is the bus's: real time on a pty.  Raises BusError, KeyFileError."""
    folder.mkdir(parents=True)
    line = part.plan.line
    bus = Bus(RtuPort(port, line.baud, line.character, clock), clock)
    return Node(
        part,
        folder,
        bus,
        Reader(bus, part.plan.unit, load(part.plan.profile), clock),
        Signer(create_key(folder / "meter.key")),
        wallet(seed, f"owner {part.meter_id}"),
        wallet(seed, f"relayer {part.meter_id}"),
    )


def read_baseline(node: Node) -> tuple[str, Reading]:
    """The serial number (from the wire, or `label:` and the plan's) and the registers now.  Raises BusError."""
    serial = node.reader.identify()
    return serial or f"label:{node.part.plan.serial}", node.reader.read()


def register(chain: Chain, site: Site, authority: Keypair, node: Node, serial: str, baseline: Reading) -> None:
    """Register the owner, assign the meter with the node's proof of possession, open and approve the GRID account."""
    part, owner = node.part, node.owner
    for payer in (owner, node.relayer):
        chain.airdrop(payer.pubkey(), POCKET)
    user_type = UserType.PROSUMER if part.makes_energy else UserType.CONSUMER
    chain_site.register_user(chain, site, authority, owner.pubkey(), user_type, part.role)
    assignment = MeterAssignment(
        meter_id=part.meter_id,
        owner=owner.pubkey(),
        kind=MeterKind.BIDIRECTIONAL,
        max_export_w=part.rated_w,
        max_import_w=part.rated_w,
        resolution_mwh=baseline.quantum_mwh,
        baseline_export_mwh=baseline.export_mwh,
        baseline_import_mwh=baseline.import_mwh,
        serial=serial,
        model=part.plan.profile[:16],
        building="",
        register_modulus_mwh=_modulus(part.plan),
    )
    proof = node.signer.prove_possession(site.domain, part.meter_id, owner.pubkey(), _FIRST_INSTALL)
    claim = Signed(bytes(node.signer.public_key), proof)
    chain_site.assign_meter(chain, site, authority, assignment, claim)
    chain_site.open_token_account(chain, site, owner, owner.pubkey())
    chain.send([instructions.approve_consumption(site.programs, owner.pubkey(), ALLOWANCE)], [owner])


def _modulus(plan: MeterPlan) -> Mwh:
    return Mwh(load(plan.profile).register_modulus_mwh if plan.modulus_mwh is None else plan.modulus_mwh)


def ledger_of(chain: Chain, site: Site, node: Node) -> Ledger:
    """The chain as this node sees it."""
    return Ledger(chain, site.programs, node.relayer, node.meter_id, node.signer.public_key)


def start_agent(
    chain: Chain, site: Site, node: Node, clock: Clock, time_source: TimeSource, settle_every: int = SETTLE_EVERY
) -> Agent:
    """The node's agent, its journal open.  `clock` dates slots.  Raises JournalError."""
    identity = Identity(node.meter_id, site.domain, bytes(node.signer.public_key))
    return Agent(
        reader=node.reader,
        clock=clock,
        time_source=time_source,
        journal=Journal.open(node.folder / f"{node.meter_id}.journal", identity),
        signer=node.signer,
        ledger=ledger_of(chain, site, node),
        settle_every=settle_every,
    )
