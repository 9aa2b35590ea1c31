"""`agent check`: everything that is wrong with a configuration, without opening a port or asking the chain."""

import tomllib
from pathlib import Path

from meteredge import profiles
from meteredge.config import ConfigError, load
from meteredge.profiles.errors import ProfileError


def mistakes(path: Path) -> tuple[str, ...]:
    """One line for each thing that is wrong; empty if the agent can start with this file."""
    found: list[str] = []
    try:
        load(path)
    except ConfigError as error:
        found += str(error).splitlines()
    name = _profile_named(path)
    if name is not None:
        try:
            profiles.load(name)
        except ProfileError as error:
            found.append(f"{path}: 'meter.profile': {error}")
    return tuple(found)


def _profile_named(path: Path) -> str | None:
    """The meter's profile as the file has it, also where the rest of the file is wrong."""
    try:
        meter = tomllib.loads(path.read_text("utf-8")).get("meter")
    except (OSError, ValueError):
        return None
    name = meter.get("profile") if isinstance(meter, dict) else None
    return name if isinstance(name, str) else None
