"""The operator's commands, one group of verbs a file: site, user, meter, and verify, which needs no chain."""
