"""What the LED says, the most urgent first; docs/bridge.md has the table for technicians.

storage failed        flickers, ten times a second
service switch closed stays on: the guard is open
tamper input open     three blinks in two seconds
bus errors lately     two blinks in two seconds
traffic lately        one long blink in two seconds
alive                 one short blink in two seconds
"""

PERIOD_MS = 2_000
_BLINK_MS = 100

ALIVE, TRAFFIC, ERRORS, TAMPER, SERVICE, BROKEN = range(6)


def is_on(code: int, ms: int) -> bool:
    """Whether the LED is on at `ms` of any clock."""
    if code == BROKEN:
        return ms // 50 % 2 == 0
    if code == SERVICE:
        return True
    at = ms % PERIOD_MS
    if code == TRAFFIC:
        return at < PERIOD_MS // 2
    blinks = {TAMPER: 3, ERRORS: 2}.get(code, 1)
    return at // _BLINK_MS % 3 == 0 and at // _BLINK_MS // 3 < blinks
