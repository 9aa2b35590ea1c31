"""Profiles: what is known about each meter model, as data.

    profile = load("sdm630")
    profile.encode("voltage_l1", 230.2)        → (0x4366, 0x3333)
    profile.decode("voltage_l1", (0x4366, 0x3334)) → Decimal('230.2000…')

One TOML file a model lies in `meters/`; a new one needs no Python (docs/profiles.md).
"""

from meteredge.profiles.energy import Energy, energy_of
from meteredge.profiles.errors import MapNotFound, NotAvailable, ProfileError
from meteredge.profiles.folder import load, names
from meteredge.profiles.register import Register
from meteredge.profiles.schema import PhaseAccounting, Profile
from meteredge.profiles.search import find_parts

__all__ = [
    "Energy",
    "MapNotFound",
    "NotAvailable",
    "PhaseAccounting",
    "Profile",
    "ProfileError",
    "Register",
    "energy_of",
    "find_parts",
    "load",
    "names",
]
