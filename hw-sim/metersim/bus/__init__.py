"""A simulated RS-485 segment: what a master finds behind a serial port.

`line` (speed and character format) → `wire` (the pure model: time in, bytes out) → `pty_port` and `loop` (the same
model on a pseudo-terminal, in real time) → `running` (a thread or a process that serves it, and its control channel).
`memory_port` is the same model without a pty, on a clock that is passed in; `bank` is the plainest station, `recorded`
one that answers as another did before.

`fault` says what a fault may do; `faults`, `intruders` and `moods` are those that there are, `catalogue` knows them by
name.  Nothing here knows a meter; a `Station` is whatever answers on the wire.
"""
