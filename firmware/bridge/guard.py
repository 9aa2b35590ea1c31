"""Which requests may reach a meter: those that read.

Any master on a bus can zero the counters of some meters, so the list says what passes and not what is kept out.  Only
the service switch opens it; nothing that comes over USB does.
"""

from bridge.rtu import ENCAPSULATED, READ_DEVICE_ID, READ_FILE, READ_HOLDING, READ_INPUT


def passes(frame: bytes, service_closed: bool) -> bool:
    """Whether a request with a right CRC may go onto the wire."""
    if service_closed:
        return True
    if frame[0] == 0:
        return False
    function = frame[1]
    if function in (READ_HOLDING, READ_INPUT):
        return len(frame) == 8
    if function == ENCAPSULATED:
        return len(frame) == 7 and frame[2] == READ_DEVICE_ID
    return function == READ_FILE and len(frame) == 5 + frame[2]
