"""Starts the firmware on the unix port as main.py does; arguments: state folder, watchdog ms (else the Pico's)."""

import sys

import micropython

micropython.kbd_intr(-1)

from bridge import hardware, run  # noqa: E402

run.run(hardware.Hardware(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else hardware.WATCHDOG_MS)
