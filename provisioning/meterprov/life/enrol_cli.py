"""`meterbridge provision enrol`: from a node's claim to its first verified reading."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from solders.pubkey import Pubkey

from meterchain.claim import Claim
from meterchain.commands.session import WALLET, AsJson, Authority, DryRun, an_address, say
from meteredge.doctor.sheet import Check, Sheet
from meterprov.image_cli import ManifestFile, Site
from meterprov.life.judgement import Case, Shown, Vouched, a_display, judge, refusals
from meterprov.life.options import Rpc, office

REFUSED = 4
_MARKS = {"pass": "✓", "warn": "!", "fail": "✗", "not applicable": "·"}

ClaimFile = Annotated[Path, typer.Argument(metavar="CLAIM", help="claim.json from the node's card.")]
Owner = Annotated[
    Pubkey | None,
    typer.Option(parser=an_address, metavar="WALLET", help="Whom the energy pays, if the site file names none."),
]
DirectionBy = Annotated[
    str | None,
    typer.Option("--direction-proved-by", metavar="NAME", help="Who saw that a load which was switched is import."),
]
SheetFile = Annotated[
    Path | None, typer.Option("--sheet", metavar="FILE", help="What `meterbridge doctor --load WATTS --json` printed.")
]
_DISPLAY = "The meter's display, digit by digit."
DisplayExport = Annotated[
    Shown | None, typer.Option("--display-export", parser=a_display, metavar="KWH", help=_DISPLAY)
]
DisplayImport = Annotated[
    Shown | None, typer.Option("--display-import", parser=a_display, metavar="KWH", help=_DISPLAY)
]
DisplayAfter = Annotated[
    float, typer.Option("--display-after", min=0, max=1440, metavar="MINUTES", help="Read so long after the claim.")
]
NoSerial = Annotated[
    bool, typer.Option("--no-serial", help="The wire does not tell the serial number; it was read off the plate.")
]
Wait = Annotated[float, typer.Option("--wait", min=0, metavar="MINUTES", help="How long to wait for the first record.")]


def enrol(
    context: typer.Context,
    claim_file: ClaimFile,
    site: Site,
    owner: Owner = None,
    direction_by: DirectionBy = None,
    sheet: SheetFile = None,
    display_export: DisplayExport = None,
    display_import: DisplayImport = None,
    display_after: DisplayAfter = 0.0,
    building: Annotated[str, typer.Option(help="Public, for ever; at most 32 bytes.")] = "",
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A paper whose sha256 goes on the chain instead of the claim's.")
    ] = None,
    authority: Authority = WALLET,
    rpc: Rpc = None,
    manifest: ManifestFile = None,
    wait_min: Wait = 20.0,
    *,
    no_serial: NoSerial = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for the first record.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Judge a node's claim, assign its meter on the chain, wait for the first verified record.

    The claim is compared with the site file, the doctor's sheet and the meter's display.  Run again it finishes what
    was cut short.  Exit codes: 0 enrolled, 2 no claim or wrong site file, 3 the chain cannot be reached, 4 refused,
    75 enrolled, but no record came yet.
    """
    from meterchain.claim import read_claim
    from meterchain.commands.meter import assign_claimed, wanted_by
    from meterchain.commands.session import described, tell_sent
    from meterchain.wallets import load_wallet
    from meteredge.clock import SystemClock
    from meteredge.profiles import load
    from meterprov import manifest as facts
    from meterprov.life.enrol import NoReadingYet, kind_of, refuse_unknown_owner, wait_for_reading, without_money
    from meterprov.life.papers import enrolled, first_reading, is_enrolled, read_sheet

    here, claim, clock = office(site, manifest), read_claim(claim_file), SystemClock()
    meter = here.site.meter(claim.meter_id)
    vouched = Vouched(
        owner, direction_by, None if sheet is None else read_sheet(sheet, claim.meter_id), display_export,
        display_import, display_after * 60, no_serial,
    )  # fmt: skip
    case = Case(claim, here.site, meter, load(meter.profile), vouched)
    checks = judge(case)
    document: dict[str, Any] = {"schema": 1, "dry_run": dry_run, **shown(claim), "checks": lines_of(checks)}
    if not as_json:
        show(claim, checks)
    if is_enrolled(here.manifest, claim):
        say(f"{claim.meter_id} was judged and enrolled by this claim's key before")
    elif wrong := refusals(checks):
        refuse(wrong, document, as_json=as_json)
    signer = load_wallet(authority.expanduser(), "the authority")
    paper = certificate or claim_file
    wanted = wanted_by(claim, kind_of(case.profile), meter.max_export_w, meter.max_import_w, building, paper)
    with here.chain(context, rpc, dry_run=dry_run) as there:
        refuse_unknown_owner(there, claim)
        assign_claimed(there, signer, claim, wanted)
        document["sent"] = described(there)
        if not dry_run:
            facts.append_once(here.manifest, enrolled(case, checks, int(clock.utc())))
            say(f"{claim.meter_id} is enrolled; {here.manifest} says so")
        tell_sent(there)
        if poor := without_money(there, claim):
            say(f"the wallet that pays for its deliveries holds next to nothing: send SOL to {poor}")
        found, late = None, None
        try:
            if not dry_run:
                most_s = 0 if no_wait else wait_min * 60
                found = wait_for_reading(there, claim.meter_id, claim.install_id, clock, most_s, say)
        except NoReadingYet as error:
            late = error
    if found is not None:
        facts.append_once(here.manifest, first_reading(claim, found, int(clock.utc())))
    document["reading"] = None if found is None else asdict(found)
    if as_json:
        typer.echo(json.dumps(document))
    elif found is not None:
        typer.echo(f"first record: number {found.seq}, verified on the chain")
    if late is not None and not no_wait:
        raise late


