"""What the bridge counts, since it started.  All wrap at 2^32."""

WRAP = 0xFFFFFFFF


class Counters:
    """Plain numbers; the diagnostic map says what each one is."""

    def __init__(self) -> None:
        self.requests = 0
        self.usb_errors = 0
        self.sent = 0
        self.replies = 0
        self.crc_errors = 0
        self.no_reply = 0
        self.drops = 0
        self.held_off = 0
        self.late = 0
        self.unasked = 0
        self.collisions = 0
        self.echoes = 0
        self.leading_zeros = 0
        self.own = 0

    def bus_errors(self) -> int:
        """Everything that a technician should look at."""
        return self.crc_errors + self.no_reply + self.unasked + self.collisions
