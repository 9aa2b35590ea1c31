"""`meterbridge provision label`: a sheet of labels."""

import json
from pathlib import Path
from typing import Annotated

import typer

from meterprov.image_cli import ManifestFile, Site, manifest_beside


def label(
    site: Site,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PDF", help="Where the sheet goes.")],
    node: Annotated[
        list[str] | None, typer.Option("--node", metavar="METER", help="Only this meter; may be repeated.")
    ] = None,
    claim: Annotated[
        list[Path] | None, typer.Option("--claim", metavar="FILE", help="A node's claim: its key goes onto the label.")
    ] = None,
    skip: Annotated[int, typer.Option(min=0, max=9, help="Places of the first sheet that are used up.")] = 0,
    font: Annotated[Path | None, typer.Option(metavar="TTF", help="For a site's name beyond Western letters.")] = None,
    manifest: ManifestFile = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Draw labels, ten on a page of A4: meter id, QR code (id, site, fingerprint of the key; no owner), lights."""
    from meterprov.extra import need_extra

    need_extra()
    from meterchain.claim import read_claim
    from meteredge.clock import SystemClock
    from meterprov import manifest as facts
    from meterprov.label import LabelError, label_of, sheet
    from meterprov.site_file import load_site

    described = load_site(site)
    claims = {made.meter_id: made.public_key for made in map(read_claim, claim or ())}
    meters = [described.meter(name) for name in node] if node else list(described.meters)
    if strangers := claims.keys() - {meter.id for meter in meters}:
        raise LabelError(f"claims for meters that get no label here: {', '.join(sorted(strangers))}")
    labels = [label_of(described, meter, claims.get(meter.id)) for meter in meters]
    kept = manifest or manifest_beside(site)
    void = {(fact.meter_id, fact.fingerprint) for fact in facts.read(kept) if isinstance(fact, facts.LabelVoid)}
    if dead := [each.meter_id for each in labels if (each.meter_id, each.fingerprint) in void]:
        raise LabelError(f"the key in the claim is retired: {', '.join(dead)}; take the claim of the present node")
    drawn = sheet(labels, skip=skip, font=font)
    try:
        output.write_bytes(drawn)
    except OSError as error:
        raise LabelError(f"{output}: cannot be written ({error.strerror})") from error
    now = int(SystemClock().utc())
    for each in labels:
        facts.append(kept, facts.Labelled(at=now, meter_id=each.meter_id, fingerprint=each.fingerprint))
    if as_json:
        found = [{"meter_id": each.meter_id, "fingerprint": each.fingerprint, "code": each.code} for each in labels]
        typer.echo(json.dumps({"schema": 1, "file": str(output), "labels": found}))
        return
    for each in labels:
        typer.echo(f"{each.meter_id:<17}{each.fingerprint or 'no key yet':<18}{each.code}")
    typer.echo(f"{output}: {len(labels)} labels; print it at 100 %", err=True)
