"""The way into `agent run`: configuration, logging, then the service.  Nothing for people is loaded on this way."""

import logging
import sys
from pathlib import Path

DEFAULT_PATH = Path("/etc/meterbridge/agent.toml")


def run_agent(path: Path) -> int:
    """Run the agent of the configuration at `path`.  Returns the exit code; raises what `service.run` raises."""
    from meteredge.config import load
    from meteredge.service import run

    config = load(path)
    # Libraries may not speak below a warning: they would log the RPC's address, and addresses hold keys.
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    logging.getLogger("meterbridge").setLevel(logging.INFO)
    return run(config)
