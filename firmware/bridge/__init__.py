"""The bridge: a Pico between USB and RS-485 that passes Modbus RTU through and lets nobody write to a meter.

    usb_frames   bytes from USB → whole requests
    guard        which of them may reach the wire
    wire_side    one request on the wire, and which bytes are its answer
    diagnostic   the bridge's own registers, at its own unit id
    stored       what survives a power cut
    flash        the two files in which it does
    led          what the LED says
    core         all of it together: `step()` does what is due and says when to come back
    hardware     the Pico's pins, UART, watchdog and USB
    run          the loop

All but `hardware` and `run` is pure: ports and time are passed in, and it runs unchanged on MicroPython and CPython.
"""

VERSION = "1.0.0"
