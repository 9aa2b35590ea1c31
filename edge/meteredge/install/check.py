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
    for name in _profiles_named(path):
        try:
            profiles.load(name)
        except ProfileError as error:
            found.append(f"{path}: 'meter.profile': {error}")
    return tuple(found)


def _profiles_named(path: Path) -> tuple[str, ...]:
    """The meters' profiles as the file has them, also where the rest of the file is wrong."""
    try:
        found = tomllib.loads(path.read_text("utf-8")).get("meter")
    except (OSError, ValueError):
        return ()
    meters = found if isinstance(found, list) else [found]
    names = [meter.get("profile") for meter in meters if isinstance(meter, dict)]
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))
