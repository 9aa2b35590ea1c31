"""`meterbridge profile list | show`: what is known of each meter model, and what of it nobody has confirmed yet."""

import json
from typing import Annotated, Any

import typer

from meteredge.plan import plan_reading
from meteredge.profiles import Profile, load, names

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Meter models: what is known, and how surely.")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
USUAL_BAUD = 9_600


@app.command("list")
def list_all(*, as_json: AsJson = False) -> None:
    """All models that are shipped."""
    profiles = [load(name) for name in names()]
    if as_json:
        typer.echo(json.dumps([_head(profile) for profile in profiles]))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("profile", "also", "meter", "settles energy", "not confirmed", box=None, pad_edge=False)
    for profile in profiles:
        head = _head(profile)
        settles = "yes" if profile.billing else "no"
        table.add_row(profile.name, ", ".join(profile.aliases), head["meter"], settles, str(len(head["not_confirmed"])))
    Console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A profile, one of its aliases, or a profile's file.")],
    *,
    as_json: AsJson = False,
) -> None:
    """One model: its port, what the agent asks of it, and what nobody has confirmed.  Exit code 2: not a profile."""
    document = describe(load(name))
    if as_json:
        typer.echo(json.dumps(document))
        return
    for line in _for_people(document):
        typer.echo(line)


def describe(profile: Profile) -> dict[str, Any]:
    """All that a person who chooses or enrols this meter should see.  Raises ProfileError."""
    default = profile.default
    return {
        **_head(profile),
        "status": profile.status,
        "phases": list(profile.phases),
        "phase_accounting": profile.phase_accounting,
        "default": {"unit": default.address, "baud": default.baud, "format": default.format},
        "identity": profile.identity_level,
        "quantum_wh": float(profile.energy_quantum_wh),
        "response_ms": profile.response_ms.max,
        "min_gap_ms": profile.min_gap_ms,
        "import": list(profile.import_registers),
        "export": list(profile.export_registers),
        "requests": [
            {
                "for": block.role,
                "function": block.fc,
                "address": block.address,
                "words": block.words,
                "registers": [register.name for register in block.registers],
            }
            for block in plan_reading(profile, default.baud or USUAL_BAUD).blocks
        ],
        "notes": dict(profile.notes),
        "sources": dict(profile.sources),
    }


def _head(profile: Profile) -> dict[str, Any]:
    return {
        "profile": profile.name,
        "aliases": list(profile.aliases),
        "meter": f"{profile.maker} {profile.model}",
        "billing": profile.billing,
        "not_confirmed": list(profile.warnings()),
    }


def _for_people(document: dict[str, Any]) -> list[str]:
    default = document["default"]
    port = f"unit {default['unit']}, {default['baud'] or '?'} baud {default['format'] or '?'} from the factory"
    pace = f"answers within {document['response_ms']} ms, wants {document['min_gap_ms']} ms between questions"
    imported, exported = (" + ".join(document[way]) or "none" for way in ("import", "export"))
    lines = [
        f"{document['profile']}: {document['meter']}, {document['status']}",
        f"port      {port}; {pace}",
        f"energy    import {imported}, export {exported}, in steps of {document['quantum_wh']:g} Wh",
        "a reading asks for",
    ]
    for ask in document["requests"]:
        where = f"function {ask['function']}, {ask['words']} words at 0x{ask['address']:04X}"
        lines.append(f"  {ask['for']:<9} {where}: {', '.join(ask['registers'])}")
    lines.append("not confirmed" if document["not_confirmed"] else "everything that money depends on is confirmed")
    lines += [f"  {line}" for line in document["not_confirmed"]]
    lines += [f"note      {text}" for text in document["notes"].values()]
    return lines
