"""Putting the agent on a machine, keeping it there, taking it away: users, units, udev rule, configuration, slots."""
