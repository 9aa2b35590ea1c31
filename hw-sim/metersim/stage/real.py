"""Finding out what hangs on a port of this machine: which profile answers there, and at which speed."""

from collections.abc import Iterator

from meteredge.bus import Bus
from meteredge.bus_errors import BusError, NoReply
from meteredge.clock import Clock
from meteredge.port import RtuPort
from meteredge.profiles import Profile, load, names
from meteredge.reader import Reader
from metersim.bus.line import Line
from metersim.stage.cast import PROFILES
from metersim.stage.demo import RealMeter
from metersim.stage.show import Show

USUAL_BAUD = 9_600
USUAL_CHARACTER = "8N1"


def find_meter(
    port: str, unit: int, clock: Clock, show: Show, *, profile: str | None, baud: int | None, character: str | None
) -> RealMeter:
    """The meter on `port`, read once to be sure; what is None is tried out, the usual first.

    Raises NoReply if nothing that is known answers, and the errors of opening a port.
    """
    wanted = [profile] if profile else list(dict.fromkeys((*PROFILES, *names())))
    tries = [(name, line) for name in wanted for line in _lines(load(name), baud, character)]
    show.scene(f"Looking for a meter on {port}", len(tries))
    why: BusError | None = None
    for name, line in tries:
        bus = Bus(RtuPort(port, line.baud, line.character, clock), clock)
        try:
            reader = Reader(bus, unit, load(name), clock)
            reader.identify()
            reader.read()
        except BusError as error:
            show.step(f"{name} {line.baud} {line.character}")
            why = error
        else:
            return RealMeter(port, name, unit, line)
        finally:
            bus.close()
    raise NoReply(
        f"no meter that is known answers as unit {unit} on {port} ({len(tries)} combinations tried; the last: {why})",
        "name what is there with --meter, --baud, --format and --unit, and check power and the wires A and B",
    )


def _lines(profile: Profile, baud: int | None, character: str | None) -> Iterator[Line]:
    """The speeds to try: the one given, or the factory's and then the usual one."""
    factory = profile.default
    bauds = (baud,) if baud else (factory.baud or USUAL_BAUD, USUAL_BAUD)
    for speed in dict.fromkeys(bauds):
        yield Line(speed, character or factory.format or USUAL_CHARACTER)
