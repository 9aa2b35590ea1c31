"""The Pico: pins, UART, USB, flash, watchdog.  Nothing is decided here.

GP0  UART TX → DI of the transceiver        GP16  S0 contact to ground
GP1  UART RX ← RO                           GP17  tamper contact to ground (closed = cabinet shut)
GP2  DE and /RE                             GP18  service switch to ground (closed = the guard is open)
LED  what `led` says                        ADC3  VSYS / 3
"""

import gc
import select
import sys
import time
from binascii import hexlify

import machine

from bridge import diagnostic, rtu
from bridge.flash import Slots
from bridge.pulses import PulseCounter

UART_ID, TX_PIN, RX_PIN, DE_PIN = 0, 0, 1, 2
S0_PIN, TAMPER_PIN, SERVICE_PIN, VSYS_PIN = 16, 17, 18, 29
RX_BYTES, TX_BYTES = 512, 300
WATCHDOG_MS = 8_000
"""At most 8,388 on an RP2040."""
READ_AT_ONCE = 256
SPIN_US = 1_000
"""So long before the last bit leaves, the loop waits for nothing else: the line is let go on time."""


class Usb:
    """The USB serial port, as bytes."""

    def __init__(self) -> None:
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._poller = select.poll()
        self._poller.register(self._in, select.POLLIN)

    def read(self) -> bytes:
        """What has arrived; a read of more than one byte would wait until all of them are there."""
        data = bytearray()
        while len(data) < READ_AT_ONCE and self._poller.poll(0):
            byte = self._in.read(1)
            if not byte:
                break
            data += byte
        return bytes(data)

    def write(self, data: bytes) -> None:
        """Hand bytes to the host."""
        self._out.write(data)


class Wire:
    """The UART and the pin that drives the transceiver."""

    def __init__(self) -> None:
        self._de = machine.Pin(DE_PIN, machine.Pin.OUT, value=0)
        self.uart = machine.UART(
            UART_ID,
            baudrate=9_600,
            tx=machine.Pin(TX_PIN),
            rx=machine.Pin(RX_PIN),
            timeout=0,
            rxbuf=RX_BYTES,
            txbuf=TX_BYTES,
        )
        self._character_us = rtu.character_us(9_600, 0)
        self._busy = False
        self._started = self._takes_us = 0

    def set_line(self, baud: int, line_format: int) -> None:
        """Speed and character format."""
        parity, stop = rtu.FORMATS[line_format]
        self._character_us = rtu.character_us(baud, line_format)
        self.uart.init(baudrate=baud, bits=8, parity=parity, stop=stop, rxbuf=RX_BYTES, txbuf=TX_BYTES)

    def read(self) -> bytes:
        """What has arrived; asking for more would wait for it."""
        waiting = self.uart.any()
        return self.uart.read(waiting) or b"" if waiting else b""

    def send(self, frame: bytes) -> None:
        """Drive the line and start to send."""
        self._de.value(1)
        self._busy = True
        self._started = time.ticks_us()
        self._takes_us = len(frame) * self._character_us
        self.uart.write(frame)

    def sending(self) -> bool:
        """Whether bits are leaving; lets go of the line as soon as the last stop bit has left."""
        if not self._busy:
            return False
        if self._takes_us - time.ticks_diff(time.ticks_us(), self._started) > SPIN_US:
            return True
        while not self.uart.txdone():
            pass
        self._de.value(0)
        self._busy = False
        return False


class Inputs:
    """Contacts, S0 pulses and supply."""

    def __init__(self) -> None:
        self._tamper = machine.Pin(TAMPER_PIN, machine.Pin.IN, machine.Pin.PULL_UP)
        self._service = machine.Pin(SERVICE_PIN, machine.Pin.IN, machine.Pin.PULL_UP)
        self._pulses = PulseCounter(machine.Pin(S0_PIN, machine.Pin.IN, machine.Pin.PULL_UP))
        self._free = 0
        self._vsys = machine.ADC(machine.Pin(VSYS_PIN))

    def service_closed(self) -> bool:
        """The switch inside the box."""
        return self._service.value() == 0

    def tamper_open(self) -> bool:
        """The contact at the cabinet's door."""
        return self._tamper.value() == 1

    def new_pulses(self) -> int:
        """S0 pulses since the last call."""
        return self._pulses.take()

    def supply_mv(self) -> int:
        """VSYS, millivolts: the ADC sees a third of it against 3.3 V."""
        return self._vsys.read_u16() * 9_900 // 65_535

    def collect_garbage(self) -> None:
        """Takes milliseconds: for when the wire is at rest."""
        gc.collect()
        self._free = gc.mem_free()

    def free_memory(self) -> int:
        """Bytes of the heap that nothing used when garbage was last collected."""
        return self._free


class Hardware:
    """All of it."""

    def __init__(self, folder: str = "") -> None:
        self.usb = Usb()
        self.wire = Wire()
        self.inputs = Inputs()
        self.slots = Slots(folder)
        self.serial = hexlify(machine.unique_id()).decode()
        self._led = machine.Pin("LED", machine.Pin.OUT, value=0)
        self._poller = select.poll()
        self._poller.register(sys.stdin.buffer, select.POLLIN)
        self._poller.register(self.wire.uart, select.POLLIN)

    def reset_cause(self) -> int:
        """One of `diagnostic.RESET_…`."""
        cause = machine.reset_cause()
        if cause == machine.WDT_RESET:
            return diagnostic.RESET_WATCHDOG
        return diagnostic.RESET_POWER if cause == machine.PWRON_RESET else diagnostic.RESET_OTHER

    def now(self) -> int:
        """Microseconds for `rtu.since`."""
        return time.ticks_us() & rtu.TICKS_MASK  # pyright: ignore[reportOperatorIssue]

    def wait(self, ms: int) -> None:
        """Until a byte comes from either side, at most `ms`."""
        self._poller.poll(ms)

    def led(self, on: bool) -> None:
        """The board's LED."""
        self._led.value(on)

    def watchdog(self, timeout_ms: int):
        """Started; from now on it wants feed() within `timeout_ms`."""
        return machine.WDT(timeout=timeout_ms)
