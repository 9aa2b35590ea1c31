"""The loop: step, feed the watchdog, wait for a byte or for what is due.

The watchdog is fed here and nowhere else: a step that does not come back resets the Pico.  Garbage is collected while
nothing is on the wire, so that it never delays letting go of the line.
"""

from bridge import led
from bridge.core import Bridge
from bridge.rtu import since

COLLECT_US = 250_000
LED_US = 50_000


def run(hardware, watchdog_ms: int) -> None:
    """Never returns."""
    bridge = Bridge(
        hardware.usb,
        hardware.wire,
        hardware.inputs,
        hardware.slots,
        hardware.serial,
        hardware.reset_cause(),
        hardware.now,
    )
    hardware.inputs.collect_garbage()
    watchdog = hardware.watchdog(watchdog_ms)
    collected_at = led_at = hardware.now()
    while True:
        wait_us = bridge.step()
        watchdog.feed()
        now = hardware.now()
        if since(now, led_at) >= LED_US:
            led_at = now
            hardware.led(led.is_on(bridge.led_code(), bridge.uptime_ms()))
        if bridge.at_rest and since(now, collected_at) >= COLLECT_US:
            collected_at = now
            hardware.inputs.collect_garbage()
        hardware.wait(wait_us // 1_000)
