"""An update for nodes that run already: gathered like an image's wheels, listed, signed, verified as a node will."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from nacl.signing import SigningKey

from meterchain import durable
from meteredge.clock import Clock
from meteredge.install.release import File, Manifest, Release, parts_of, verify, write_release
from meterprov import wheels as wheelhouse
from meterprov.system import System
from meterprov.wheels import Wheel


class UpdateBundleError(Exception):
    """No bundle can be made of that; none was."""


def make_bundle(
    output: Path, wheels: Sequence[Wheel], system: System, key: SigningKey, clock: Clock, *, replace: bool = False
) -> Release:
    """Write it, whole or not at all, and read it back.  Raises UpdateBundleError, OSError, ReleaseRefused."""
    if output.exists() and not replace:
        raise UpdateBundleError(f"{output}: there is a file already and it stays; --replace makes it anew")
    version = next(str(wheel.version) for wheel in wheels if wheel.name == wheelhouse.OWN)
    if parts_of(version) is None:
        raise UpdateBundleError(f"version {version} is no release: nodes compare numbers with dots, as in 1.4.2")
    by_name = {wheel.path.name: wheel.path for wheel in wheels}
    files = [
        File(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in ((name, path.read_bytes()) for name, path in sorted(by_name.items()))
    ]
    manifest = Manifest(
        schema_=1,
        version=version,
        python=system.tag,
        machine=system.machine,
        glibc=system.glibc,
        created_at=int(clock.utc()),
        files=tuple(files),
    )
    draft = output.with_name(f"{output.name}.part")
    draft.unlink(missing_ok=True)
    try:
        write_release(draft, manifest, by_name, key)
        with draft.open("rb") as file:
            made = verify(file, key.verify_key, output.name)
        durable.replace(draft, output)
    finally:
        draft.unlink(missing_ok=True)
    return made
