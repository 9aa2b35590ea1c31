"""The update bundle: one version of meterbridge with all that it needs, in one file, signed by the site's release key.

An uncompressed tar (`tar -tvf` lists it) that is wholly determined by its first member: every other header is computed
from the manifest and compared, so nothing is interpreted that is not signed.

    manifest.json   schema, version, python, machine, glibc, created_at, files [{name, size, sha256}] sorted by name
    manifest.sig    64 bytes: ed25519 over "meterbridge update 1", a newline and the bytes of manifest.json
    wheels/NAME     each file of the manifest, in its order
    1,024 zero bytes

`verify` reads all of it and writes nothing; `unpack` writes what was verified, and verifies it once more on the way.
"""

import hashlib
import json
import os
import platform
import re
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from solders.pubkey import Pubkey

from meterchain.durable import new_file, write_new
from meteredge.install.errors import InstallFailed, InstallRefused
from meteredge.install.host import Host

UPDATE_KEY = "/etc/meterbridge/update.pub"
"""On a node: the public half of the site's release key, base58 in one line."""
MANIFEST, SIGNATURE, WHEELS = "manifest.json", "manifest.sig", "wheels"
DOMAIN = b"meterbridge update 1\n"
MOST_MANIFEST = 1 << 20
_BLOCK, _SIGNATURE_BYTES, _CHUNK = 512, 64, 1 << 20
_END = bytes(2 * _BLOCK)
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}")


