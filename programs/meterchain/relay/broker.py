"""How windows travel: an MQTT 5 broker, by aiomqtt.

QoS 1, never retained, no session kept: a message that is lost costs a minute, because nodes publish again until the
chain shows their records.  A broker is no more trusted than a relay.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from meterchain.relay.unreachable import BrokerUnreachable
from meterchain.relay.window import topic, topics

PORTS = {"mqtt": 1883, "mqtts": 8883}
TIMEOUT_S = 10.0
AGAIN_S = 1.0
AGAIN_MOST_S = 60.0
EXPIRES_S = 3_600
"""A broker that holds a message back so long need not deliver it any more: it was published again."""
_QOS = 1


class BrokerError(Exception):
    """The broker's address or its password file cannot be used; the message says what is expected."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and how we are known there."""

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = None
    ca_file: Path | None = None

    @property
    def name(self) -> str:
        """For messages: no password in it."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def broker_at(
    url: str, *, username: str | None = None, password_file: Path | None = None, ca_file: Path | None = None
) -> Broker:
    """The broker at `mqtt://HOST[:PORT]` or `mqtts://…`.  Raises BrokerError, which quotes no password.

    Without TLS only a broker on this machine gets a password: a wire is no place for one.
    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/"):
        raise BrokerError("a broker's address looks like mqtts://HOST or mqtts://HOST:8883")
    if parts.username or parts.password:
        raise BrokerError("no name and no password in a broker's address: give the name, and a file with the password")
    try:
        port = parts.port or PORTS[parts.scheme]
    except ValueError:
        raise BrokerError(f"{parts.hostname}: the port is a number from 1 to 65535") from None
    tls = parts.scheme == "mqtts"
    if password_file and not tls and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise BrokerError(f"{parts.hostname}: a password goes over mqtts:// only")
    if password_file and not username:
        raise BrokerError("a password without a name: give the broker's user name too")
    return Broker(parts.hostname, port, tls, username, _secret(password_file), ca_file)


def publish(broker: Broker, domain: bytes, meter_id: str, payload: bytes) -> None:
    """Hand one window to the broker; returns once the broker has it.  Raises BrokerUnreachable."""
    asyncio.run(_publish(broker, domain, meter_id, payload))


async def _publish(broker: Broker, domain: bytes, meter_id: str, payload: bytes) -> None:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = EXPIRES_S
    try:
        async with _client(broker, f"node-{domain.hex()}-{meter_id}") as client:
            await client.publish(topic(domain, meter_id), payload, qos=_QOS, properties=properties)
    except (aiomqtt.MqttError, OSError) as error:
        raise BrokerUnreachable(f"{broker.name}: {error}") from error


async def listen(
    broker: Broker,
    domain: bytes,
    group: str,
    name: str,
    on_message: Callable[[str, bytes], None],
    on_state: Callable[[str | None], None],
) -> None:
    """Call `on_message(topic, payload)` for this relay's share of all windows; ends when it is cancelled.

    `on_state(None)` says that the subscription stands, `on_state(text)` what is wrong; the broker is tried again.
    """
    pause_s = AGAIN_S
    while True:
        try:
            async with _client(broker, name) as client:
                await client.subscribe(topics(domain, group), qos=_QOS)
                on_state(None)
                pause_s = AGAIN_S
                async for message in client.messages:
                    if isinstance(message.payload, bytes | bytearray):
                        on_message(str(message.topic), bytes(message.payload))
        except (aiomqtt.MqttError, OSError) as error:
            on_state(f"{broker.name}: {error}")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, AGAIN_MOST_S)


def _client(broker: Broker, name: str) -> aiomqtt.Client:
    tls = ssl.create_default_context(cafile=broker.ca_file and str(broker.ca_file)) if broker.tls else None
    return aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.username,
        password=broker.password,
        identifier=name,
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=TIMEOUT_S,
        tls_context=tls,
    )


def _secret(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        if file.stat().st_mode & 0o077:
            raise BrokerError(f"{file}: others may read the password; run: chmod 600 {file}")
        return file.read_text("utf-8").strip()
    except OSError as error:
        raise BrokerError(f"{file}: the password cannot be read ({error.strerror})") from error
