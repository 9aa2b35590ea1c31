"""An account in a file, as `solana account ADDRESS --output json` writes it, so that either command's file will do.

{"pubkey": "…", "account": {"lamports": 1, "data": ["…", "base64"], "owner": "…", "executable": false, …}}
"""

import base64
import binascii
import json
from pathlib import Path

from solders.pubkey import Pubkey

from meterchain.chain import AccountInfo
from meterchain.units import Lamports

_MOST = 1_048_576


class NoSavedAccount(Exception):
    """The file holds no account; the message says what it should hold."""


def save_account(path: Path, info: AccountInfo) -> None:
    """Write the account down; an older file of that name is replaced.  Raises OSError."""
    account = {
        "lamports": info.lamports,
        "data": [base64.b64encode(info.data).decode(), "base64"],
        "owner": str(info.owner),
        "executable": info.executable,
        "rentEpoch": 2**64 - 1,
        "space": len(info.data),
    }
    path.write_text(json.dumps({"pubkey": str(info.address), "account": account}, indent=1) + "\n", "utf-8")


def load_account(path: Path) -> AccountInfo:
    """The account in the file at `path`.  Raises NoSavedAccount."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_MOST))
        account = document["account"]
        content, encoding = account["data"]
        if encoding != "base64":
            raise ValueError(f"the data are in {encoding}")
        return AccountInfo(
            Pubkey.from_string(document["pubkey"]),
            Pubkey.from_string(account["owner"]),
            Lamports(int(account["lamports"])),
            base64.b64decode(content, validate=True),
            executable=bool(account["executable"]),
        )
    except OSError as error:
        raise NoSavedAccount(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise NoSavedAccount(
            f"{path}: no saved account ({error}); `meterbridge meter show ID --save FILE` writes one, and "
            "`solana account ADDRESS --output json` does too"
        ) from None
