"""What the wire says: silence, noise, echo, collision, wrong speed, two devices on one address, swapped wires."""

from meteredge.doctor.checks.known import known
from meteredge.doctor.facts import Facts, Found, Unknown, WireFacts
from meteredge.doctor.sheet import Check, Line

GOOD_SHARE = 0.98
"""Less than this share of answered questions is worth a look."""
NOISE_BYTES_PER_QUESTION = 2.0

_WIRING = Line("wire", "wiring", "wiring")
_ECHO = Line("wire", "echo", "echo")
_BIAS = Line("wire", "bias", "bias resistors")
_SECOND_MASTER = Line("wire", "second_master", "second master")
_BRIDGE = Line("wire", "bridge", "bridge")

LOOK_AT_THE_LINE = "look for a missing 120 Ω at an end, a loose wire, a star instead of a chain, no common wire"
SWAP = "swap A and B at this node: makers name them differently"


def _wire(facts: Facts) -> Found[WireFacts]:
    return facts.wire


@known(_WIRING, _wire)
def wiring(_facts: Facts, wire: WireFacts) -> Check:
    """What came back, as a whole."""
    tally = f"{wire.answered + wire.exceptions} of {wire.asked} questions answered"
    if wire.breaks_everywhere:
        return _WIRING.failed(
            "a break (characters without a stop bit) after each question, at every setting, and no answer", SWAP
        )
    if wire.doubled:
        return _WIRING.failed(
            f"two answers to one question, {wire.doubled} times: two devices have one address",
            "unplug one of them, give it another unit id, plug it in again; `meterbridge scan` lists what is there",
        )
    if not wire.answered and not wire.exceptions:
        return _nothing_good(wire, tally)
    lost = wire.asked - wire.answered - wire.exceptions
    if wire.asked and lost / wire.asked > 1 - GOOD_SHARE:
        kinds = _kinds(wire)
        return _WIRING.warned(f"{tally}: {kinds}", LOOK_AT_THE_LINE if wire.damaged else _slow(wire))
    return _WIRING.passed(tally + (f" ({wire.settings})" if wire.settings else ""))


def _nothing_good(wire: WireFacts, tally: str) -> Check:
    if wire.answers_at:
        return _WIRING.failed(
            f"silent at {wire.settings}, answers at {', '.join(wire.answers_at)}",
            "correct `baud` and `framing` in [bus], or the meter's own settings",
        )
    if wire.damaged or wire.wrong:
        return _WIRING.failed(
            f"{tally}: {_kinds(wire)}",
            "wrong speed or parity, or two devices on one address: `meterbridge scan` tells which; else "
            + LOOK_AT_THE_LINE,
        )
    if wire.asked and wire.unasked_bytes / wire.asked > NOISE_BYTES_PER_QUESTION:
        return _WIRING.failed(
            f"noise: {wire.unasked_bytes} bytes without a question, and no answer",
            "fit bias resistors and a common wire; a broken transceiver or another master may babble",
        )
    if not wire.asked:
        return _WIRING.left_out("nothing was asked yet")
    tried = f", nor at {', '.join(wire.tried)}" if wire.tried else ""
    return _WIRING.failed(
        f"silent at {wire.settings}{tried}",
        "check in this order: the meter's power, both wires, A and B swapped, the unit id on its display",
    )


@known(_ECHO, _wire)
def echo(_facts: Facts, wire: WireFacts) -> Check:
    """The adapter does not hear itself."""
    if wire.echoes:
        return _ECHO.warned(
            f"the adapter hears itself ({wire.echoes} times); the copy is taken off",
            "set the adapter's jumper to two-wire without echo (/RE wired to DE), or leave it: it costs time only",
        )
    return _ECHO.passed("none")


@known(_BIAS, _wire)
def bias(_facts: Facts, wire: WireFacts) -> Check:
    """No stray zeros between frames."""
    if wire.leading_zeros:
        return _BIAS.warned(
            f"stray zeros before answers ({wire.leading_zeros} times): the idle line floats",
            "fit one pair of bias resistors (390 to 680 Ω) for the whole bus",
        )
    return _BIAS.passed("no stray zeros")


@known(_SECOND_MASTER, _wire)
def second_master(_facts: Facts, wire: WireFacts) -> Check:
    """Nobody else asks on this bus."""
    if wire.strangers:
        return _SECOND_MASTER.failed(
            f"somebody else asks on this bus ({len(wire.strangers)} times, e.g. {wire.strangers[0]})",
            "find it, inverters often are one, and give the meter a bus of its own; do not enrol it here",
        )
    return _SECOND_MASTER.passed("no question but ours")


def bridge(facts: Facts) -> Check:
    """The bridge is well, where there is one."""
    if facts.bridge is None:
        return _BRIDGE.left_out("none is configured")
    if isinstance(facts.bridge, Unknown):
        return _BRIDGE.left_out(facts.bridge.why)
    if trouble := facts.bridge.trouble:
        return _BRIDGE.failed(trouble.fact, trouble.next_step)
    values = facts.bridge.values
    version = f"firmware {values.get('firmware_version', 'unknown')}, up {float(values.get('uptime', 0)) / 3600:.1f} h"
    flags = int(values.get("flags", 0))
    if flags & 4:
        return _BRIDGE.failed(f"{version}: its storage failed", "replace the bridge: it cannot keep its settings")
    wrong = [
        text
        for found, text in (
            (flags & 1, "the service switch is closed: the guard is open"),
            (flags & 2, "the tamper contact is open"),
            (values.get("collisions"), f"{values.get('collisions', 0):g} collisions"),
            (values.get("unasked"), f"{values.get('unasked', 0):g} frames of another master"),
            (values.get("watchdog_resets"), f"{values.get('watchdog_resets', 0):g} restarts by its watchdog"),
        )
        if found
    ]
    if wrong:
        return _BRIDGE.warned(f"{version}: {', '.join(wrong)}", "docs/bridge.md says what each of its counts means")
    return _BRIDGE.passed(version)


def _kinds(wire: WireFacts) -> str:
    named = {
        "without an answer": wire.silent,
        "damaged": wire.damaged,
        "answers to another question": wire.wrong,
        "bytes that nobody asked for": wire.unasked_bytes,
    }
    return ", ".join(f"{number} {name}" for name, number in named.items() if number)


def _slow(wire: WireFacts) -> str:
    if wire.wrong:
        return "the meter answers later than its profile says: look for a second master, or set its response delay to 0"
    return "check the meter's power and its wires; a meter that is polled by two masters is silent now and then, too"
