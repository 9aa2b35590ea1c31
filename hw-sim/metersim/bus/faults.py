"""What goes wrong with the characters on a bus, as objects that can be put together; the hooks are those of `fault`.

Faults of chance have a `probability` per reply, or `per_character`.  `intruders` holds who speaks unasked, `moods` what
meters do at their worst; `catalogue` knows all of them by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from metersim.bus.fault import Fault as Fault
from metersim.bus.fault import Scene as Scene
from metersim.bus.line import Line
from metersim.bus.symbols import Symbol, back_to_back, shifted


@dataclass(frozen=True, slots=True)
class LateReply(Fault):
    """The reply starts `delay_s` later, in a share `probability` of transactions."""

    delay_s: float
    probability: float = 1.0

    def on_reply(self, reply: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        """The reply, later."""
        return shifted(reply, self.delay_s) if scene.chance.random() < self.probability else reply


@dataclass(frozen=True, slots=True)
class Silence(Fault):
    """No reply, in a share `probability` of transactions; from one unit, or from all (None)."""

    probability: float = 1.0
    unit: int | None = None

    def on_reply(self, reply: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        """Nothing."""
        if self.unit is not None and scene.unit != self.unit:
            return reply
        return () if scene.chance.random() < self.probability else reply


@dataclass(frozen=True, slots=True)
class Echo(Fault):
    """An adapter that hears itself: the master reads back every character that it sends."""

    def on_request(self, sent: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:  # noqa: ARG002
        """The request itself."""
        return sent


@dataclass(frozen=True, slots=True)
class LeadZero(Fault):
    """`count` stray 0x00 before the reply, in a share `probability` of transactions: a line without bias resistors."""

    count: int = 1
    probability: float = 1.0

    def on_reply(self, reply: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        """Zeros, then the reply, which starts when it would have."""
        if not reply or scene.chance.random() >= self.probability:
            return reply
        return [*back_to_back(bytes(self.count), reply[0].start_s - self.count * scene.char_s, scene.char_s), *reply]


@dataclass(frozen=True, slots=True)
class BitFlip(Fault):
    """Each character of a reply (with `requests`, of a request too) has one bit turned over by chance."""

    per_character: float
    requests: bool = False

    def on_reply(self, reply: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        """The reply with some bits turned."""
        return [
            replace(s, value=s.value ^ 1 << scene.chance.randrange(8))
            if scene.chance.random() < self.per_character
            else s
            for s in reply
        ]

    def on_sent(self, sent: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        """The request, with some bits turned if `requests`."""
        return self.on_reply(sent, scene) if self.requests else sent


@dataclass(frozen=True, slots=True)
class LostBytes(Fault):
    """Each character of a reply (with `requests`, of a request too) is lost by chance; the wire is silent meanwhile."""

    per_character: float
    requests: bool = False

    def on_reply(self, reply: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        """The reply with holes."""
        return [symbol for symbol in reply if scene.chance.random() >= self.per_character]

    def on_sent(self, sent: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        """The request, with holes if `requests`."""
        return self.on_reply(sent, scene) if self.requests else sent


@dataclass(frozen=True, slots=True)
class ExtraBytes(Fault):
    """After each character of a reply another one comes by chance, which nobody sent; the rest is later by as much."""

    per_character: float

    def on_reply(self, reply: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        """The reply with strangers in it."""
        travels: list[Symbol] = []
        late_s = 0.0
        for symbol in shifted(reply, 0.0):
            travels += shifted([symbol], late_s)
            if scene.chance.random() < self.per_character:
                travels += back_to_back(bytes([scene.chance.randrange(256)]), travels[-1].end_s, scene.char_s)
                late_s += scene.char_s
        return travels


@dataclass(frozen=True, slots=True)
class Truncation(Fault):
    """Only the first `keep` characters of a reply arrive (None: a random number), in a share of transactions."""

    keep: int | None = None
    probability: float = 1.0

    def on_reply(self, reply: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        """Its beginning."""
        if not reply or scene.chance.random() >= self.probability:
            return reply
        return reply[: scene.chance.randrange(len(reply)) if self.keep is None else self.keep]


@dataclass(slots=True)
class BrownOut(Fault):
    """The meter's supply fails in the middle of a reply: its rest and what follows for `dark_s` are missing.

    It happens in a share `probability` of replies, `times` times in all.
    """

    dark_s: float
    times: int = 1
    probability: float = 1.0
    _dark_until_s: float = field(default=float("-inf"), init=False, compare=False)
    _happened: int = field(default=0, init=False, compare=False)

    def on_reply(self, reply: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        """The reply while there is power, half a reply as it goes, nothing while there is none."""
        if not reply or reply[0].start_s < self._dark_until_s:
            return ()
        if self._happened >= self.times or scene.chance.random() >= self.probability:
            return reply
        self._happened += 1
        self._dark_until_s = reply[0].start_s + self.dark_s
        whole = reply[: 1 + scene.chance.randrange(len(reply) - 1)]
        return [*whole[:-1], replace(whole[-1], value=whole[-1].value & 0x0F, damaged=True)]


@dataclass(frozen=True, slots=True)
class WrongLine(Fault):
    """The meters' ports have another speed or character format than the master's: neither understands the other."""

    baud: int
    character: str = "8N1"

    @property
    def line(self) -> Line:
        """How they are set."""
        return Line(self.baud, self.character)


@dataclass(frozen=True, slots=True)
class SwappedPair(Fault):
    """A and B of the master are swapped on a biased bus: no meter understands it, and its idle line reads as a break.

    A receiver takes a break for one zero without a stop bit, each time that its own transmitter lets go of the line.
    """

    def on_sent(self, sent: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:  # noqa: ARG002
        """Characters upside down."""
        return [replace(symbol, value=symbol.value ^ 0xFF, damaged=True) for symbol in sent]

    def on_request(self, sent: Sequence[Symbol], scene: Scene) -> Sequence[Symbol]:
        """The break."""
        return [replace(symbol, damaged=True) for symbol in back_to_back(b"\0", sent[-1].end_s, scene.char_s)]


@dataclass(frozen=True, slots=True)
class Unplugged(Fault):
    """The adapter is out of its socket; when this fault ends it is back, on a pty under another name."""

    unplugs = True
