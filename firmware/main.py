"""Runs on the Pico at every start.

With the service switch closed the Pico stays at its prompt, which is how new firmware gets in; without it nothing that
comes over USB does: the interrupt character is off before a byte is looked at, and whatever goes wrong ends in a reset.
"""

import machine
import micropython

micropython.kbd_intr(-1)


def _service_closed() -> bool:
    return machine.Pin(18, machine.Pin.IN, machine.Pin.PULL_UP).value() == 0


if _service_closed():
    micropython.kbd_intr(3)
else:
    try:
        from bridge import hardware, run

        run.run(hardware.Hardware(), hardware.WATCHDOG_MS)
    finally:
        machine.reset()
