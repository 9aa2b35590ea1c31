"""What can go wrong when a machine is changed."""


class InstallFailed(Exception):
    """A step failed; what was done before it stays, and the same command goes on from there."""


class InstallRefused(Exception):
    """Going on would lose something; nothing was changed."""


class UpdateBusy(Exception):
    """Not now: the agent closes a slot, or another update runs."""
