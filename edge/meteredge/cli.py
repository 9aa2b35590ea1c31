"""`meterbridge agent run | once | final | status | claim | record`: the node's commands.

`run` is parsed by the command's entry point without this file, so that a running agent does not carry typer and rich;
here it stands for `--help` and does the same.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from meteredge.install.cli import app as on_its_machine
from meteredge.start import DEFAULT_PATH

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The meter's agent: reads, signs, keeps, delivers.")
app.add_typer(on_its_machine)

Config = Annotated[Path, typer.Option("--config", metavar="FILE", help="The agent's configuration.")]
MeterId = Annotated[
    str | None, typer.Option("--meter", metavar="ID", help="Which meter, where the configuration has several.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@app.command()
def run(config: Config = DEFAULT_PATH) -> None:
    """Read the meter, close a slot each 15 minutes, deliver; until SIGTERM.

    Exit codes: 0 stopped, 2 configuration, 3 a file cannot be reached, 4 stopped for safety, 75 another agent runs.
    """
    from meteredge.start import run_agent

    raise typer.Exit(run_agent(config))


@app.command()
def once(config: Config = DEFAULT_PATH, *, as_json: AsJson = False) -> None:
    """One reading, one delivery: what the agent would do now, for the first look at a new node.

    Closes a slot only if one is due.  Exit codes: 0 all went well, 1 the slot stays open, 3 meter or chain cannot be
    reached, 4 refused for safety.
    """
    from meteredge.once import run_once

    report = run_once(config)
    _show(report.document, as_json=as_json)
    for problem in report.problems:
        typer.echo(problem, err=True)
    raise typer.Exit(report.exit_code)


@app.command()
def final(config: Config = DEFAULT_PATH, meter: MeterId = None, *, as_json: AsJson = False) -> None:
    """Read the meter for the last time and deliver the final record: before it is replaced or decommissioned.

    The agent must be stopped, and stays so.  Exit codes: 0 delivered, 1 not signed (the reason is told), 3 meter or
    chain cannot be reached, 4 refused for safety, 75 the agent runs.
    """
    from meteredge.once import run_final

    report = run_final(config, meter)
    _show(report.document, as_json=as_json)
    for problem in report.problems:
        typer.echo(problem, err=True)
    raise typer.Exit(report.exit_code)


@app.command()
def status(config: Config = DEFAULT_PATH, *, as_json: AsJson = False) -> None:
    """What the agent does and what its journal holds; asks neither meter nor chain, and may run beside the agent."""
    from meteredge.status import read_status

    _show(read_status(config), as_json=as_json)


@app.command()
def claim(
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="WALLET", help="The wallet that the meter's energy pays.")
    ] = None,
    config: Config = DEFAULT_PATH,
    meter: MeterId = None,
    label: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="The serial number on the plate, if the wire does not tell it.")
    ] = None,
    install: Annotated[int, typer.Option(min=1, max=2**32 - 1, help="1 for a meter that is assigned anew.")] = 1,
    *,
    new_key: Annotated[bool, typer.Option("--new-key", help="Make the meter's key, if there is none yet.")] = False,
    rotate: Annotated[
        bool,
        typer.Option("--rotate", help="Claim with a new key, made beside the present one, which stays until then."),
    ] = False,
    wanted: Annotated[bool, typer.Option("--wanted", help="The one that the first boot ordered, into a file.")] = False,
) -> None:
    """Print the claim for this node's meter, for the operator's `meterbridge meter assign`.

    Reads the meter, through the agent if it runs: its registers become the baseline.  The claim proves that the node
    holds the key; the key stays.
    Exit codes: 0 printed, 2 configuration, 3 meter or key cannot be reached, 4 refused for safety.
    """
    from solders.pubkey import Pubkey

    from meterchain.units import InstallId
    from meteredge.claim import make_claim, make_wanted
    from meteredge.clock import SystemClock

    if new_key and rotate:
        raise typer.BadParameter("--new-key makes a node's first key, --rotate the one that follows: choose one")
    if wanted:
        typer.echo(make_wanted(config, SystemClock()) or "no claim was ordered", err=True)
        return
    if owner is None:
        raise typer.BadParameter("--owner WALLET is missing: whom the meter's energy pays")
    try:
        wallet = Pubkey.from_string(owner)
    except ValueError:
        raise typer.BadParameter(f"--owner {owner}: no address; 32 to 44 characters of base58 are expected") from None
    made = make_claim(
        config,
        wallet,
        SystemClock(),
        meter=meter,
        label=label,
        install_id=InstallId(install),
        new_key=new_key,
        rotate=rotate,
        tell=lambda sentence: typer.echo(sentence, err=True),
    )
    typer.echo(made.model_dump_json(by_alias=True, indent=1))


@app.command()
def record(
    config: Config = DEFAULT_PATH,
    meter: MeterId = None,
    seq: Annotated[int | None, typer.Option(min=1, metavar="N", help="Its number; without one, the last.")] = None,
) -> None:
    """Print one signed record from the journal, for `meterbridge verify`; may run beside the agent."""
    from meterchain.units import Seq
    from meteredge.claim import find_record

    row = find_record(config, meter, None if seq is None else Seq(seq))
    facts = {"install_id": row.install_id, "seq": row.seq, "state": str(row.state)}
    typer.echo(json.dumps({"record": row.record.hex(), "signature": row.signature.hex(), **facts}))


def _show(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(document))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from meteredge.status import rows_for_people

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in rows_for_people(document):
        table.add_row(name, Text(value))  # what stands in brackets is a table's name, no markup
    Console().print(table)
