"""`meterbridge relay`: pays for the delivery of records that nodes publish over MQTT."""

import os
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from solders.pubkey import Pubkey

from meterchain import pdas
from meterchain.commands.service import Listen, require_prometheus, serve_metrics, service_log, stop_by_signal
from meterchain.commands.session import LOCAL, AsJson, ProgramsDir, Rpc, present, session
from meterchain.instructions.building import INSTRUCTIONS_SYSVAR
from meterchain.programs import Programs
from meterchain.relay.delivery import Relay, Turn
from meterchain.relay.running import Intake, listening
from meterchain.relay.running import run as keep_running
from meterchain.relay.tables import Tables
from meterchain.relay.watching import Watchman
from meterchain.systemd import Systemd
from meterchain.wallets import load_wallet

if TYPE_CHECKING:
    from meterchain.relay.metrics import Metrics

STATE = Path("/var/lib/meterbridge-relay")

app = typer.Typer(no_args_is_help=True, add_completion=False)

Payer = Annotated[Path, typer.Option("--payer", metavar="FILE", help="A wallet that holds fees and nothing else.")]
BrokerUrl = Annotated[
    str,
    typer.Option(
        "--broker", metavar="URL", envvar="METERBRIDGE_BROKER", help="mqtts://HOST[:PORT], or mqtt://localhost."
    ),
]


@app.callback()
def relay() -> None:
    """The relay: nodes need no SOL, it pays for them and is believed by nobody."""


@app.command()
def run(
    context: typer.Context,
    payer: Payer,
    broker: BrokerUrl,
    username: Annotated[
        str | None,
        typer.Option(metavar="NAME", envvar="METERBRIDGE_BROKER_USERNAME", help="How the broker knows this relay."),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", envvar="METERBRIDGE_BROKER_PASSWORD_FILE", help="Its password, mode 0600."),
    ] = None,
    ca_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", envvar="METERBRIDGE_BROKER_CA", help="The broker's CA; default: the system's."),
    ] = None,
    group: Annotated[str, typer.Option(help="Relays of one group share the work (MQTT 5).")] = "relays",
    state: Annotated[Path, typer.Option(metavar="DIR", help="Where the addresses of lookup tables are kept.")] = STATE,
    settle_every: Annotated[int, typer.Option(min=0, help="Mint and burn once in so many records; 0 never.")] = 4,
    listen: Listen = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
) -> None:
    """Deliver what nodes publish, four readings a transaction; until SIGTERM or Ctrl-C.

    Start as many as you like with one --group: the broker deals the messages out among them, and a relay that dies
    costs a minute.  Exit codes: 0 stopped; 3 the chain cannot be reached at the start; 4 refused.
    """
    try:
        from meterchain.relay.broker import broker_at
    except ModuleNotFoundError as missing:
        raise typer.BadParameter(f"{missing.name} is not installed: pip install 'meterbridge[relay]'") from None
    wallet = load_wallet(payer.expanduser(), "the relay")
    where = broker_at(broker, username=username, password_file=password_file, ca_file=ca_file)
    with session(context, rpc, programs) as here, ExitStack() as stack:
        domain = here.site.domain
        tables = Tables(here.chain, wallet, state / "tables.json", shared_accounts(here.programs))
        tables.open()
        intake = Intake(domain)
        log, manager = service_log("meterbridge.relay"), Systemd(os.environ)
        watch = Watchman(here.chain, wallet.pubkey(), log, intake, manager, _metrics(stack, listen))
        stopped = stop_by_signal(stack)
        stack.enter_context(listening(where, intake, group, f"relay-{secrets.token_hex(6)}"))
        log.info("relay of %s on %s, group %s", domain.hex(), where.name, group)

        def watched(turn: Turn) -> None:
            watch(turn)
            here.chain.sent.clear()  # a command's list of what it sent would grow for as long as the relay runs

        keep_running(Relay(here.chain, here.programs, domain, wallet, tables, settle_every), intake, stopped, watched)
        manager.stopping()


@app.command()
def tables(
    context: typer.Context,
    payer: Payer,
    state: Annotated[Path, typer.Option(metavar="DIR", help="Where their addresses are kept.")] = STATE,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """The relay's lookup tables on the chain: how full they are."""
    wallet = load_wallet(payer.expanduser(), "the relay")
    with session(context, rpc, programs) as here:
        found = Tables(here.chain, wallet, state / "tables.json")
        found.open()
        rows = [(str(table.key), f"{len(table.addresses)} of 256 addresses") for table in found.found]
        document = {"tables": [{"address": str(t.key), "addresses": len(t.addresses)} for t in found.found]}
        present(document, rows or [("tables", "none yet")], as_json=as_json)


def _metrics(stack: ExitStack, listen: str | None) -> "Metrics | None":
    if listen is None:
        return None
    require_prometheus()
    from meterchain.relay.metrics import instruments

    found = instruments()
    serve_metrics(stack, listen, found.registry)
    return found


def shared_accounts(programs: Programs) -> list[Pubkey]:
    """The accounts that every submission names."""
    return [pdas.oracle(programs), pdas.governance(programs), INSTRUCTIONS_SYSVAR]
