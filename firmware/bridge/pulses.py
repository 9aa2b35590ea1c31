"""S0 pulses, counted by the Pico's PIO: neither a write to flash nor a busy processor loses one.

S0 (IEC 62053-31): the meter closes a contact for at least 30 ms and leaves it open for at least 30 ms.  A pulse counts
when the contact has been closed for 16 ms without a break; the next one when it has been open for 16 ms.  Up to eight
pulses wait in the state machine's FIFO, that is 480 ms at the fastest rate that S0 allows.
"""

# The instructions are names that rp2.asm_pio knows.
# pyright: reportUndefinedVariable=false, reportCallIssue=false, reportArgumentType=false
import rp2

FREQUENCY_HZ = 4_000
"""A cycle is 0.25 ms; below 2,290 Hz an RP2350 cannot go."""


@rp2.asm_pio(fifo_join=rp2.PIO.JOIN_RX)
def program() -> None:
    """One word into the FIFO for each pulse; the contact pulls the pin down."""
    wrap_target()
    label("idle")
    wait(0, pin, 0)
    set(x, 31)
    label("closed")
    jmp(pin, "idle")
    jmp(x_dec, "closed")
    push(noblock)
    label("release")
    wait(1, pin, 0)
    set(x, 31)
    label("opened")
    jmp(pin, "still_open")
    jmp("release")
    label("still_open")
    jmp(x_dec, "opened")
    wrap()


class PulseCounter:
    """Pulses on `pin` (a machine.Pin with pull-up)."""

    def __init__(self, pin) -> None:
        self._machine = rp2.StateMachine(0, program, freq=FREQUENCY_HZ, in_base=pin, jmp_pin=pin)
        self._machine.active(1)

    def take(self) -> int:
        """Pulses since the last call."""
        count = 0
        while self._machine.rx_fifo():
            self._machine.get()
            count += 1
        return count
