"""A cabinet to test with: a configuration file, and the folder of everything that it names."""

from dataclasses import dataclass
from pathlib import Path

NOBODY_LISTENS = "http://127.0.0.1:1"
KEY = b"meter key of the tests, 32 bytes"


def patient(folder: Path) -> str:
    """An SDM120 that may take two seconds: on a busy machine a simulated one sometimes does."""
    profile = folder / "patient-sdm120.toml"
    profile.write_text('schema = 1\nlike = "eastron-sdm120"\n[response_ms]\nmax = 2000\n')
    return str(profile)


@dataclass
class Cabinet:
    """A configuration with everything that it names."""

    folder: Path
    port: str
    rpc: str = NOBODY_LISTENS
    domain: str = "0011223344556677"
    more: str = ""
    profile: str = "sdm120"

    @property
    def config(self) -> Path:
        path = self.folder / "agent.toml"
        path.write_text(f"""
schema = 1
[site]
name = "tests"
domain = "{self.domain}"
[meter]
id = "METER_001"
profile = "{self.profile}"
unit = 1
[bus]
port = "{self.port}"
baud = 9600
framing = "8N1"
poll_s = 1
[key]
file = "{self.folder}/meter.key"
[chain]
rpc = "{self.rpc}"
relayer = "{self.folder}/relayer.json"
[state]
directory = "{self.folder}"
runtime = "{self.folder}/run"
{self.more}""")
        return path
