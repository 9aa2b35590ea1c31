"""What every command here begins and ends with: its options, a chain, and one way to show what came of it.

The chain is made by `context.obj`, if something was put there (tests do), else it is an RpcChain.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit

import typer
from solders.pubkey import Pubkey

from meterchain import programs as built
from meterchain import site as steps
from meterchain.chain import Chain, ChainError, TransactionFailed
from meterchain.commands.advice import next_step
from meterchain.commands.costs import in_sol
from meterchain.commands.recorded import RecordedChain
from meterchain.programs import Programs
from meterchain.rpc import RpcChain

CHECK_SAID_NO = 1
LOCAL = "http://127.0.0.1:8899"
WALLET = Path("~/.config/solana/id.json")
"""Where Solana's own command keeps a wallet."""

Connect: TypeAlias = Callable[[str, Programs], Chain]
Row: TypeAlias = tuple[str, str]


class NotFound(ChainError):
    """There is no such user, meter or account on this chain."""


def an_address(text: str) -> Pubkey:
    """A wallet or account as people write it.  Raises typer.BadParameter."""
    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no address; 32 to 44 characters of base58 are expected") from None


def an_rpc(text: str) -> str:
    """An RPC's address.  Raises typer.BadParameter, which does not quote it: paths of providers hold keys."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise typer.BadParameter(f"an address like {LOCAL} or https://host/path is expected")
    return text


Rpc = Annotated[
    str, typer.Option("--rpc", parser=an_rpc, metavar="URL", envvar="METERBRIDGE_RPC", help="The chain's RPC.")
]
ProgramsDir = Annotated[
    Path | None,
    typer.Option(
        "--programs",
        metavar="DIR",
        envvar="METERBRIDGE_PROGRAMS",
        help="Programs and IDLs for ids of your own (OUT of `make programs`); default: the development ones.",
    ),
]
Authority = Annotated[
    Path, typer.Option("--authority", metavar="FILE", help="The department's wallet; it signs and pays.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Look and simulate; send nothing.")]
AnAddress = Annotated[Pubkey, typer.Argument(parser=an_address, metavar="WALLET", help="The user's wallet.")]


@dataclass(frozen=True, slots=True)
class Session:
    """A chain that records what is sent, and the programs on it."""

    chain: RecordedChain
    programs: Programs

    @property
    def site(self) -> steps.Site:
        """The initialised site.  Raises SiteError if there is none."""
        return steps.load(self.chain, self.programs)


@contextmanager
def session(context: typer.Context, rpc: str, folder: Path | None, *, dry_run: bool = False) -> Iterator[Session]:
    """Connect, and hang up in the end; a refusal gets its next step, after what was sent before it.

    Raises ArtifactError and what the chain raises.
    """
    ours = built.load(folder)
    connect: Connect = context.obj or (lambda url, programs: RpcChain(url, idls=programs.by_id))
    chain = RecordedChain(connect(rpc, ours), ours, rehearsal=dry_run)
    here = Session(chain, ours)
    try:
        yield here
    except ChainError as error:
        tell_sent(here)  # what went before stands, and may have cost something
        if isinstance(error, TransactionFailed) and (advice := next_step(error, ours)):
            error.message = f"{error.message}: {advice}"
        raise
    finally:
        chain.close()


def say(text: str) -> None:
    """A line of progress, on stderr."""
    typer.echo(text, err=True)


def present(document: dict[str, Any], rows: Sequence[Row], *, as_json: bool) -> None:
    """Show what a command found: `document` for machines, `rows` for people."""
    if as_json:
        typer.echo(json.dumps({"schema": 1, **document}))
    else:
        show_rows(rows)


def conclude(here: Session, document: dict[str, Any], rows: Sequence[Row], *, as_json: bool) -> None:
    """As `present`, with what was sent, or would be."""
    if as_json:
        typer.echo(json.dumps({"schema": 1, "dry_run": here.chain.rehearsal, **document, "sent": described(here)}))
        return
    show_rows(rows)
    if not here.chain.sent:
        say("nothing to do: the chain has it already")
    tell_sent(here)


def tell_sent(here: Session) -> None:
    """What was sent, or would be, with its cost; a line each on stderr."""
    for step in here.chain.sent:
        cost = in_sol(step.fee + step.rent) + (f", {in_sol(step.rent)} of it rent" if step.rent else "")
        say(f"{'would send' if here.chain.rehearsal else 'sent'} {step.what} ({cost}) {step.signature}".rstrip())


def described(here: Session) -> list[dict[str, Any]]:
    """What was sent, for `--json`."""
    return [
        {
            "what": step.what,
            "signature": step.signature,
            "fee_lamports": step.fee,
            "rent_lamports": step.rent,
            "compute_units": step.compute_units,
        }
        for step in here.chain.sent
    ]


def show_rows(rows: Sequence[Row]) -> None:
    """Names and values in two columns."""
    width = max((len(name) for name, _ in rows), default=0) + 2
    for name, value in rows:
        typer.echo(f"{name:<{width}}{value}")


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with a head; columns as wide as they must be, addresses never cut."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
