"""Units and small types shared by every room.  The unit is in the name or in the type, never in the reader's head.

Energy registers are milliwatt-hours (mWh), GRID amounts are atoms of 1e-9 GRID, times are UTC Unix seconds.
1 kWh = 1,000,000 mWh = 1 GRID = 1,000,000,000 atoms, so 1 mWh = 1,000 atoms (programs.md, 4.0).
"""

from typing import NewType

Mwh = NewType("Mwh", int)
"""Energy, milliwatt-hours."""
Atoms = NewType("Atoms", int)
"""GRID, in units of 1e-9."""
UnixTime = NewType("UnixTime", int)
"""UTC, whole seconds since 1970."""
Slot = NewType("Slot", int)
"""A 900 s interval, named by its start (UnixTime divisible by 900)."""
Seq = NewType("Seq", int)
"""Sequence number of a record within one install, from 1."""
InstallId = NewType("InstallId", int)
"""Counts the meters (and baselines) that stood behind one meter id, from 1."""
Lamports = NewType("Lamports", int)
"""Fees and rent, 1e-9 SOL."""

SLOT_S = 900
ATOMS_PER_MWH = 1_000
MWH_PER_KWH = 1_000_000


def slot_of(at: float) -> Slot:
    """The slot that contains the instant `at` (Unix seconds)."""
    return Slot(int(at // SLOT_S) * SLOT_S)