def shown(claim: Claim) -> dict[str, Any]:
    """The claim, for a machine."""
    from meterprov.fingerprint import fingerprint

    return {
        "meter_id": claim.meter_id,
        "fingerprint": fingerprint(claim.public_key),
        "claim": claim.model_dump(mode="json", by_alias=True),
    }


def show(claim: Claim, checks: Sequence[Check]) -> None:
    """The claim and what was found, for people."""
    from meterchain.commands.meter_views import kwh
    from meterprov.fingerprint import fingerprint

    board = None if claim.node is None else claim.node.board_serial
    typer.echo(f"{claim.meter_id}, install {claim.install_id}, {claim.model} serial {claim.serial}")
    key = f"{fingerprint(claim.public_key)}, level {claim.key_level.word}"
    typer.echo(f"key fingerprint {key}, board {board or 'unknown'}")
    typer.echo(f"begins at {kwh(claim.baseline_export_mwh)} kWh export, {kwh(claim.baseline_import_mwh)} kWh import")
    width = max(len(check.title) for check in checks) + 2
    for check in checks:
        first, *more = check.fact.split("; ") if check.name == "certainty" else [check.fact]
        typer.echo(f"{_MARKS[check.verdict]} {check.title:<{width}}{first}")
        for line in more:
            typer.echo(f"  {'':<{width}}{line}")
        if check.next_step:
            typer.echo(f"  {'':<{width}}→ {check.next_step}")


def lines_of(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """The checks as the doctor's sheet has them."""
    lines: list[dict[str, Any]] = Sheet(None, 0.0, tuple(checks)).document()["checks"]
    return lines


def refuse(wrong: Sequence[Check], document: dict[str, Any], *, as_json: bool) -> None:
    """Say that nothing was sent, and leave with 4."""
    if as_json:
        typer.echo(json.dumps(document))
    what = ", ".join(check.title for check in wrong)
    say(f"refused, nothing was sent: {what}")
    raise typer.Exit(REFUSED)
