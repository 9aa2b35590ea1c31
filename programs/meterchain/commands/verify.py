"""`meterbridge verify`: one record, its signature and the registry's saved account, without a network.

A record's file is JSON: {"record": 192 hexadecimal digits, "signature": 128}; other keys are left alone.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from meterchain import programs as built
from meterchain.commands.session import CHECK_SAID_NO, AsJson, ProgramsDir, say
from meterchain.ocmf import NOTICE, findings, ocmf_style
from meterchain.record import DOMAIN_SIZE, SIGNATURE_SIZE, Record, RecordError
from meterchain.saved_account import load_account

STDIN = "-"
_MOST = 65_536

app = typer.Typer(add_completion=False)


class NoRecord(Exception):
    """The file holds no signed record; the message says what it should hold."""


def a_domain(text: str) -> bytes:
    """A site's domain, 16 hexadecimal digits.  Raises typer.BadParameter."""
    try:
        domain = bytes.fromhex(text)
    except ValueError:
        domain = b""
    if len(domain) != DOMAIN_SIZE:
        raise typer.BadParameter(f"{text!r}: a domain has {2 * DOMAIN_SIZE} hexadecimal digits")
    return domain


@app.command()
def verify(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="JSON file with record and signature; - is stdin.")],
    account: Annotated[
        Path, typer.Option("--account", metavar="FILE", help="What `meterbridge meter show ID --save FILE` wrote.")
    ],
    domain: Annotated[
        bytes | None, typer.Option(parser=a_domain, metavar="HEX", help="The site's domain, if you know it.")
    ] = None,
    programs: ProgramsDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check a record and its signature against the registry's saved account, offline, and print it OCMF-style.

    OCMF-style is not OCMF: the signature is over the record's 96 bytes, so no OCMF verifier accepts it.
    Whether the chain took the record it cannot tell: `meterbridge meter show` and `meterbridge audit` ask the chain.
    Exit codes: 0 all that was checked holds, 1 something does not, 2 no record or no account in its file.
    """
    encoded, signature = read_signed(record)
    ours, saved, decoded = built.load(programs), load_account(account), Record.decode(encoded)
    shown = ocmf_style(decoded, signature)
    checks = list(findings(decoded, signature, saved, ours, domain))
    ok = all(check.ok for check in checks)
    if as_json:
        typer.echo(json.dumps({"schema": 1, "ok": ok, **shown, "checks": [asdict(check) for check in checks]}))
    else:
        typer.echo(NOTICE)
        typer.echo(json.dumps({"payload": shown["payload"], "signature": shown["signature"]}, indent=1))
        for check in checks:
            typer.echo(f"{'ok ' if check.ok else 'NO '} {check.name}: {check.detail}")
        if domain is None:
            say("the site was not checked: --domain HEX does (`meterbridge site status` shows it)")
    raise typer.Exit(0 if ok else CHECK_SAID_NO)


def read_signed(source: str) -> tuple[bytes, bytes]:
    """The record's bytes and the signature in a file, or from stdin.  Raises NoRecord and RecordError."""
    try:
        text = sys.stdin.read(_MOST) if source == STDIN else Path(source).read_text("utf-8")
        document: Any = json.loads(text)
        record, signature = bytes.fromhex(document["record"]), bytes.fromhex(document["signature"])
    except OSError as error:
        raise NoRecord(f"{source}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise NoRecord(
            f'{source}: no signed record ({error}); JSON is expected: {{"record": HEX, "signature": HEX}}, as '
            "`meterbridge agent record` prints it"
        ) from None
    if len(signature) != SIGNATURE_SIZE:
        raise RecordError(f"{source}: a signature has {SIGNATURE_SIZE} bytes, not {len(signature)}")
    return record, signature
