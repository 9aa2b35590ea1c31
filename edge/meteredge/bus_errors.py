"""What can go wrong between the port and the meter.  Each error says the fact and the next step."""

EXCEPTION_NAMES = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target failed to respond",
}
"""Modbus Application Protocol V1.1b3, section 7."""


class BusError(Exception):
    """Something on the way to a meter failed.  `kind` is its name in statistics; `next_step` what a person does now."""

    kind = "error"

    def __init__(self, fact: str, next_step: str) -> None:
        super().__init__(f"{fact}; {next_step}")
        self.fact = fact
        self.next_step = next_step


class PortMissing(BusError):
    """No device has that path or USB id."""

    kind = "port_missing"


class PortDenied(BusError):
    """The operating system does not let this user open the port."""

    kind = "port_denied"


class PortBusy(BusError):
    """Another process has the port open for itself."""

    kind = "port_busy"


class PortUnfit(BusError):
    """The path is no serial port, or the port does not take these settings."""

    kind = "port_unfit"


class PortGone(BusError):
    """The port was there and is not any more: unplugged, renumbered.  It is closed; the next try looks for it anew."""

    kind = "port_gone"


class PortLent(BusError):
    """The agent lent the port to somebody for a while; it comes back by itself."""

    kind = "port_lent"


class NoReply(BusError):
    """No byte came within the time that the meter may take."""

    kind = "no_reply"


class CorruptReply(BusError):
    """Bytes came, but no whole frame with a right CRC."""

    kind = "corrupt_reply"

    def __init__(self, fact: str, next_step: str, raw: bytes) -> None:
        super().__init__(fact, next_step)
        self.raw = raw


class WrongReply(CorruptReply):
    """A whole frame with a right CRC came that does not answer this request: a late reply, or another unit's."""

    kind = "wrong_reply"


class NoisyBus(BusError):
    """Bytes keep coming although nothing was asked."""

    kind = "noisy_bus"


class DeviceException(BusError):
    """The meter is there and refuses the request with an exception code."""

    kind = "device_exception"

    def __init__(self, fact: str, next_step: str, code: int) -> None:
        super().__init__(fact, next_step)
        self.code = code


class RequestRefused(BusError):
    """A request that could change a meter, or no meter could answer, was kept off the wire.  A fault of the program."""

    kind = "refused"
