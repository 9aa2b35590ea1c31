"""Another key for the same meter, made on the node: the new key waits beside the old one until the registry shows it.

1. `agent claim --rotate` makes `<key>.next` and prints the claim that proves it;
2. the operator runs `meterbridge meter rotate-key CLAIM`;
3. the agent sees the new key in the finalized registry: the journal takes it up in one commit, and `<key>.next` takes
   the place of `<key>` in one rename.  A power cut between the two is settled at the next start, by the journal.

Until step 3 the old key signs and stays; afterwards it is retired for ever, and its file is gone.
"""

from pathlib import Path

from solders.pubkey import Pubkey

from meteredge.config import AgentConfig
from meteredge.journal import Journal
from meteredge.keys import KeyFileError, create_key, load_key, replace_key
from meteredge.signer import Signer


class KeyBeside:
    """The key that waits beside a meter's key file.  See agent.NextKey."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file
        self._next = waiting_beside(key_file)

    def waiting(self) -> Signer | None:
        """The key, None if none waits.  Raises KeyFileError."""
        return Signer(load_key(self._next)) if self._next.exists() else None

    def take_over(self) -> None:
        """It is the meter's key now.  Raises KeyFileError."""
        replace_key(self._next, self._key_file)


def waiting_beside(key_file: Path) -> Path:
    """Where the key waits that shall follow `key_file`."""
    return key_file.with_name(f"{key_file.name}.next")


def make_next(config: AgentConfig) -> Signer:
    """The key that waits, made now if there is none.  Raises KeyFileError."""
    if config.key.file is None:
        raise KeyFileError(
            f"the key of {config.meter.id} is a credential of systemd, which the agent cannot replace: put it into a "
            "file for the rotation ([key] file; docs/agent.md shows how)"
        )
    load_key(Path(config.key.file))  # without a key there is nothing to rotate
    path = waiting_beside(Path(config.key.file))
    return Signer(load_key(path) if path.exists() else create_key(path))


def settle_cut(config: AgentConfig) -> KeyBeside | None:
    """Finish a rotation that a power cut interrupted.  The keys of this meter's next rotation; None for a credential.

    Raises KeyFileError, JournalError.
    """
    if config.key.file is None:
        return None
    beside = KeyBeside(Path(config.key.file))
    waiting = beside.waiting()
    if waiting is not None and config.journal_path.exists():
        journal = Journal.open_read_only(config.journal_path)
        taken_up = Pubkey(journal.identity.meter_key) == waiting.public_key
        journal.close()
        if taken_up:
            beside.take_over()
    return beside
