"""`site deploy` and `site verify`: the programs' bytes, brought to the chain and compared with the manifest."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import deploy as loader
from meterchain import site as steps
from meterchain.chain import Chain
from meterchain.commands.costs import LAMPORTS_PER_SOL, in_sol
from meterchain.commands.layouts import refuse_other_layouts
from meterchain.commands.session import (
    CHECK_SAID_NO,
    LOCAL,
    WALLET,
    AsJson,
    Authority,
    DryRun,
    ProgramsDir,
    Rpc,
    say,
    session,
    show_rows,
    show_table,
)
from meterchain.deploy_price import Price, price
from meterchain.programs import NAMES, ArtifactError, Programs, development_key
from meterchain.site import SiteError
from meterchain.units import Lamports
from meterchain.wallets import load_wallet


class NotEnoughMoney(SiteError):
    """The payer cannot bear the deployment."""


def deploy(
    context: typer.Context,
    authority: Authority = WALLET,
    payer: Annotated[Path | None, typer.Option(metavar="FILE", help="Who pays; default: the authority.")] = None,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    keys: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keypairs of ids of your own, for their first deployment.")
    ] = None,
    airdrop: Annotated[int, typer.Option(min=0, metavar="SOL", help="First ask a local chain for money.")] = 0,
    *,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Replace programs whose bytes differ.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Bring the five programs to the chain, and prove byte for byte that they are there.

    Says first what it costs.  Run again it sends only what is missing; what runs already is left alone, and replaced
    with --upgrade only, after the layout of every account has been checked.

    Exit codes: 0 deployed, 3 chain or file cannot be reached, 4 refused.
    """
    signer = load_wallet(authority.expanduser(), "the authority")
    paying = load_wallet(payer.expanduser(), "the payer") if payer else signer
    with session(context, rpc, programs, dry_run=dry_run) as here:
        chain, ours = here.chain, here.programs
        steps.refuse_development_ids(chain, ours)
        if airdrop and not dry_run:
            chain.airdrop(paying.pubkey(), Lamports(airdrop * LAMPORTS_PER_SOL))
        names = [name for name in NAMES if name in ours]
        key_of = _keys_in(keys, chain, ours)
        prices = {
            name: price(
                chain, ours.id(name), ours.binary(name), payer=paying, authority=signer, program_key=key_of(name)
            )
            for name in names
        }
        replaced = [name for name in names if prices[name].action == "upgrade"]
        _refuse_replacing(chain, replaced, upgrade=upgrade)
        refuse_other_layouts(chain, ours, replaced)
        _tell_prices(prices)
        if not dry_run:
            refuse_poverty(chain, paying.pubkey(), list(prices.values()))
            with _bars() as progress:
                steps.deploy_programs(chain, ours, payer=paying, authority=signer, key_of=key_of, progress=progress)
        document = {
            "schema": 1,
            "dry_run": dry_run,
            "programs": [
                {"name": name, "id": str(ours.id(name)), **asdict(prices[name]), "spent": prices[name].spent}
                for name in names
            ],
            "spent_lamports": sum(cost.spent for cost in prices.values()),
            "needed_lamports": needed(list(prices.values())),
        }
    if as_json:
        typer.echo(json.dumps(document))
        return
    done = {"deploy": "deployed", "upgrade": "upgraded", "unchanged": "unchanged"}
    planned = {"deploy": "would be deployed", "upgrade": "would be upgraded", "unchanged": "unchanged"}
    show_rows([(name, f"{ours.id(name)}  {(planned if dry_run else done)[prices[name].action]}") for name in names])


