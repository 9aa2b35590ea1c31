"""The command `meterbridge`: a table of sub-commands, each loaded when it is called.

Nothing heavy is imported here, so `--help` answers at once, and `agent run` is dispatched without the parts that talk
to people.  Known errors become one or two lines on stderr and an exit code:

0 done · 1 the check said no · 2 wrong use or configuration · 3 cannot reach (port, chain, file) · 4 refused for
safety · 75 busy, try again · 130 interrupted
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version

USAGE = 2
INTERRUPTED = 130


@dataclass(frozen=True)
class Command:
    """Where a sub-command's typer app is, and what it is for in one line."""

    module: str
    attribute: str
    summary: str


COMMANDS: Mapping[str, Command] = {
    "demo": Command("metersim.stage.cli", "app", "fifteen meters, wire to token, in under a minute"),
    "agent": Command("meteredge.cli", "app", "the node: install, check, run, once, status, claim, update"),
    "doctor": Command("meteredge.doctor.cli", "app", "one sheet about this node, from the terminals to the chain"),
    "scan": Command("meteredge.scan.cli", "app", "who is on this bus: units, speed, parity, model"),
    "watch": Command("meteredge.watch.cli", "app", "this node, live: values, slot, bus, journal, chain"),
    "bundle": Command("meteredge.bundle.cli", "app", "a support archive without secrets"),
    "page": Command("meteredge.page.cli", "app", "the node's status page: run, show"),
    "site": Command("meterchain.commands.site", "app", "the operator's: deploy, init, status, pause, params"),
    "user": Command("meterchain.commands.user", "app", "who takes part: register, show, approve"),
    "meter": Command("meterchain.commands.meter", "app", "meters on the chain: assign, show, replace, reassign"),
    "profile": Command("meteredge.profile_cli", "app", "meter models: what is known, and how surely: list, show"),
    "sim": Command("metersim.stage.sim", "app", "meters without hardware: run, record, replay, scenarios"),
    "market": Command("meterchain.commands.market", "app", "energy for money: order, cancel, book, history, plot"),
    "keeper": Command("meterchain.commands.keeper", "app", "clears and settles every epoch: run"),
    "relay": Command("meterchain.commands.relay", "app", "delivers for nodes that have no SOL, over MQTT: run"),
    "localnet": Command("meterchain.cli", "app", "a local chain over HTTP for development"),
    "audit": Command("meterchain.commands.audit", "app", "proves that every token was measured, every trade ordered"),
    "verify": Command("meterchain.commands.verify", "app", "checks one signed record without a network"),
    "provision": Command("meterprov.cli", "app", "a node from card to shelf: site, image, flash, label, enrol"),
    "docs": Command("meterbridge.pages", "app", "the pages of docs/, offline"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_help())
        return 0 if words else USAGE
    if words[0] == "--version":
        sys.stdout.write(f"meterbridge {version('meterbridge')}\n")
        return 0
    if words[0] not in COMMANDS:
        return _unknown(words[0])
    try:
        return _dispatch(words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        from meterbridge.exits import exit_code_of

        code = exit_code_of(error)
        if code is None:
            raise
        sys.stderr.write(f"meterbridge: {error}\n")
        return code


def _dispatch(words: list[str]) -> int:
    if words[:2] == ["agent", "run"] and not {"-h", "--help"} & set(words):
        return _agent_run(words[2:])
    command = COMMANDS[words[0]]
    from meterbridge.typer_app import call

    return call(getattr(import_module(command.module), command.attribute), f"meterbridge {words[0]}", words[1:])


def _agent_run(words: list[str]) -> int:
    """`agent run` without typer and rich: they would stay in the agent's memory for years."""
    from argparse import ArgumentParser
    from pathlib import Path

    from meteredge.start import DEFAULT_PATH, run_agent

    parser = ArgumentParser(prog="meterbridge agent run", add_help=False)
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH)
    try:
        options = parser.parse_args(words)
    except SystemExit as leave:
        return int(leave.code or 0)
    return run_agent(options.config)


def _help() -> str:
    rows = "\n".join(f"  {name:<10}{command.summary}" for name, command in COMMANDS.items())
    return (
        "usage: meterbridge COMMAND …\n\n"
        "From a kilowatt-hour on an RS-485 wire to a token on Solana.\n\n"
        f"{rows}\n\n"
        "`meterbridge COMMAND --help` says more; `meterbridge --version`.\n"
    )


def _unknown(word: str) -> int:
    from difflib import get_close_matches

    near = get_close_matches(word, COMMANDS, n=1, cutoff=0.4)
    advice = f"did you mean {near[0]!r}?" if near else "see `meterbridge --help`"
    sys.stderr.write(f"meterbridge: no command {word!r}; {advice}\n")
    return USAGE


if __name__ == "__main__":
    sys.exit(main())
