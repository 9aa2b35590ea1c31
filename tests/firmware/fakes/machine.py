"""A Pico's `machine` for the MicroPython unix port: the parts that the bridge uses, with ptys and a FIFO behind them.

$FAKE_UART    the tty that stands for the UART
$FAKE_CONTROL a FIFO of lines: "P pin 0|1" drives a pin, "H" makes the UART hang
$FAKE_LOG     a file that says when the watchdog was started and fed, and when DE went up and down (ms)
$FAKE_RESET   the reset cause (1 power, 3 watchdog)
"""

import io
import os
import select
import termios
import time

PWRON_RESET, WDT_RESET = 1, 3
_MODELLED = {}


def _still_sending_us():
    """For how long bits are still leaving the UART: whoever lets go of the line now cuts them off."""
    ends = _MODELLED.get("ends")
    return 0 if ends is None else max(0, time.ticks_diff(ends, time.ticks_us()))


def _say(text):
    path = os.getenv("FAKE_LOG")
    if path:
        if "log" not in _MODELLED:
            _MODELLED["log"] = open(path, "a")
        _MODELLED["log"].write("{} {}\n".format(time.ticks_ms(), text))


def obey():
    """Carry out what the FIFO says; called wherever the firmware looks at an input."""
    if "control" not in _MODELLED:
        path = os.getenv("FAKE_CONTROL")
        if not path:
            return
        control = open(path, "r+b")
        poller = select.poll()
        poller.register(control, select.POLLIN)
        _MODELLED["control"] = (control, poller)
    control, poller = _MODELLED["control"]
    while poller.poll(0):
        words = control.readline().split()
        if words[0] == b"P":
            Pin(int(words[1])).drive(int(words[2]))
        elif words[0] == b"H":
            _MODELLED["hang"] = True


class Pin:
    IN, OUT, PULL_UP = 0, 1, 1

    def __new__(cls, number, *_args, **_named):
        pins = _MODELLED.setdefault("pins", {})
        if number not in pins:
            pins[number] = object.__new__(cls)
            pins[number].number = number
            pins[number].level = 1
            pins[number].falls = 0
        return pins[number]

    def __init__(self, number, mode=-1, pull=-1, value=None):
        if value is not None:
            self.level = value

    def value(self, level=None):
        if level is None:
            obey()
            return self.level
        if self.number == 2 and level != self.level:
            _say("de {} {}".format(level, _still_sending_us()))
        self.level = level
        return None

    def drive(self, level):
        self.falls += self.level > level
        self.level = level


class UART(io.IOBase):
    def __init__(self, number, baudrate=9600, **_named):
        self.file = open(os.getenv("FAKE_UART"), "r+b")
        self.poller = select.poll()
        self.poller.register(self.file, select.POLLIN)
        self.arrived = b""
        self.ends = time.ticks_us()
        self.init(baudrate)

    def init(self, baudrate, bits=8, parity=None, stop=1, **_named):
        termios.setraw(self.file.fileno())
        settings = termios.tcgetattr(self.file.fileno())
        speed = getattr(termios, "B{}".format(baudrate), {1200: 9, 2400: 11, 19200: 14, 38400: 15}.get(baudrate))
        settings[4] = settings[5] = speed
        settings[6][5] = settings[6][6] = 0  # VTIME, VMIN: a read takes what is there
        termios.tcsetattr(self.file.fileno(), termios.TCSANOW, settings)
        self.character_us = (9 + stop + (parity is not None)) * 1_000_000 // baudrate
        _say("line {} {} {}".format(baudrate, parity, stop))

    def any(self):
        while _MODELLED.get("hang"):
            pass
        if self.poller.poll(0):
            self.arrived += self.file.read(256) or b""
        return len(self.arrived)

    def read(self, size):
        data, self.arrived = self.arrived[:size], self.arrived[size:]
        return data or None

    def write(self, data):
        self.ends = _MODELLED["ends"] = time.ticks_add(time.ticks_us(), len(data) * self.character_us)
        return self.file.write(data)

    def txdone(self):
        return time.ticks_diff(time.ticks_us(), self.ends) >= 0

    def ioctl(self, request, _argument):
        if request == 10:
            return self.file.fileno()
        return 0


class ADC:
    def __init__(self, pin):
        pass

    def read_u16(self):
        return 33_100


class WDT:
    def __init__(self, timeout):
        if timeout > 8_388:
            raise ValueError("timeout exceeds 8388")  # as the RP2040's
        _say("watchdog {}".format(timeout))

    def feed(self):
        now = time.ticks_ms()
        if now != _MODELLED.get("fed"):
            _MODELLED["fed"] = now
            if "log" in _MODELLED:
                _say("feed")


def reset():
    raise SystemExit(90)


def reset_cause():
    return int(os.getenv("FAKE_RESET") or PWRON_RESET)


def unique_id():
    return b"\xe6\x61\x41\x04\x03\x2b\x5c\x2e"
