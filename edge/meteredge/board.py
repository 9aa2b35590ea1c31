"""The board that this machine is."""

from pathlib import Path

SERIAL = Path("/sys/firmware/devicetree/base/serial-number")


def board_serial(place: Path = SERIAL) -> str | None:
    """The serial number of the Raspberry Pi, None on other machines."""
    try:
        return place.read_text("ascii").strip("\0\n ") or None
    except (OSError, UnicodeDecodeError):
        return None
