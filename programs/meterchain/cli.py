"""`meterbridge localnet` and `meterbridge audit`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from meterchain.audit import Audit

CHECK_SAID_NO = 1
CANNOT_REACH = 3

app = typer.Typer(add_completion=False)
audit_app = typer.Typer(add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@app.command()
def localnet(
    port: Annotated[int, typer.Option(min=1, max=65_534, help="RPC port; the websocket gets the next one.")] = 8899,
    slot_ms: Annotated[int, typer.Option(min=10, max=10_000, help="Milliseconds a slot.")] = 400,
    cache: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the download is kept.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """A fresh local chain over HTTP (Surfnet, offline), until Ctrl-C.

    Needs Node.js 18 with npm, and once the network for a download of 15 MB that is checked by its hash.
    Exit codes: 0 stopped, 3 it cannot be started.
    """
    from meterchain.localnet import run

    with run(port=port, slot_ms=slot_ms, cache=cache) as chain:
        if as_json:
            typer.echo(json.dumps({"rpc": chain.url, "websocket": chain.websocket}))
        typer.echo(f"local chain: {chain.url} (websocket {chain.websocket}); Ctrl-C stops and forgets it", err=True)
        try:
            code = chain.process.wait()
        except KeyboardInterrupt:
            return
    typer.echo(f"the local chain ended by itself with code {code}", err=True)
    raise typer.Exit(CANNOT_REACH)


@audit_app.command()
def audit(
    rpc: Annotated[str, typer.Option(metavar="URL", help="The chain's RPC.")] = "http://127.0.0.1:8899",
    *,
    settled: Annotated[bool, typer.Option("--settled", help="Nothing may wait for minting.")] = False,
    as_json: AsJson = False,
) -> None:
    """Prove from the chain's accounts alone that every GRID stands for measured energy.

    Exit codes: 0 every check holds, 1 one does not, 3 the chain cannot be reached.
    """
    from meterchain import programs
    from meterchain.audit import audit as look
    from meterchain.rpc import RpcChain

    chain = RpcChain(rpc)
    try:
        result = look(chain, programs.load(), settled=settled)
    finally:
        chain.close()
    if as_json:
        typer.echo(json.dumps(_document(result)))
    else:
        _show(result)
    raise typer.Exit(0 if result.ok else CHECK_SAID_NO)


def _document(result: "Audit") -> dict[str, object]:
    return {
        "schema": 1,
        "ok": result.ok,
        "meters": [
            {
                "id": line.meter_id,
                "owner": str(line.owner),
                "export_mwh": line.export_mwh,
                "import_mwh": line.import_mwh,
                "minted_atoms": line.minted_atoms,
                "burned_atoms": line.burned_atoms,
            }
            for line in result.meters
        ],
        "checks": [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in result.checks],
    }


def _show(result: "Audit") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("meter", "export mWh", "import mWh", "minted atoms", "burned atoms")
    for line in result.meters:
        energy = (line.export_mwh, line.import_mwh, line.minted_atoms, line.burned_atoms)
        table.add_row(line.meter_id, *(f"{value:,}" for value in energy))
    console.print(table)
    for check in result.checks:
        console.print(f"{'ok ' if check.ok else 'NO '} {check.name}: {check.detail}", markup=False, highlight=False)
