"""The way into `agent run`: configuration, logging, then the service.  Nothing for people is loaded on this way."""

import logging
import os
import sys
from pathlib import Path

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""Of syslog(3), as journald takes them from the beginning of a line: sd-daemon(3)."""
DEFAULT_PATH = Path("/etc/meterbridge/agent.toml")


def run_agent(path: Path) -> int:
    """Run the agent of the configuration at `path`.  Returns the exit code; raises what `service.run` raises."""
    from meteredge.config import load
    from meteredge.service import run

    config = load(path)
    # Libraries may not speak below a warning: they would log the RPC's address, and addresses hold keys.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(to_journald="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("meterbridge").setLevel(logging.INFO)
    return run(config)


class OneLine(logging.Formatter):
    """One line an event, with its level as journald or a person reads it; a trace follows where there is one."""

    def __init__(self, *, to_journald: bool) -> None:
        super().__init__()
        self._to_journald = to_journald

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (its name in logging)
        """The line without its trace."""
        level = f"<{_PRIORITIES.get(record.levelno, 5)}>" if self._to_journald else f"{record.levelname} "
        return level + " ".join(record.getMessage().split("\n"))
