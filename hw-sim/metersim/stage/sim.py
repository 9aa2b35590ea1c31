"""`meterbridge sim`: a meter on a pseudo-terminal for any Modbus master, recordings, and the scenarios.

What a machine wants goes to stdout, everything else to stderr.  Ctrl-C ends a server with 130, SIGTERM with 0.
"""

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from meteredge import frame_log
from meteredge.profiles import load
from metersim.bus import running
from metersim.bus.catalogue import fault_from_words
from metersim.bus.line import Line
from metersim.bus.loop import SegmentPlan
from metersim.bus.running import RunningBuses
from metersim.meters.installation import Installation
from metersim.meters.meter import USUAL_LINE, MeterPlan
from metersim.stage.frames import log_of, stations_of

FRAME_ENDS_S = 0.05
"""By then the silence after the last frame has shown that it is over."""
PV_W_A_PHASE = 3_000
START_KWH = 1_234
_MWH = 1_000_000

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Meters without hardware.")

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Link = Annotated[Path | None, typer.Option(help="A symbolic link to the port, under a name that stays the same.")]


@app.command()
def run(
    meter: Annotated[str, typer.Option(help="A profile or alias, e.g. sdm630, or a profile's file.")] = "sdm630",
    unit: Annotated[int, typer.Option(min=1, max=247, help="Its Modbus address.")] = 1,
    baud: Annotated[int | None, typer.Option(min=300, help="Without: the model's factory setting.")] = None,
    character: Annotated[str | None, typer.Option("--format", help="8N1, 8E1, 8O1 or 8N2.")] = None,
    serial: Annotated[str, typer.Option(help="Its serial number.")] = "10000001",
    seed: Annotated[int, typer.Option(min=0, help="Loads and weather follow from it.")] = 1,
    speed: Annotated[float, typer.Option(min=0, help="How many times faster its day passes; 0 stands still.")] = 1.0,
    fault: Annotated[
        list[str] | None, typer.Option(help='What goes wrong, e.g. "late_reply delay_s=0.6"; may repeat.')
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Write all frames to this file when it ends.")] = None,
    *,
    link: Link = None,
    as_json: AsJson = False,
) -> None:
    """Serve one meter until stopped; any Modbus master can read it."""
    profile = load(meter)
    line = Line(baud or profile.default.baud or USUAL_LINE.baud, character or profile.default.format or "8N1")
    phases = max(profile.phases)
    now, began_s = time.time(), time.monotonic()
    plan = MeterPlan(
        meter,
        Installation(seed=seed, weather_seed=seed, phases=phases, pv_peak_w=PV_W_A_PHASE * phases),
        line,
        unit,
        serial,
        since_utc=now,
        import_mwh=START_KWH * _MWH,
        export_mwh=START_KWH * _MWH,
    )
    plan.build()
    faults = tuple(fault_from_words(words) for words in fault or ())
    segment = SegmentPlan(line, (plan,), faults, seed, link, eavesdrop=record is not None)
    with _served(segment, now, speed) as (buses, until_stopped):
        _tell(buses.ports[0], line, link, as_json=as_json, unit=unit, what=f"{profile.maker} {profile.model}")
        until_stopped.wait()
        if record is not None:
            time.sleep(FRAME_ENDS_S)
            frame_log.write(record, log_of(buses.overheard(0), line, now, began_s))


@app.command("record")
def record_frames(
    port: Annotated[str, typer.Option(help="The port to listen on; nothing is ever sent.")],
    out: Annotated[Path, typer.Option(help="The file for the frames.")],
    baud: Annotated[int, typer.Option(min=300)] = USUAL_LINE.baud,
    character: Annotated[str, typer.Option("--format", help="8N1, 8E1, 8O1 or 8N2.")] = USUAL_LINE.character,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="How long; without, until Ctrl-C.")] = None,
) -> None:
    """Listen on a bus where others talk, and write their frames to a file."""
    from metersim.stage.listen import listen

    stopped = _stop_signal()
    line = Line(baud, character)

    def told() -> None:
        typer.echo(f"listening on {port} at {baud} {character}; Ctrl-C ends", err=True)

    log = listen(port, line, stopped, seconds, told)
    frame_log.write(out, log)
    typer.echo(f"{len(log.frames)} frames in {out}", err=True)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="Frames of a support bundle, or of `sim record`.")],
    *,
    link: Link = None,
    as_json: AsJson = False,
) -> None:
    """Answer on a port as the recorded meters did, byte for byte, until stopped."""
    log = frame_log.read(file)
    line = Line(log.baud, log.character)
    stations = stations_of(log)
    if not stations:
        raise frame_log.FrameLogError(f"{file}: no question in it that a meter could answer")
    with _served(SegmentPlan(line, stations, link=link), log.began_utc, 1.0) as (buses, until_stopped):
        units = ", ".join(str(station.unit) for station in stations)
        _tell(buses.ports[0], line, link, as_json=as_json, unit=stations[0].unit, what=f"recorded units {units}")
        until_stopped.wait()


@app.command()
def scenarios(
    folder: Annotated[Path, typer.Argument(help="Folders with config.toml, faults.toml, expect.toml.")] = Path(
        "tests/scenarios"
    ),
    only: Annotated[str | None, typer.Option(help="Those whose name contains this.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Play scenarios with the real agent and programs in virtual time.  Exit code 1 if one is not as expected."""
    from metersim.stage.scenarios.table import tell_all

    raise typer.Exit(tell_all(folder, only, as_json=as_json))


@contextmanager
def _served(segment: SegmentPlan, utc: float, speed: float) -> Iterator[tuple[RunningBuses, threading.Event]]:
    """The bus in a process of its own, and an event that a signal to stop sets."""
    stopped = _stop_signal()
    with running.in_process([segment]) as buses:
        buses.set_time(utc, speed)
        yield buses, stopped
    if stopped.interrupted:
        raise KeyboardInterrupt


class _Stopped(threading.Event):
    interrupted = False


def _stop_signal() -> _Stopped:
    stopped = _Stopped()

    def stop(number: int, _frame: FrameType | None) -> None:
        stopped.interrupted = number == signal.SIGINT
        stopped.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    return stopped


def _tell(port: str, line: Line, link: Path | None, *, as_json: bool, unit: int, what: str) -> None:
    """Where the meter is: one line for people, one document for machines; then nothing more on stdout."""
    shown = str(link) if link else port
    if as_json:
        document = {"port": port, "link": str(link) if link else None, "baud": line.baud, "format": line.character}
        typer.echo(json.dumps({**document, "unit": unit}))
    else:
        typer.echo(f"{what} answers as unit {unit} on {shown} ({line.baud} baud {line.character})")
    typer.echo("Ctrl-C ends", err=True)
