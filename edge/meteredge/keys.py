"""The key files of a node: the meter's signing key, made here and never anywhere else, and the wallet that pays.

A meter key file holds the 32 bytes of an ed25519 seed and nothing more, mode 0600, owner the agent's user.  It is
written under another name, synced and linked into place: it is whole or not there, and never replaces a key that is.
With systemd the seed comes as a credential: a read-only file in $CREDENTIALS_DIRECTORY.

A missing, unreadable or odd key is an error.  Nothing in this file makes up an identity unless `create_key` is called.
"""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey
from solders.keypair import Keypair

from meterchain.durable import replace, write_once
from meterchain.private_file import NoSuchFile, NotPrivate, read_credential, read_private
from meterchain.wallets import WalletError, WalletMissing, load_wallet

LEVEL: Final = "file"
"""Where a key of this file's lies, as the claim names it: whoever has the card has the key."""
SEED_SIZE = 32
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
    return _key_of(path, what, read_private)


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
    return _key_of(Path(folder) / name, "meter key", read_credential)


def load_relayer(path: Path) -> Keypair:
    """The wallet that pays for delivery: a JSON array of 64 bytes as `solana-keygen` writes it, mode 0600.

    Raises KeyFileError.  Whoever steals it can waste its lamports, never forge a reading.
    """
    try:
        return load_wallet(path, "the relayer")
    except WalletMissing:
        raise _missing(path, "relayer wallet") from None
    except WalletError as error:
        raise KeyFileError(str(error)) from error


def _key_of(path: Path, what: str, read: Callable[[Path, str], bytes]) -> SigningKey:
    try:
        seed = read(path, what)
    except NoSuchFile:
        raise _missing(path, what) from None
    except NotPrivate as error:
        raise KeyFileError(str(error)) from error
    if len(seed) != SEED_SIZE:
        raise KeyFileError(f"{path}: the {what} has {len(seed)} bytes instead of {SEED_SIZE}: restore the file")
    return SigningKey(seed)


def _missing(path: Path, what: str) -> KeyMissing:
    return KeyMissing(
        f"{path}: the {what} is missing; put the file back, or enrol the node anew (no new identity is ever made by "
        "itself)"
    )
