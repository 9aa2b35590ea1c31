"""What a scan says in the end: one entry a device, what the bus itself was like, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from meteredge.scan.identify import Identified
from meteredge.scan.search import Found

SCHEMA = 1
NOISE_BYTES = 20
"""So many bytes without a question at one setting are no stray zeros any more."""


@dataclass(frozen=True, slots=True)
class ScanReport:
    """The outcome of a scan of `port`."""

    port: str
    devices: tuple[Identified, ...]
    found: Found
    stopped: bool = False
    """Somebody interrupted it."""

    @property
    def exit_code(self) -> int:
        """0 if something was found, 1 if not, 130 if it was interrupted."""
        return 130 if self.stopped else 0 if self.devices else 1

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "schema": SCHEMA,
            "port": self.port,
            "complete": self.found.complete,
            "stopped": self.stopped,
            "questions": sum(heard.asked for heard in self.found.heard),
            "devices": [_device(device) for device in self.devices],
            "hints": list(self.hints()),
        }

    def hints(self) -> tuple[str, ...]:
        """Sentences about the bus, each with what to do."""
        if self.stopped:
            return ("interrupted: run it again, narrower by --units, --baud or --framing",)
        return tuple(_hints(self.devices, self.found))


def says(device: Identified) -> tuple[str, str]:
    """What a device is, and how sure that is."""
    if device.two_devices:
        return "two devices on one address", device.two_devices
    if device.answering.nature == "damaged":
        return "something", "it answers, and every answer is damaged: termination, or two devices on one address"
    if not device.candidates:
        refused = device.answering.exception
        how = f"it refuses with exception {refused}" if refused else "it answers"
        return "an unknown device", f"{how}, and no known profile fits: docs/profiles.md says how to add one"
    models = " or ".join(candidate.profile for candidate in device.candidates)
    first = device.candidates[0]
    return models, f"{first.sureness}: {first.why}"


def _device(device: Identified) -> dict[str, Any]:
    answering = device.answering
    name, sureness = says(device)
    return {
        "unit": answering.unit,
        "baud": answering.setting.baud,
        "framing": answering.setting.framing,
        "nature": "two devices" if device.two_devices else answering.nature,
        "is": name,
        "how_sure": sureness,
        "exception": answering.exception,
        "candidates": [
            {"profile": c.profile, "model": c.model, "sureness": str(c.sureness), "why": c.why, "serial": c.serial}
            for c in device.candidates
        ],
    }


def _hints(devices: Sequence[Identified], found: Found) -> list[str]:
    hints = [
        f"unit {device.answering.unit}: unplug one of the two, give the other another unit id, plug it in again"
        for device in devices
        if device.two_devices
    ]
    if found.swapped:
        hints.append(
            "a break after each question at every speed: swap A and B at this node; then look for bias resistors"
        )
    strangers = {question for heard in found.heard for question in heard.strangers}
    if strangers:
        example = min(strangers).hex(" ")
        hints.append(
            f"somebody else asks on this bus (e.g. {example}): find the second master, inverters often are one"
        )
    if any(heard.echoes for heard in found.heard):
        hints.append("the adapter hears itself; that costs time only (/RE wired to DE ends it)")
    noisy = [heard for heard in found.heard if heard.unasked_bytes > NOISE_BYTES and not heard.strangers]
    if noisy and not devices:
        hints.append(f"noise at {noisy[0].setting}: fit bias resistors and a common wire, look for a broken device")
    if not devices and not hints:
        hints.append("nothing answers: the meter's power, both wires, then swap A and B")
    if not devices and not found.complete:
        hints.append("only the likely settings were tried: leave out --quick to try all of them")
    return hints
