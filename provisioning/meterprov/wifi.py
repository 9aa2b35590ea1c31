"""From a Wi-Fi passphrase to the 256-bit key that a node needs: the passphrase itself goes nowhere."""

import hashlib

_ROUNDS = 4096
_SIZE = 32


class BadPassphrase(Exception):
    """The network's name or its passphrase is not one that WPA2 knows."""


def psk_of(ssid: str, passphrase: str) -> str:
    """64 hexadecimal digits (IEEE 802.11i, annex H.4.1).  Raises BadPassphrase, which repeats nothing."""
    if not 1 <= len(ssid.encode()) <= 32:
        raise BadPassphrase("a network's name has 1 to 32 bytes")
    if not 8 <= len(passphrase) <= 63 or not passphrase.isascii() or not passphrase.isprintable():
        raise BadPassphrase("a passphrase has 8 to 63 printable ASCII characters; type it again")
    return hashlib.pbkdf2_hmac("sha1", passphrase.encode(), ssid.encode(), _ROUNDS, _SIZE).hex()
