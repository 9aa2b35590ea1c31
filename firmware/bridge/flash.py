"""The two slots of `stored`, as files of the board's file system."""

_ENOENT = 2


class Slots:
    """`state.0` and `state.1` in a folder; "" is the root."""

    def __init__(self, folder: str) -> None:
        self._path = folder + "/state."

    def read(self, index: int) -> bytes:
        """A slot, empty if it was never written.  Raises OSError."""
        try:
            with open(self._path + str(index), "rb") as slot:
                return slot.read()
        except OSError as error:
            if error.args[0] != _ENOENT:
                raise
            return b""

    def write(self, index: int, data: bytes) -> None:
        """Write a slot.  Raises OSError."""
        with open(self._path + str(index), "wb") as slot:
            slot.write(data)
