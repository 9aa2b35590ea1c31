"""A Pico's `rp2` for the MicroPython unix port: a state machine that counts the falls of its pin.

What the PIO program does with a bouncing contact is tested elsewhere (test_pulses.py), instruction by instruction.
"""

import machine


class PIO:
    JOIN_RX = 2


def asm_pio(**_named):
    return lambda program: program


class StateMachine:
    def __init__(self, number, program, freq, in_base, jmp_pin):
        self.pin = jmp_pin
        self.taken = 0

    def active(self, on):
        pass

    def rx_fifo(self):
        machine.obey()
        return min(8, self.pin.falls - self.taken)

    def get(self):
        self.taken += 1
        return 0
