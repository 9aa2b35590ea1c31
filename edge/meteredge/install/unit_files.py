"""The systemd units that come with the package, and what else lies in `files/`.

A unit as it is installed is the service followed by the sandbox that all of them share: systemd merges sections of the
same name, so the file holds all that it does.  The one that puts an older version back has a sandbox of its own.
"""

from collections.abc import Mapping
from importlib.resources import files

SERVICES: Mapping[str, str] = {
    "agent": "meterbridge-agent.service",
    "claim": "meterbridge-claim.service",
    "page": "meterbridge-page.service",
    "keeper": "meterbridge-keeper.service",
    "recover": "meterbridge-recover.service",
    "relay": "meterbridge-relay.service",
}
"""By the names that people type."""

_SANDBOX = "sandbox.conf"
_OWN_SANDBOX = ("recover",)


def unit_text(name: str) -> str:
    """The whole unit of one of SERVICES."""
    text = packaged(SERVICES[name])
    return text if name in _OWN_SANDBOX else f"{text}\n{packaged(_SANDBOX)}"


def packaged(name: str) -> str:
    """A file that comes with the package, as text."""
    return (files("meteredge") / "install" / "files" / name).read_text("utf-8")
