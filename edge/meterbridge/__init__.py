"""The command `meterbridge`."""
