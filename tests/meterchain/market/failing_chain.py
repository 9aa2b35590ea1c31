"""A chain on which the power goes at a chosen send."""

from meterchain.chain import Chain, Receipt


class Crash(Exception):
    """The power went."""


class FailingChain:
    """Passes everything on; the send after `sends` others raises Crash, before or after it landed."""

    def __init__(self, inner: Chain, sends: int, *, landed: bool) -> None:
        self._inner, self._left, self._landed = inner, sends, landed

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def send(self, *arguments: object, **named: object) -> Receipt:
        if self._left == 0:
            if self._landed:
                self._inner.send(*arguments, **named)  # type: ignore[arg-type]
            raise Crash
        self._left -= 1
        return self._inner.send(*arguments, **named)  # type: ignore[arg-type]
