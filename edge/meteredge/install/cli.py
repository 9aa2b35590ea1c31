"""`meterbridge agent install | uninstall | check | update | unit | key`: the agent on its machine."""

import json
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meteredge.start import DEFAULT_PATH

if TYPE_CHECKING:
    from meteredge.install.changes import Plan

app = typer.Typer(add_completion=False)

CHECK_FAILED = 2

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Root = Annotated[Path, typer.Option("--root", metavar="DIR", help="Another root folder: an image that is being made.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]


@app.command()
def install(
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="A configuration to put in place of the annotated one."),
    ] = None,
    root: Root = Path("/"),
    *,
    page: Annotated[bool, typer.Option("--page", help="Start the status page at boot too.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make this machine a node: users, services, udev rule, /etc/meterbridge/agent.toml, /var/lib/meterbridge.

    Run it again whenever you like: it does what is missing, and never writes over a configuration that somebody
    changed.  It starts nothing.  Exit codes: 0 done, 3 a step failed, 4 refused.
    """
    from meteredge.install import changes
    from meteredge.install.host import Host

    if page:
        _refuse_without_page()
    host = Host(root.resolve())
    text = None if config is None else _text_of(config)
    plan = changes.plan(host, config=text, page=page)
    _carry_out(plan, dry_run=dry_run, as_json=as_json)
    if not dry_run and not as_json:
        typer.echo(
            "next: fill in /etc/meterbridge/agent.toml, `meterbridge agent check`, `sudo -u meterbridge meterbridge "
            "agent key --new`, `sudo systemctl start meterbridge-agent`",
            err=True,
        )


@app.command()
def uninstall(
    root: Root = Path("/"),
    meter: Annotated[
        str | None, typer.Option("--meter", metavar="ID", help="With --purge, instead of typing the id when asked.")
    ] = None,
    *,
    purge: Annotated[bool, typer.Option("--purge", help="Destroy configuration, key and journal too.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take services, udev rule and links away; configuration, key and journal stay.

    --purge destroys them too, once the meter's id was typed, and never while a record waits for delivery.
    Exit codes: 0 done, 3 a step failed, 4 refused.
    """
    from meteredge.install.host import Host
    from meteredge.install.removal import removal

    host = Host(root.resolve())
    if purge and meter is None:
        meter = typer.prompt("This destroys the meter's key and journal. The meter's id", err=True)
    _carry_out(removal(host, purge_meter=meter if purge else None), dry_run=dry_run, as_json=as_json)


@app.command()
def check(
    config: Annotated[Path, typer.Option("--config", metavar="FILE", help="The agent's configuration.")] = DEFAULT_PATH,
    *,
    as_json: AsJson = False,
) -> None:
    """Say everything that is wrong with the configuration; touches no port and no chain.

    Exit codes: 0 the agent can start with it, 2 it cannot.
    """
    import meteredge.service  # noqa: F401  what `agent run` loads: a library that is missing is missed here
    from meteredge.install.check import mistakes

    found = mistakes(config)
    if as_json:
        typer.echo(json.dumps({"schema": 1, "file": str(config), "ok": not found, "mistakes": list(found)}))
    else:
        for line in found or (f"{config}: good",):
            typer.echo(line)
    raise typer.Exit(CHECK_FAILED if found else 0)


@app.command()
def update(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="BUNDLE", help="What `provision update-bundle` made, copied to this node.")
    ] = None,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for a quiet moment, up to an hour.")] = False,
    with_unsent: Annotated[
        bool, typer.Option("--with-unsent", help="Even while records wait to be delivered.")
    ] = False,
    allow_older: Annotated[bool, typer.Option("--allow-older", help="Go back to an older version.")] = False,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="BUNDLE is a folder of wheels that nobody signed: for development.")
    ] = False,
    recover: Annotated[
        bool, typer.Option("--recover", help="Only go back from an update that was cut short; systemd asks at boot.")
    ] = False,
    at_boot: Annotated[
        bool, typer.Option("--at-boot", hidden=True, help="Systemd starts the agent afterwards.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run the version in BUNDLE from now on: verified, made in the other slot, tried, switched to; back if it fails.

    Exit codes: 0 done or nothing to do, 3 failed and the old version runs, 4 refused, 75 a slot is unsent, try again.
    """
    import signal
    from contextlib import nullcontext

    from meteredge.clock import SystemClock
    from meteredge.install import update as updating
    from meteredge.install.host import Host

    if recover == (bundle is not None):
        raise typer.BadParameter("name a BUNDLE, or --recover and nothing else")
    host = Host()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a connection that breaks must not cut the update short
    if bundle is None:
        cut = updating.recover(host, _say, at_boot=at_boot)
        typer.echo(json.dumps({"schema": 1, "recovered": cut is not None, "slot": cut and cut.was}) if as_json else
                   "no update was cut short" if cut is None else f"/opt/meterbridge/{cut.was} runs again")  # fmt: skip
        return
    if unsigned != bundle.is_dir():
        raise typer.BadParameter(f"{bundle}: a bundle is a file; a folder of wheels needs --unsigned")
    source = (
        nullcontext(updating.folder_of_wheels(bundle.resolve()))
        if unsigned
        else updating.signed_bundle(host, bundle, _say, allow_older=allow_older)
    )
    with source as release:
        done = updating.update(host, release, SystemClock(), _say, updating.Wishes(wait, with_unsent, dry_run))
    if as_json:
        facts = {} if done is None else {"slot": done.slot, "version": done.version, "was": done.was}
        typer.echo(json.dumps({"schema": 1, "dry_run": dry_run, "changed": done is not None and not dry_run, **facts}))
    elif done is None:
        typer.echo("nothing to do: this version runs already")
    elif dry_run:
        typer.echo(
            f"would make /opt/meterbridge/{done.slot}, try it and switch to {done.version or 'it'}; the moment is right"
        )
    else:
        typer.echo(f"meterbridge {done.version} runs from /opt/meterbridge/{done.slot}")


@app.command()
def unit(name: Annotated[str, typer.Argument(help="agent, claim, page, keeper, relay or recover")]) -> None:
    """Print a systemd unit as it is installed, its sandbox included."""
    from meteredge.install.unit_files import SERVICES, unit_text

    if name not in SERVICES:
        raise typer.BadParameter(f"{name!r}: there is {', '.join(SERVICES)}")
    typer.echo(unit_text(name), nl=False)


@app.command()
def key(
    config: Annotated[Path, typer.Option("--config", metavar="FILE", help="The agent's configuration.")] = DEFAULT_PATH,
    *,
    new: Annotated[bool, typer.Option("--new", help="Make the key and the wallet if there is none yet.")] = False,
) -> None:
    """Print the addresses of this node's two keys, as JSON: the meter's, and the wallet's that pays for delivery.

    To be run as the agent's user.  Exit codes: 0 printed, 2 configuration, 3 no key, 4 a key that cannot be used.
    """
    from meteredge.claim import own_addresses

    typer.echo(json.dumps(own_addresses(config, new=new)))


def _say(what: str) -> None:
    """Progress; whoever read it may be gone."""
    with suppress(OSError):
        typer.echo(what, err=True)


def _refuse_without_page() -> None:
    """Raises InstallRefused if this environment, which the services will run, cannot serve the page."""
    from meteredge.install.errors import InstallRefused

    missing = [name for name in ("starlette", "uvicorn", "prometheus_client") if find_spec(name) is None]
    if missing:
        raise InstallRefused(
            f"the status page needs {', '.join(missing)}, which {sys.prefix} has not; run {sys.prefix}/bin/pip install "
            "'meterbridge[web]', then this again"
        )


def _text_of(path: Path) -> str:
    from meteredge.config import ConfigError
    from meteredge.install.check import mistakes

    found = mistakes(path)
    if found:
        raise ConfigError("\n".join(found))
    return path.read_text("utf-8")


def _carry_out(plan: "Plan", *, dry_run: bool, as_json: bool) -> None:
    from meteredge.install.changes import carry_out

    if not dry_run:
        carry_out(plan.steps, lambda what: typer.echo(what, err=True))
    done = [step.what for step in plan.steps]
    if as_json:
        typer.echo(json.dumps({"schema": 1, "dry_run": dry_run, "steps": done, "kept": list(plan.kept)}))
        return
    if dry_run:
        for what in done:
            typer.echo(f"would {what}")
    for line in plan.kept:
        typer.echo(f"kept {line}")
    if not done:
        typer.echo("nothing to do")
