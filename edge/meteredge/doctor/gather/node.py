"""What lies on the node's disk: key (its public half), wallet (its address), journal."""

import json
import os
import stat
from contextlib import suppress
from pathlib import Path

from nacl.signing import SigningKey
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain.record import Record
from meteredge.config import AgentConfig
from meteredge.doctor.facts import Found, JournalFacts, KeyFacts, Unknown
from meteredge.journal import Journal
from meteredge.journal_schema import JournalError
from meteredge.keys import SEED_SIZE

ENROL = "put the file back, or enrol the node anew (no new identity is ever made by itself)"


def key_facts(config: AgentConfig, journal: Found[JournalFacts] | None, said: str | None) -> KeyFacts:
    """The key that [key] names.  `said` is the public key that the running agent signs with."""
    known: Found[str] = said or (
        journal.key
        if isinstance(journal, JournalFacts)
        else Unknown("the key cannot be read by this user: run as root")
    )
    if config.key.credential is not None:
        where = f"the credential {config.key.credential}"
        return KeyFacts(
            where, "file", known if isinstance(known, str) else Unknown("only the agent's unit can read it")
        )
    path = Path(config.key.file or "")
    where = str(path)
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return KeyFacts(where, "file", Unknown("there is no key"), f"{path}: the meter key is missing; {ENROL}")
    except OSError as error:
        return KeyFacts(
            where, "file", known, None if isinstance(known, str) else f"{path}: {error.strerror}; run as root"
        )
    mode = stat.S_IMODE(facts.st_mode)
    if not stat.S_ISREG(facts.st_mode):
        return KeyFacts(where, "file", known, f"{path} is no plain file; {ENROL}")
    if mode & 0o177:
        return KeyFacts(where, "file", known, f"{path} has mode {mode:04o}, others may read it; run: chmod 600 {path}")
    if facts.st_size != SEED_SIZE:
        return KeyFacts(where, "file", known, f"{path} has {facts.st_size} bytes instead of {SEED_SIZE}; {ENROL}")
    with suppress(OSError):
        return KeyFacts(where, "file", _public_half(path))
    return KeyFacts(where, "file", known)


def relayer_address(config: AgentConfig) -> Found[Pubkey]:
    """The address of the wallet that pays."""
    if config.relay is not None:
        return Unknown(f"a relay pays for this node ({config.relay.broker})")
    path = Path(config.chain.relayer)
    try:
        numbers = json.loads(path.read_text("utf-8"))
        return Keypair.from_bytes(bytes(numbers)).pubkey()
    except FileNotFoundError:
        return Unknown(f"{path}: the relayer wallet is missing; `solana-keygen new -o {path}` makes one")
    except PermissionError:
        return Unknown(f"{path} cannot be read by this user: run as root")
    except (OSError, ValueError, TypeError):
        return Unknown(f"{path}: not a wallet; `solana-keygen new -o FILE` writes one")


def journal_facts(path: Path) -> Found[JournalFacts] | None:
    """What the journal holds; None where there is none yet."""
    if not path.exists():
        return None if os.access(path.parent, os.X_OK) or not path.parent.exists() else Unknown(f"{path}: no access")
    try:
        journal = Journal.open_read_only(path)
    except JournalError as error:
        return Unknown(str(error))
    try:
        newest, install = journal.last_rows(1), journal.install()
        return JournalFacts(
            path=str(path),
            records={str(state): number for state, number in journal.counts().items() if number},
            codes=journal.codes(),
            last_seq=newest[-1].seq if newest else None,
            last_ts=Record.decode(newest[-1].record).ts if newest else None,
            key=str(Pubkey.from_bytes(journal.identity.meter_key)),
            install_id=None if install is None else install.install_id,
        )
    except JournalError as error:
        return Unknown(str(error))
    finally:
        journal.close()


def _public_half(path: Path) -> str:
    return str(Pubkey.from_bytes(bytes(SigningKey(path.read_bytes()).verify_key)))
