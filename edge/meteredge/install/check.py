"""`agent check`: everything that is wrong with a configuration, without opening a port or asking the chain."""

import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from meteredge import profiles
from meteredge.config import AgentConfig, ConfigError, load
from meteredge.profiles.errors import ProfileError


def mistakes(path: Path) -> tuple[str, ...]:
    """One line for each thing that is wrong; empty if the agent can start with this file."""
    found: list[str] = []
    try:
        config = load(path)
    except ConfigError as error:
        found += str(error).splitlines()
    else:
        found += _mixed_phases(path, config)
    for name in _profiles_named(path):
        try:
            profiles.load(name)
        except ProfileError as error:
            found.append(f"{path}: 'meter.profile': {error}")
    return tuple(found)


def _mixed_phases(path: Path, config: AgentConfig) -> Iterator[str]:
    """Meters that add their phases otherwise than the site says; a profile that cannot be read is told elsewhere."""
    site = config.site.phase_accounting
    for meter in config.meters:
        with suppress(ProfileError):
            is_so = profiles.load(meter.profile).phases_added(meter.phase_accounting)
            if None not in (site, is_so) and is_so != site:
                yield (
                    f"{path}: 'site.phase_accounting' is {site}, and {meter.id} adds its phases as {is_so}: the same "
                    "flow would mint other amounts; choose another meter, or set it otherwise"
                )


def _profiles_named(path: Path) -> tuple[str, ...]:
    """The meters' profiles as the file has them, also where the rest of the file is wrong."""
    try:
        found = tomllib.loads(path.read_text("utf-8")).get("meter")
    except (OSError, ValueError):
        return ()
    meters = found if isinstance(found, list) else [found]
    names = [meter.get("profile") for meter in meters if isinstance(meter, dict)]
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))
