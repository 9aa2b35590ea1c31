"""`meterbridge keeper`: cranks the market, epoch after epoch."""

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meterchain.chain import ChainUnreachable
from meterchain.commands.market_session import AMarket, Stall, stall
from meterchain.commands.service import Listen, require_prometheus, serve_metrics, service_log, stop_by_signal
from meterchain.commands.session import LOCAL, AsJson, ProgramsDir, Rpc
from meterchain.keeper import Keeper, Pace, Turn, Watch
from meterchain.keeper import run as keep_running
from meterchain.keeper_alarms import Alarm, Limits
from meterchain.keeper_plan import Action, State
from meterchain.keeper_watch import Watchman
from meterchain.market import kept
from meterchain.market.reading import fetch_books
from meterchain.systemd import Systemd
from meterchain.wallets import load_wallet

if TYPE_CHECKING:
    from meterchain.keeper_metrics import Metrics

CHECK_SAID_NO = 1

app = typer.Typer(no_args_is_help=True, add_completion=False)

Payer = Annotated[Path, typer.Option("--payer", metavar="FILE", help="A wallet that holds fees and nothing else.")]


@app.callback()
def keeper() -> None:
    """The keeper: clears and settles every epoch.  Its systemd unit: `meterbridge agent unit keeper`."""


@app.command()
def run(
    context: typer.Context,
    payer: Payer,
    stand_by: Annotated[int, typer.Option(min=0, max=600, help="Seconds to leave to another keeper.")] = 0,
    listen: Listen = None,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Save each book before it is cleared.")] = None,
    silent_after: Annotated[int, typer.Option(min=900, help="Seconds without a record: alarm.")] = 2_700,
    late_after: Annotated[int, typer.Option(min=1, help="Seconds that an epoch waits: alarm.")] = 120,
    fee_days: Annotated[int, typer.Option(min=1, help="Alarm when the payer has fees for less.")] = 30,
    market: AMarket = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="One turn: do what is due, say what is wrong, stop.")] = False,
    as_json: AsJson = False,
) -> None:
    """Clear, match and settle every epoch as soon as it is over; until SIGTERM or Ctrl-C.

    It keeps no state: after a crash it goes on from what the chain shows.  A second keeper does no harm.
    Exit codes: 0 stopped, with --once 1 if an alarm stands; 3 the chain cannot be reached at the start; 4 refused.
    """
    wallet = load_wallet(payer.expanduser(), "the keeper")
    limits = Limits(silent_s=silent_after, late_s=late_after, fee_days=fee_days)
    with stall(context, rpc, programs, market) as here, ExitStack() as stack:
        metrics = _metrics(stack, listen)
        keeper = Keeper(here.chain, here.programs, here.market.address, wallet, stand_by, _keeping(here, keep))
        log, manager = service_log("meterbridge.keeper"), Systemd(os.environ)
        watch = Watchman(here.chain, here.programs, wallet.pubkey(), log, manager, limits, metrics)
        if once:
            turn = keeper.turn()
            watch(turn)
            _conclude(here, turn, list(watch.standing.values()), as_json=as_json)
            raise typer.Exit(CHECK_SAID_NO if watch.standing else 0)
        keep_running(keeper, stop_by_signal(stack).wait, _forgetting(here, watch), Pace())
        manager.stopping()


def _keeping(here: Stall, folder: Path | None) -> Callable[[State, Action], None]:
    def keep(state: State, action: Action) -> None:
        if folder is not None:
            kept.keep(folder, fetch_books(here.chain, here.programs, state.market)[action.book], here.scale)

    return keep


def _forgetting(here: Stall, watch: Watchman) -> Watch:
    """A command's list of what it sent would grow for as long as the keeper runs."""

    def watched(seen: Turn | ChainUnreachable) -> None:
        watch(seen)
        here.chain.sent.clear()

    return watched


def _metrics(stack: ExitStack, listen: str | None) -> "Metrics | None":
    if listen is None:
        return None
    require_prometheus()
    from meterchain.keeper_metrics import instruments

    found = instruments()
    serve_metrics(stack, listen, found.registry)
    return found


def _conclude(here: Stall, turn: Turn, standing: list[Alarm], *, as_json: bool) -> None:
    document = {
        "schema": 1,
        "market": str(here.market.address),
        "done": [{"what": d.action.name, "epoch": d.action.epoch, "fee_lamports": d.fee} for d in turn.done],
        "refused": [{"what": r.action.name, "epoch": r.action.epoch, "error": str(r.error)} for r in turn.refused],
        "alarms": [{"kind": each.kind, "about": each.about, "text": each.text} for each in standing],
    }
    if as_json:
        typer.echo(json.dumps(document))
        return
    for done in turn.done:
        typer.echo(f"{done.action.name} of epoch {done.action.epoch}")
    if not turn.outcomes:
        typer.echo("nothing is due")
