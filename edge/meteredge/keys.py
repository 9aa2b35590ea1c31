"""The key files of a node: the meter's signing key, made here and never anywhere else, and the wallet that pays.

A meter key file holds the 32 bytes of an ed25519 seed and nothing more, mode 0600, owner the agent's user.  It is
written under another name, synced and linked into place: it is whole or not there, and never replaces a key that is.
With systemd the seed comes as a credential: a read-only file in $CREDENTIALS_DIRECTORY.

A missing, unreadable or odd key is an error.  Nothing in this file makes up an identity unless `create_key` is called.
"""

import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey
from solders.keypair import Keypair

from meterchain.durable import replace, write_once

LEVEL: Final = "file"
"""Where a key of this file's lies, as the claim names it: whoever has the card has the key."""
SEED_SIZE = 32
KEYPAIR_SIZE = 64
_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class KeyFileError(Exception):
    """A key that cannot be used; the message names the file, the fact and the next step."""


class KeyMissing(KeyFileError):
    """There is no such file."""


def create_key(path: Path) -> SigningKey:
    """Make a new ed25519 key at `path` (0600) and return it; it survives a power cut once this returns.

    Raises KeyFileError if there is a file already (a key is never overwritten) or the folder cannot be written.
    """
    key = SigningKey(secrets.token_bytes(SEED_SIZE))
    _write_once(path, bytes(key), "key")
    return key


def create_relayer(path: Path) -> Keypair:
    """Make a new wallet that pays for delivery, as `solana-keygen new` would; its owner sends SOL to its address.

    Raises KeyFileError if there is a file already or the folder cannot be written.
    """
    keypair = Keypair.from_seed(secrets.token_bytes(SEED_SIZE))
    _write_once(path, json.dumps(list(bytes(keypair))).encode(), "wallet")
    return keypair


def _write_once(path: Path, content: bytes, what: str) -> None:
    if path.exists() or path.is_symlink():
        raise KeyFileError(
            f"{path}: there is a {what} already and it stays; move it away by hand if you mean to replace it"
        )
    try:
        write_once(path, content)
    except FileExistsError:
        raise KeyFileError(f"{path}: there is a {what} already and it stays") from None
    except OSError as error:
        raise KeyFileError(
            f"{path}: the {what} cannot be written ({error.strerror}); nothing was made. Check that the folder exists, "
            "belongs to the agent's user and has room"
        ) from error


def load_key(path: Path, what: str = "meter key") -> SigningKey:
    """The key at `path`.  Raises KeyFileError unless it is a plain file of ours, mode 0600 or 0400, of 32 bytes."""
    return SigningKey(_read_private(path, SEED_SIZE, what, credential=False))


def replace_key(waiting: Path, path: Path) -> None:
    """The key at `waiting` takes the place of the one at `path`, which is gone then; whole in a power cut.

    Raises KeyFileError.
    """
    try:
        replace(waiting, path)
    except OSError as error:
        raise KeyFileError(f"{path}: the new key cannot take its place ({error.strerror}); check the folder") from error


def load_credential(name: str, environment: Mapping[str, str]) -> SigningKey:
    """The key that systemd hands over as credential `name` (LoadCredential= or LoadCredentialEncrypted= in the unit).

    Raises KeyFileError if there is no $CREDENTIALS_DIRECTORY in `environment` or no such credential in it.
    """
    if not _CREDENTIAL_NAME.fullmatch(name) or name in {".", ".."}:
        raise KeyFileError(f"{name!r} is not the name of a systemd credential: letters, digits, '.', '_' and '-' only")
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise KeyFileError(
            f"the key is configured as credential {name!r}, but $CREDENTIALS_DIRECTORY is not set: start the agent as "
            "its systemd unit, or name a key file in [key]"
        )
    return SigningKey(_read_private(Path(folder) / name, SEED_SIZE, "meter key", credential=True))


def load_relayer(path: Path) -> Keypair:
    """The wallet that pays for delivery: a JSON array of 64 bytes as `solana-keygen` writes it, mode 0600.

    Raises KeyFileError.  Whoever steals it can waste its lamports, never forge a reading.
    """
    text = _read_private(path, None, "relayer wallet", credential=False)
    try:
        numbers = json.loads(text)
        if not isinstance(numbers, list) or len(numbers) != KEYPAIR_SIZE:
            raise ValueError("not 64 numbers")
        return Keypair.from_bytes(bytes(numbers))
    except (ValueError, TypeError):
        raise KeyFileError(
            f"{path}: not a wallet: a JSON array of 64 numbers is expected, as `solana-keygen new -o FILE` writes it"
        ) from None


def _read_private(path: Path, size: int | None, what: str, *, credential: bool) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if credential else os.O_NOFOLLOW))
    except FileNotFoundError:
        raise KeyMissing(
            f"{path}: the {what} is missing; put the file back, or enrol the node anew (no new identity is ever made "
            "by itself)"
        ) from None
    except OSError as error:
        raise KeyFileError(f"{path}: the {what} cannot be read ({error.strerror}); check owner and mode") from error
    try:
        _refuse_exposed(path, os.fstat(descriptor), what, credential=credential)
        content = os.read(descriptor, 4096)
    finally:
        os.close(descriptor)
    if size is not None and len(content) != size:
        raise KeyFileError(f"{path}: the {what} has {len(content)} bytes instead of {size}: restore the file")
    return content


def _refuse_exposed(path: Path, facts: os.stat_result, what: str, *, credential: bool) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise KeyFileError(f"{path}: the {what} must be a plain file")
    mode = stat.S_IMODE(facts.st_mode)
    if credential:  # systemd owns these; an access list for our user shows as group-readable
        if mode & 0o227:
            raise KeyFileError(f"{path}: the {what} has mode {mode:04o}; systemd makes credentials read-only: check it")
        return
    if mode & 0o177:
        raise KeyFileError(f"{path}: the {what} has mode {mode:04o}, others may read it; run: chmod 600 {path}")
    if facts.st_uid != os.geteuid():
        raise KeyFileError(f"{path}: the {what} belongs to user {facts.st_uid}, not to the agent's ({os.geteuid()})")
