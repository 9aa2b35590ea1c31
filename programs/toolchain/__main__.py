"""`python -m toolchain`, which is `make programs`: build programs and IDLs, compare them with the committed ones.

Exit codes: 0 the same bytes (or written) · 1 different · 2 wrong use, or the sources do not build · 3 the pinned
compiler is not to be had.
"""

import argparse
import sys
from pathlib import Path

from toolchain.artifacts import Artifacts, Built
from toolchain.build import Builder, alone
from toolchain.cargo import BuildError
from toolchain.idl import IdlError
from toolchain.pins import Compiler, NoCompilerError, find_compiler
from toolchain.progress import on_stderr
from toolchain.stamp import stamp
from toolchain.workspace import Workspace, WorkspaceError, read_workspace, source_hash

ROOT = Path(__file__).resolve().parent.parent
SAME, DIFFERENT, FAILED, NO_COMPILER = 0, 1, 2, 3


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if (chosen.keys is None) != (chosen.out is None):
        parser.error("--keys and --out go together: other ids never replace the committed artifacts")
    if chosen.write and chosen.out:
        parser.error("--write replaces the committed artifacts, --out writes elsewhere: one of them")
    try:
        if chosen.check_compiler:
            find_compiler()
            return SAME
        return _run(chosen, read_workspace(chosen.root.resolve()))
    except NoCompilerError as error:
        print(error, file=sys.stderr)
        return NO_COMPILER
    except (BuildError, IdlError, WorkspaceError) as error:
        print(f"make programs: {error}", file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m toolchain", description=__doc__)
    parser.add_argument("--crate", metavar="P", help="only this program")
    parser.add_argument("--write", action="store_true", help="replace artifacts, IDLs and manifest")
    parser.add_argument("--keys", type=Path, metavar="DIR", help="build for the ids of the keypairs DIR/<p>.json")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where programs with other ids go; with --keys")
    parser.add_argument(
        "--check-compiler", action="store_true", help="only say whether the pinned compiler is there (0 or 3)"
    )
    parser.add_argument(
        "--root", type=Path, default=ROOT, metavar="DIR", help="the cargo workspace (default: this one)"
    )
    return parser


def _run(chosen: argparse.Namespace, workspace: Workspace) -> int:
    known = workspace.programs()
    if chosen.crate and chosen.crate not in known:
        raise WorkspaceError(f"no program {chosen.crate!r}; there are {', '.join(known)}")
    names = [chosen.crate] if chosen.crate else known
    committed = Artifacts(workspace.root / "meterchain")
    try:
        compiler = find_compiler()
    except NoCompilerError as error:
        raise NoCompilerError(f"{error}. {_what_still_holds(workspace, committed)}") from error

    if chosen.keys:
        _build_for_other_ids(compiler, workspace, names, chosen.keys, Artifacts(chosen.out))
        return SAME
    builder = Builder(compiler, workspace.root / "target", workspace.root / "target", on_stderr())
    built = builder.build(workspace, names)
    if chosen.write:
        committed.write(built, known)
        _table(built, "written")
        return SAME
    differences = committed.differences(built, known)
    for line in differences:
        print(line, file=sys.stderr)
    if differences:
        print("the committed programs are not what the sources build: make programs WRITE=1", file=sys.stderr)
        return DIFFERENT
    _table(built, "same bytes as committed")
    return SAME


def _build_for_other_ids(
    compiler: Compiler, workspace: Workspace, names: list[str], keys: Path, out: Artifacts
) -> None:
    """In target directories of their own: cargo tells sources apart by their age, and the copy is younger."""
    cache, progress = workspace.root / "target/stamped", on_stderr()
    with alone(cache / "stamp.lock", progress):
        stamped = stamp(workspace, keys, cache / "programs")
        built = Builder(compiler, cache, workspace.root / "target", progress).build(stamped, names)
        out.write(built, workspace.programs())
    _table(built, f"written to {out.folder}")


def _what_still_holds(workspace: Workspace, committed: Artifacts) -> str:
    """One sentence on the committed artifacts that needs no compiler."""
    entries = committed.entries()
    broken = committed.mismatches()
    if broken or not entries:
        return f"And the committed programs cannot be trusted: {broken[0] if broken else 'there is no manifest'}."
    stale = [
        name
        for name in workspace.programs()
        if name not in entries or entries[name]["source_hash"] != source_hash(workspace, name)
    ]
    if stale:
        return f"The committed programs match their manifest, but the sources changed since: {', '.join(stale)}."
    return f"What still holds: the {len(entries)} committed programs match their manifest, which names these sources."


def _table(built: list[Built], what: str) -> None:
    for program in built:
        entry = program.entry()
        print(f"{program.name:14} {entry['size']:7} bytes  sha256 {entry['sha256'][:16]}  {program.program_id}  {what}")


if __name__ == "__main__":
    sys.exit(main())
