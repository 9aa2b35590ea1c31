"""A meter's key in a form that two people can compare: on a label, on a claim, in the manifest."""

import hashlib

from solders.pubkey import Pubkey

_DIGITS = 16


def fingerprint(public_key: str) -> str:
    """Of a meter's key in base58: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(bytes(Pubkey.from_string(public_key))).hexdigest()[:_DIGITS]
