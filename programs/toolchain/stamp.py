"""Other program ids: a copy of the workspace in which every `declare_id!` names the id of a keypair that was given.

All else that depends on ids (addresses of singletons, their bumps) the compiler computes from them.
"""

import shutil
from pathlib import Path

from solders.keypair import Keypair

from toolchain.workspace import DECLARED_ID, WORKSPACE_FILES, Workspace, WorkspaceError, read_workspace


def stamp(workspace: Workspace, keys: Path, into: Path) -> Workspace:
    """Copy `workspace` to the folder `into` (replaced if it exists), with the ids of `keys`/<program>.json.

    Raises WorkspaceError if a program has no keypair there (programs name each other, so that all are needed), or if
    an old id is left anywhere in the copied sources.
    """
    new_ids = {workspace.program_id(name): _public_key(keys / f"{name}.json", name) for name in workspace.programs()}
    shutil.rmtree(into, ignore_errors=True)
    sources = [path for name in workspace.crates for path in workspace.crates[name].files()]
    top = [workspace.root / file for file in WORKSPACE_FILES if (workspace.root / file).exists()]
    for path in top + sources:
        target = into / path.relative_to(workspace.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_with_ids(path, new_ids))
    return read_workspace(into)


def _with_ids(path: Path, new_ids: dict[str, str]) -> bytes:
    body = path.read_bytes()
    if path.suffix != ".rs":
        return body
    text = DECLARED_ID.sub(lambda found: f'declare_id!("{new_ids.get(found[1], found[1])}")', body.decode())
    left = [old for old, new in new_ids.items() if old != new and old in text]
    if left:
        raise WorkspaceError(f"{path}: {left[0]} stands outside declare_id!, so that other ids cannot be stamped")
    return text.encode()


def _public_key(path: Path, program: str) -> str:
    """The public key (base58) of a keypair file as solana-keygen writes it."""
    try:
        return str(Keypair.from_json(path.read_text()).pubkey())
    except FileNotFoundError as error:
        raise WorkspaceError(f"{path} is missing: stamping ids needs a keypair for {program} too") from error
    except ValueError as error:
        raise WorkspaceError(f"{path} is no keypair file (a JSON list of 64 numbers): {error}") from error
