"""`meter key-level`: where a meter's present key lies: a file, this board, a chip."""

from typing import Annotated, Literal

import typer

from meterchain import instructions
from meterchain.accounts import KeyLevel
from meterchain.commands.meter_views import MeterId, level_row, meter_of
from meterchain.commands.recorded import attempt
from meterchain.commands.session import (
    LOCAL,
    WALLET,
    AsJson,
    Authority,
    DryRun,
    ProgramsDir,
    Rpc,
    conclude,
    present,
    session,
)
from meterchain.wallets import load_wallet

Level = Literal["file", "board", "chip"]


def key_level(
    context: typer.Context,
    meter_id: MeterId,
    level: Annotated[
        Level | None,
        typer.Argument(help="file: who has the card has the key; board: bound to its Pi; chip: it never comes out."),
    ] = None,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show or state what a thief must beat to get a meter's key.

    `meter assign`, `rotate-key` and `replace` state it by the claim; this is for what was enrolled before, or changed.
    Exit codes: 0 shown or stated, 2 no such meter, 3 the chain cannot be reached, 4 refused.
    """
    with session(context, rpc, programs, dry_run=dry_run) as here:
        meter = meter_of(here, meter_id)
        wanted = KeyLevel[level.upper()] if level else meter.key_level
        if wanted != meter.key_level:
            signer = load_wallet(authority.expanduser(), "the authority")
            step = instructions.set_key_level(here.programs, signer.pubkey(), meter_id, meter.meter_key, wanted)
            attempt(lambda: here.chain.send([step], [signer]))
        now = meter_of(here, meter_id)
        document = {"meter_id": meter_id, "meter_key": str(now.meter_key), "key_level": now.key_level.word}
        rows = [("key", str(now.meter_key)), ("key level", level_row(now))]
        if level is None:
            present(document, rows, as_json=as_json)
        else:
            conclude(here, document, rows, as_json=as_json)
