"""Wallet files: a JSON array of 64 numbers, as `solana-keygen` writes it, readable by its owner alone.

Read once, never copied, never shown.  A file that others may read, that is a link or that belongs to somebody else is
refused: whoever read it before us has the wallet too.
"""

import json
from pathlib import Path

from solders.keypair import Keypair

from meterchain.durable import write_once
from meterchain.private_file import NoSuchFile, NotPrivate, read_private

KEYPAIR_SIZE = 64


class WalletError(Exception):
    """A wallet that cannot be used; the message names the file, the fact and the next step."""


class WalletMissing(WalletError):
    """There is no such file."""


def load_wallet(path: Path, whose: str) -> Keypair:
    """The wallet at `path`; `whose` names it in messages ("the authority").

    Raises WalletMissing, and WalletError unless it is a plain file of ours, mode 0600 or 0400, with a keypair in it.
    """
    try:
        text = read_private(path, f"wallet of {whose}")
    except NoSuchFile as error:
        raise WalletMissing(f"{error}. Name another, or make one with `meterbridge site wallet FILE`") from None
    except NotPrivate as error:
        raise WalletError(str(error)) from error
    try:
        numbers = json.loads(text)
        if not isinstance(numbers, list) or len(numbers) != KEYPAIR_SIZE:
            raise ValueError("not 64 numbers")
        return Keypair.from_bytes(bytes(numbers))
    except (ValueError, TypeError):
        raise WalletError(
            f"{path}: not a wallet: a JSON array of 64 numbers is expected, as `solana-keygen new -o FILE` writes it"
        ) from None


def create_wallet(path: Path) -> Keypair:
    """A new wallet at `path`, mode 0600.  Raises WalletError if there is anything already, or it cannot be written."""
    wallet = Keypair()
    try:
        write_once(path, wallet.to_json().encode())
    except FileExistsError:
        raise WalletError(f"{path}: there is a file already and it stays; choose another name") from None
    except OSError as error:
        raise WalletError(f"{path}: the wallet cannot be written ({error.strerror})") from error
    return wallet