class ReleaseRefused(InstallRefused):
    """The bundle is not one that this node may run; nothing of it was touched."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class File(_Strict):
    """One wheel."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,200}\.whl$")]
    size: Annotated[int, Field(ge=1, lt=1 << 31)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(_Strict):
    """What the signature is over."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    version: Annotated[str, Field(pattern=rf"^{_VERSION.pattern}$")]
    python: Annotated[str, Field(pattern=r"^cp3[0-9]{1,2}$")]
    machine: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,16}$")]
    glibc: Annotated[tuple[int, int], Field(strict=False)]
    """The oldest that the wheels run with."""
    created_at: Annotated[int, Field(ge=0)]
    """Unix seconds."""
    files: Annotated[tuple[File, ...], Field(strict=False, min_length=1, max_length=1_000)]


@dataclass(frozen=True)
class Release:
    """A bundle whose every byte was verified."""

    manifest: Manifest
    digest: str
    """Of the wheels, as `slots.digest_of` has it."""
    wheels_at: int
    """Where they begin in the file."""


@dataclass(frozen=True)
class Runs:
    """What a machine runs, for wheels."""

    python: str
    machine: str
    glibc: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.python}, {self.machine}, glibc {self.glibc[0]}.{self.glibc[1]}"


def runs_here() -> Runs:
    """What the machine that we run on has.  Raises ReleaseRefused where there is no glibc."""
    try:
        name, _, number = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (OSError, ValueError):
        name, number = "", ""
    if name != "glibc":
        raise ReleaseRefused("this system has no glibc: update bundles are for Raspberry Pi OS and its like")
    major, minor = (int(part) for part in number.split(".")[:2])
    return Runs(f"cp{sys.version_info[0]}{sys.version_info[1]}", platform.machine(), (major, minor))


def parts_of(version: str) -> tuple[int, ...] | None:
    """1.4.0 as (1, 4), to be compared; None if it is no release's version."""
    if not _VERSION.fullmatch(version):
        return None
    parts = [int(part) for part in version.split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def read_key(host: Host) -> VerifyKey:
    """The release key that this node trusts.  Raises ReleaseRefused."""
    path = host.at(UPDATE_KEY)
    try:
        return VerifyKey(bytes(Pubkey.from_string(path.read_text("ascii").strip())))
    except FileNotFoundError:
        raise ReleaseRefused(
            f"{path}: this node knows no release key, so it takes no update; write the `update_key` of the site file "
            "into it"
        ) from None
    except OSError as error:
        raise ReleaseRefused(f"{path}: {error.strerror}") from None
    except ValueError:
        raise ReleaseRefused(f"{path}: no public key; 32 to 44 characters of base58 are expected") from None


def write_release(path: Path, manifest: Manifest, wheels: Mapping[str, Path], key: SigningKey) -> None:
    """Write the bundle to `path` (0600), signed; `wheels` by name.  Raises OSError, FileExistsError."""
    told = manifest.model_dump_json(by_alias=True, indent=1).encode()
    signature = key.sign(DOMAIN + told).signature
    with new_file(path) as file:
        for name, content in ((MANIFEST, told), (SIGNATURE, signature)):
            file.write(_header(name, len(content)) + content + _padding(len(content)))
        for each in manifest.files:
            file.write(_header(f"{WHEELS}/{each.name}", each.size))
            with wheels[each.name].open("rb") as wheel:
                while piece := wheel.read(_CHUNK):
                    file.write(piece)
            file.write(_padding(each.size))
        file.write(_END)


def verify(file: BinaryIO, key: VerifyKey, name: str) -> Release:
    """Read the bundle from its beginning to its end and say what it is.  `name` is for messages.

    Raises ReleaseRefused unless every byte is what the release key's owner signed.
    """
    file.seek(0)
    manifest = _signed_manifest(file, key, name)
    begin = file.tell()
    have, want = os.fstat(file.fileno()).st_size, begin + _size_of_rest(manifest.files)
    if have < want:
        raise ReleaseRefused(f"{name}: it has {have:,} of {want:,} bytes; copy it again")
    if have > want:
        raise ReleaseRefused(f"{name}: {have - want:,} bytes follow that nobody signed")
    digest = hashlib.sha256()
    for _, pieces in _contents(file, manifest, name):
        for piece in pieces:
            digest.update(piece)
    return Release(manifest, digest.hexdigest(), begin)


def refuse_unfit(release: Release, here: Runs, running: str, name: str, *, allow_older: bool) -> None:
    """Raises ReleaseRefused if it is for another machine, or older than the version that runs."""
    manifest = release.manifest
    if (manifest.python, manifest.machine) != (here.python, here.machine) or manifest.glibc > here.glibc:
        meant = Runs(manifest.python, manifest.machine, manifest.glibc)
        raise ReleaseRefused(f"{name}: made for {meant}; this node has {here}")
    now, new = parts_of(running), parts_of(manifest.version)
    if allow_older or (now is not None and new is not None and new >= now):
        return
    raise ReleaseRefused(
        f"{name}: version {manifest.version} is older than {running}, which runs; --allow-older goes back"
    )


def unpack(file: BinaryIO, release: Release, folder: Path, name: str) -> None:
    """Write the wheels into `folder`, which must be empty.  Raises ReleaseRefused, InstallFailed."""
    file.seek(release.wheels_at)
    try:
        for each, pieces in _contents(file, release.manifest, name):
            write_new(folder / each.name, b"".join(pieces))
    except OSError as error:
        raise InstallFailed(f"{folder}: {error.strerror}; nothing was changed") from error


def _signed_manifest(file: BinaryIO, key: VerifyKey, name: str) -> Manifest:
    size = _size_in(file.read(_BLOCK), name)
    told = _exactly(file, size, name)
    _expect(file, _padding(size), name, "it was changed after its manifest")
    _expect(file, _header(SIGNATURE, _SIGNATURE_BYTES), name, "it is not signed; `provision update-bundle` signs")
    signature = _exactly(file, _SIGNATURE_BYTES, name)
    _expect(file, _padding(_SIGNATURE_BYTES), name, "it was changed after its signature")
    try:
        key.verify(DOMAIN + told, signature)
    except BadSignatureError:
        raise ReleaseRefused(
            f"{name}: the signature is not of this node's release key ({Pubkey(bytes(key))}), or the manifest was "
            "changed"
        ) from None
    try:
        manifest = Manifest.model_validate(json.loads(told))
    except (ValidationError, ValueError) as error:
        wrong = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(map(str, wrong["loc"]))
        raise ReleaseRefused(f"{name}: signed, but its manifest cannot be taken: {where}: {wrong['msg']}") from None
    names = [each.name for each in manifest.files]
    if names != sorted(set(names)) or not any(each.startswith("meterbridge-") for each in names):
        raise ReleaseRefused(f"{name}: signed, but its manifest does not list meterbridge's wheels, each once, by name")
    return manifest


def _contents(file: BinaryIO, manifest: Manifest, name: str) -> Iterator[tuple[File, Iterator[bytes]]]:
    """Each wheel and its bytes, from where the file stands; the digest is compared when the last piece was taken."""
    for each in manifest.files:
        _expect(file, _header(f"{WHEELS}/{each.name}", each.size), name, f"{each.name} is not where it was signed")
        yield each, _pieces(file, each, name)
        _expect(file, _padding(each.size), name, f"it was changed after {each.name}")
    _expect(file, _END, name, "it was changed at its end")


def _pieces(file: BinaryIO, each: File, name: str) -> Iterator[bytes]:
    digest, left = hashlib.sha256(), each.size
    while left:
        piece = _exactly(file, min(left, _CHUNK), name)
        digest.update(piece)
        left -= len(piece)
        yield piece
    if digest.hexdigest() != each.sha256:
        raise ReleaseRefused(f"{name}: {each.name} is not the file that was signed")


def _size_in(block: bytes, name: str) -> int:
    """The manifest's size, from the first header, which must be the one of a manifest of that size."""
    try:
        size = int(block[124:136].rstrip(b"\0 "), 8)
    except ValueError:
        size = -1
    if not 0 <= size <= MOST_MANIFEST or block != _header(MANIFEST, size):
        raise ReleaseRefused(f"{name}: no update bundle; `meterbridge provision update-bundle` makes one")
    return size


def _exactly(file: BinaryIO, size: int, name: str) -> bytes:
    content = file.read(size)
    if len(content) != size:
        raise ReleaseRefused(f"{name}: it ends in the middle; copy it again")
    return content


def _expect(file: BinaryIO, expected: bytes, name: str, otherwise: str) -> None:
    found = file.read(len(expected))
    if found != expected:
        cut = len(found) < len(expected) and expected.startswith(found)
        raise ReleaseRefused(f"{name}: {'it ends in the middle; copy it again' if cut else otherwise}")


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _size_of_rest(files: Sequence[File]) -> int:
    return len(_END) + sum(
        len(_header(f"{WHEELS}/{each.name}", each.size)) + each.size + len(_padding(each.size)) for each in files
    )
