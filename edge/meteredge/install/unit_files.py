"""The systemd units that come with the package, and what else lies in `files/`.

A unit as it is installed is the service followed by the sandbox that all of them share: systemd merges sections of the
same name, so the file holds all that it does.
"""

from collections.abc import Mapping
from importlib.resources import files

SERVICES: Mapping[str, str] = {
    "agent": "meterbridge-agent.service",
    "claim": "meterbridge-claim.service",
    "page": "meterbridge-page.service",
    "keeper": "meterbridge-keeper.service",
}
"""By the names that people type."""

_SANDBOX = "sandbox.conf"


def unit_text(name: str) -> str:
    """The whole unit of one of SERVICES."""
    return f"{packaged(SERVICES[name])}\n{packaged(_SANDBOX)}"


def packaged(name: str) -> str:
    """A file that comes with the package, as text."""
    return (files("meteredge") / "install" / "files" / name).read_text("utf-8")
