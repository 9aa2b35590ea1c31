"""Everything that one configuration names, opened: the bus, and on it each meter with its key, journal and agent."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey
from solders.keypair import Keypair

from meterchain import programs
from meterchain.chain import Chain
from meterchain.programs import Programs
from meteredge.agent import Agent
from meteredge.bus import Bus
from meteredge.clock import Clock
from meteredge.config import AgentConfig, ConfigError
from meteredge.courier import Courier
from meteredge.frame_ring import FrameRing
from meteredge.journal import Identity, Journal, State
from meteredge.key_rotation import settle_cut
from meteredge.keys import load_credential, load_key, load_relayer
from meteredge.ledger import Ledger
from meteredge.meter_port import MeterAtPort, bus_of
from meteredge.nodetime import boot_id
from meteredge.signer import Signer
from meteredge.timesource import HostTime


def load_meter_key(config: AgentConfig) -> SigningKey:
    """The key of the only meter of `config`.  Raises KeyFileError."""
    if config.key.credential is not None:
        return load_credential(config.key.credential, os.environ)
    return load_key(Path(config.key.file or ""))


def _courier(config: AgentConfig, clock: Clock) -> Courier | None:
    """Who publishes the records of the only meter of `config`; None where the node pays itself.

    Raises BrokerError, and ConfigError where the MQTT client is not installed.
    """
    if config.relay is None:
        return None
    try:  # nodes that pay themselves do without the MQTT client
        from meterchain.relay.broker import broker_at, publish
    except ModuleNotFoundError as missing:
        raise ConfigError(f"[relay] needs {missing.name}: pip install 'meterbridge[relay]'") from None
    wanted = config.relay
    broker = broker_at(
        wanted.broker,
        username=wanted.username,
        password_file=Path(wanted.password_file) if wanted.password_file else None,
        ca_file=Path(wanted.ca_file) if wanted.ca_file else None,
    )
    return Courier(partial(publish, broker, config.domain, config.meter.id), clock)


class Post:
    """One meter of a station."""

    def __init__(
        self, config: AgentConfig, bus: Bus, chain: Chain, known: Programs, relayer: Keypair | None, clock: Clock
    ) -> None:
        """`config` has this meter alone.

        Raises KeyFileError, JournalError, ProfileError, ConfigError, RequestRefused, BrokerError.
        """
        self.config = config
        self.name = config.meter.id
        self.meter = MeterAtPort(config, clock, bus)
        courier = _courier(config, clock)
        next_key = settle_cut(config)
        self.signer = Signer(load_meter_key(config))
        identity = Identity(self.name, config.domain, bytes(self.signer.public_key))
        self.journal = Journal.open(config.journal_path, identity)
        self.agent = Agent(
            reader=self.meter,
            clock=clock,
            time_source=HostTime(clock),
            boot_id=boot_id(os.environ),
            next_key=next_key,
            journal=self.journal,
            signer=self.signer,
            ledger=Ledger(chain, known, relayer, self.name, self.signer.public_key),
            settle_every=config.chain.settle_every,
            witness=self.meter if config.bridge else None,
            courier=courier,
        )

    def describe(self, counts: Mapping[State, int]) -> dict[str, Any]:
        """What there is to know of this meter."""
        status = asdict(self.agent.status())
        reading = status.pop("reading")
        return {
            "profile": self.meter.profile.name,
            "unit": self.config.meter.unit,
            **status,
            "export_mwh": reading and reading["export_mwh"],
            "import_mwh": reading and reading["import_mwh"],
            "power_w": reading and reading["power_w"],
            "serial": reading and reading["serial"],
            "records": {str(state): number for state, number in counts.items()},
        }


class Station:
    """One bus and its meters."""

    def __init__(self, config: AgentConfig, chain: Chain, clock: Clock) -> None:
        """Raises KeyFileError, JournalError, ProfileError, ConfigError, RequestRefused, BrokerError."""
        self.config = config
        self.clock = clock
        self._version = version("meterbridge")
        self.frames = FrameRing(clock)
        self.bus = bus_of(config, clock, self.frames.hear)
        with ExitStack() as undo:
            undo.callback(self.bus.close)
            self.bus.open_early()
            relayer = None if config.relay else load_relayer(Path(config.chain.relayer))
            known = programs.load(config.chain.programs_folder)
            posts = []
            for one in config.each():
                posts.append(Post(one, self.bus, chain, known, relayer, clock))
                undo.callback(posts[-1].journal.close)
            undo.pop_all()
        self.posts = tuple(posts)

    def describe_bus(self) -> dict[str, Any]:
        """What there is to know of the bus and its port."""
        port = self.bus.port
        return {
            "port": self.config.bus.port,
            "device": port.port if port.is_open else None,
            "baud": port.baudrate,
            "framing": f"{port.bytesize}{port.parity}{port.stopbits:g}",
            "lent_s": round(self.bus.lent_s(), 1),
            "counts": self.bus.counts(),
            "second_master": self.bus.second_master(),
        }

    def describe_alone(self, post: Post, counts: Mapping[State, int]) -> dict[str, Any]:
        """The status file of one meter."""
        return {
            "schema": 1,
            "pid": os.getpid(),
            **post.describe(counts),
            "bus": self.describe_bus(),
            "written_at": self.clock.utc(),
        }

    def describe(self, meters: list[dict[str, Any]]) -> dict[str, Any]:
        """The status document of the process, around the documents of its meters."""
        return {
            "schema": 2,
            "running": True,
            "pid": os.getpid(),
            "version": self._version,
            "written_at": self.clock.utc(),
            "timezone": self.config.site.timezone,
            "bus": self.describe_bus(),
            "meters": meters,
        }

    def close(self) -> None:
        """Give port and journals back."""
        self.bus.close()
        for post in self.posts:
            post.journal.close()