def verify(
    context: typer.Context,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Compare the programs on the chain, byte for byte, with the manifest of this release.

    Exit codes: 0 all are the same, 1 one differs or is missing, 3 the chain cannot be reached.
    """
    with session(context, rpc, programs) as here:
        found = [verdict_on(here.chain, here.programs, name) for name in NAMES if name in here.programs]
    ok = all(each.verdict == "same" for each in found)
    if as_json:
        typer.echo(json.dumps({"schema": 1, "ok": ok, "programs": [asdict(each) for each in found]}))
    else:
        head = ("program", "verdict", "bytes", "sha256 on chain", "may be upgraded by")
        rows = [(each.name, each.verdict, f"{each.size:,}", each.sha256[:16], each.authority) for each in found]
        show_table(head, rows)
        for each in found:
            if each.verdict == "differs":
                say(
                    f"{each.name}: the manifest has sha256 {each.manifest_sha256}, the chain {each.sha256 or 'nothing'}"
                )
    raise typer.Exit(0 if ok else CHECK_SAID_NO)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One program on the chain beside the manifest; hashes in hexadecimal, "" where nothing is deployed."""

    name: str
    id: str
    verdict: str
    size: int
    manifest_sha256: str
    sha256: str
    authority: str
    slot: int


def verdict_on(chain: Chain, programs: Programs, name: str) -> Verdict:
    """Whether `name` runs as the manifest says.  Raises ArtifactError if the manifest does not name it."""
    stated = programs.manifest().get("programs", {}).get(name)
    if stated is None:
        raise ArtifactError(f"the manifest does not name {name}: rebuild it with `make programs`")
    there = loader.look(chain, programs.id(name))
    if there is None:
        return Verdict(name, str(programs.id(name)), "missing", stated["size"], stated["sha256"], "", "", 0)
    held, beyond = there.content[: stated["size"]], there.content[stated["size"] :]
    digest = hashlib.sha256(held if not any(beyond) else there.content).hexdigest()
    verdict = "same" if digest == stated["sha256"] else "differs"
    who = str(there.authority) if there.authority else "nobody"
    return Verdict(name, str(programs.id(name)), verdict, stated["size"], stated["sha256"], digest, who, there.slot)


def needed(prices: list[Price]) -> Lamports:
    """The least balance with which the payer comes through, one program after the other."""
    spent = most = 0
    for cost in prices:
        most = max(most, spent + cost.spent + cost.lent)
        spent += cost.spent
    return Lamports(max(most, spent))


def refuse_poverty(chain: Chain, payer: Pubkey, prices: list[Price]) -> None:
    """Raises NotEnoughMoney if the payer's balance does not suffice."""
    (account,) = chain.accounts([payer])
    balance = account.lamports if account else 0
    if balance < (least := needed(prices)):
        advice = "--airdrop 20 asks this chain for some" if chain.is_local else "send it some"
        raise NotEnoughMoney(f"{payer} has {in_sol(balance)} and needs {in_sol(least)} for a moment: {advice}")


def _refuse_replacing(chain: Chain, replaced: list[str], *, upgrade: bool) -> None:
    if replaced and not upgrade:
        raise SiteError(
            f"{chain.name} runs other bytes of {', '.join(replaced)}: compare with `meterbridge site verify`; "
            "`meterbridge site deploy --upgrade` replaces them"
        )


def _tell_prices(prices: dict[str, Price]) -> None:
    for name, cost in prices.items():
        if cost.action == "unchanged":
            say(f"{name}: unchanged")
            continue
        say(
            f"{name}: {cost.action}, {cost.size:,} bytes in {cost.transactions} transactions, {in_sol(cost.spent)} "
            f"(rent {in_sol(cost.rent)}); {in_sol(cost.lent)} more are lent and come back"
        )
    total = sum(cost.spent for cost in prices.values())
    say(f"in all {in_sol(total)}; the payer must have {in_sol(needed(list(prices.values())))}")


def _keys_in(folder: Path | None, chain: Chain, programs: Programs) -> Callable[[str], Keypair | None]:
    """The programs' keypairs; only those of programs that are not there yet are read."""
    if folder is None:
        return development_key

    def key_of(name: str) -> Keypair | None:
        there = loader.look(chain, programs.id(name))
        return None if there else load_wallet(folder / f"{name}.json", f"the program {name}")

    return key_of


@contextmanager
def _bars() -> Iterator[Callable[[str, str, int, int], None]]:
    """A bar a program, on stderr."""
    columns = (
        TextColumn("{task.description:<13}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars: dict[str, Any] = {}

        def show(name: str, what: str, done: int, total: int) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=total, what=what)
            if what in {"starting", "verified"}:
                progress.update(bars[name], what=what)
            else:
                progress.update(bars[name], completed=done, total=total, what=what)

        yield show
