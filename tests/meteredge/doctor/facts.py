"""The facts of a node on which all is well; a test changes what it is about."""

from dataclasses import replace

from meteredge.doctor.facts import (
    Account,
    Adapter,
    AgentFacts,
    ChainFacts,
    ClockFacts,
    Facts,
    HostFacts,
    JournalFacts,
    KeyFacts,
    MeterFacts,
    PortFacts,
    RegistryMeter,
    Unknown,
    WireFacts,
)

NOW = 1_782_043_200.0
KEY = "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin"
BY_ID = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A1B2C3D4-if00-port0"


def healthy() -> Facts:
    return Facts(
        meter_id="METER_001",
        domain="0011223344556677",
        now=NOW,
        agent=AgentFacts(running=True, pid=42, version="0.1.0", written_at=NOW - 2),
        port=PortFacts(
            BY_ID, "/dev/ttyUSB0", mode="root:dialout 0660", agent_has_it=True,
            adapter=Adapter(
                0x0403, 0x6001, "A1B2C3D4", "FT232R USB UART", "ftdi_sio", 1, "/dev/serial/by-path/x", (), True
            ),
        ),
        wire=WireFacts(asked=1_000, answered=1_000, settings="9600 8N1"),
        meter=MeterFacts(
            "eastron-sdm120", "SDM120", 1, None, 1, "register", None, serial="10000001", export_mwh=1_000_000,
            import_mwh=2_000_000, power_w=230.0,
        ),
        load_step=Unknown("no load was named"),
        clock=ClockFacts(NOW, "S", 1.0, rtc=True),
        key=KeyFacts("/var/lib/meterbridge/meter.key", "file", KEY),
        chain=ChainFacts(
            "api.devnet.solana.com", 0.12, "0011223344556677",
            RegistryMeter("active", KEY, "owner", "active", 1, "10000001", "eastron-sdm120", "file"),
            Account(1, 7, int(NOW) - 600, frozen=False, gaps=0), paused=False, oracle_active=True,
            relayer="relayer", relayer_lamports=1_000_000_000, lamports_a_day=1_200_000,
        ),
        journal=JournalFacts("METER_001.journal", {"final": 7}, {}, 7, int(NOW) - 600, KEY, 1),
        bridge=None,
        host=HostFacts("Raspberry Pi 4", "/var/lib/meterbridge", 8 << 30, disk_read_only=False, under_voltage="never",
                       versions={"meterbridge": "0.1.0"}),
    )  # fmt: skip


def sick(part: str, **changes: object) -> Facts:
    """The healthy node with other facts in one part (`wire`, `port` …)."""
    facts = healthy()
    return replace(facts, **{part: replace(getattr(facts, part), **changes)})  # type: ignore[arg-type]


def adapter(**changes: object) -> Facts:
    facts = healthy()
    return replace(facts, port=replace(facts.port, adapter=replace(facts.port.adapter, **changes)))  # type: ignore[arg-type]
