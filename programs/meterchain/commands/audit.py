"""`meterbridge audit`: every token and every trade, proved from public accounts and events, on any RPC."""

import json
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer

from meterchain import audit as accounts
from meterchain import audit_events
from meterchain import programs as built
from meterchain.audit import Audit
from meterchain.chain import RememberingChain
from meterchain.commands.session import CHECK_SAID_NO, LOCAL, AsJson, ProgramsDir, Rpc, say, show_table
from meterchain.history import AT_ONCE, Archive, Progress, WrongHistory
from meterchain.patience import Patience
from meterchain.programs import Programs
from meterchain.rpc import RpcChain
from meterchain.rpc_http import ComeLater

_SAY_EVERY_S = 5.0

app = typer.Typer(add_completion=False)


@app.command()
def audit(
    context: typer.Context,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    history: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keeps the events; the next audit fetches what is new."),
    ] = None,
    at_once: Annotated[
        int, typer.Option(metavar="N", min=1, max=64, help="Transactions asked for at once; fewer if HTTP 429 ends it.")
    ] = AT_ONCE,
    *,
    settled: Annotated[bool, typer.Option("--settled", help="Nothing may wait for minting.")] = False,
    accounts_only: Annotated[bool, typer.Option("--accounts-only", help="Leave the events out: quick.")] = False,
    as_json: AsJson = False,
) -> None:
    """Prove that every GRID stands for measured energy and every trade for its orders, and say what was checked.

    Accounts are checked against each other, then against the events of every transaction since the site began, and each
    reading's signature against its meter's keys: compare these with your nodes'.  An RPC that has forgotten something
    fails the check "the history is whole".  Cut off, it goes on with --history FILE.
    Exit codes: 0 every check holds, 1 one does not, 2 FILE is of another site, 3 the chain cannot be reached, 75 busy.
    """
    if accounts_only and history:
        raise typer.BadParameter("--history is for the events, which --accounts-only leaves out")
    ours = built.load(programs)
    connect = context.obj or (lambda url, programs: RpcChain(url, idls=programs.by_id, patience=Patience(_put_off)))
    chain: RememberingChain = connect(rpc, ours)
    try:
        if accounts_only:
            result = accounts.audit(chain, ours, settled=settled)
        else:
            archive = _archive(chain, ours, history, at_once)
            try:
                result = audit_events.audit(chain, ours, archive, settled=settled, progress=_progress())
            finally:
                archive.close()
    finally:
        chain.close()
    if as_json:
        typer.echo(json.dumps(_document(result, accounts_only=accounts_only)))
    else:
        _show(result)
    raise typer.Exit(0 if result.ok else CHECK_SAID_NO)


def _archive(chain: RememberingChain, programs: Programs, path: Path | None, at_once: int) -> Archive:
    try:
        return Archive(chain, programs, path, at_once=at_once)
    except OSError as error:
        raise WrongHistory(f"{path}: cannot be read or written ({error.strerror})") from error


def _put_off(later: ComeLater, seconds: float) -> None:
    say(f"the RPC answers {later}: asking again in {seconds:,.0f} s")


def _progress() -> Progress:
    last = monotonic()

    def told(done: int, missing: int) -> None:
        nonlocal last
        if monotonic() - last > _SAY_EVERY_S or (done == missing and missing > 1):
            last = monotonic()
            say(f"{done:,} of {missing:,} transactions read")

    return told


def _document(result: Audit, *, accounts_only: bool) -> dict[str, Any]:
    return {
        "schema": 1,
        "ok": result.ok,
        "from": ["accounts"] if accounts_only else ["accounts", "events", "signatures"],
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


def _show(result: Audit) -> None:
    rows = [
        (line.meter_id, *(f"{n:,}" for n in (line.export_mwh, line.import_mwh, line.minted_atoms, line.burned_atoms)))
        for line in result.meters
    ]
    show_table(("meter", "export mWh", "import mWh", "minted atoms", "burned atoms"), rows)
    for check in result.checks:
        typer.echo(f"{'ok ' if check.ok else 'NO '} {check.name}: {check.detail}")
