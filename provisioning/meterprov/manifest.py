"""The manifest: what was done with each node, one fact a line, appended and never changed.

    manifest.append(path, ImageMade(at=…, meter_id="METER_007", …))
    for fact in manifest.read(path): …

A line is one JSON object with "schema", "fact" (its kind), "at" (Unix seconds, UTC) and what that kind says.  A line is
on the medium once `append` returns.  A power cut in between leaves a last line without its end: nobody was told that it
is there, so reading leaves it out and the next `append` cuts it off.  Anything else that is not a line is an error.
Nothing secret and nothing personal goes in: names of meters, keys' public halves, digests, versions; the one exception
is whoever answers for a meter's direction, as the operator wrote it.

A new kind is a class with its own `fact`, put into `AnyFact`.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from meterchain.durable import sync_folder

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256."""


class ManifestError(Exception):
    """The manifest cannot be read or written; the message names file and line."""


class _Fact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    at: Annotated[int, Field(ge=0)]
    """Unix seconds, UTC."""
    meter_id: str | None = None

    SAME_BY: ClassVar[tuple[str, ...]] = ()
    """What two facts of this kind share that say the same; see `append_once`."""


class ImageMade(_Fact):
    """An image for one node was made and read back."""

    fact: Literal["image"] = "image"
    meter_id: str
    site: str
    domain: str
    generation: Annotated[int, Field(ge=1)]
    """1 for a meter's first node; re-provisioning counts on."""
    instance: str
    """cloud-init's instance-id, or what stands for it."""
    hostname: str
    board: str
    system: str
    version: str
    """Of the meterbridge wheel in it."""
    base: str
    base_sha256: Digest
    image: str
    image_bytes: Annotated[int, Field(ge=1)]
    image_sha256: Digest
    files: Mapping[str, Digest]
    """What was written into the boot partition, by path."""


class Flashed(_Fact):
    """A card, or a file standing for one, was written and read back whole."""

    fact: Literal["flashed"] = "flashed"
    image: str
    image_bytes: Annotated[int, Field(ge=1)]
    image_sha256: Digest
    disk: str
    """Vendor, model and size as the kernel tells them; no serial number."""


class Labelled(_Fact):
    """A label was printed."""

    fact: Literal["labelled"] = "labelled"
    meter_id: str
    fingerprint: str | None = None
    """Of the meter's key, if the label has it."""


class _OfInstall(_Fact):
    meter_id: str
    install_id: Annotated[int, Field(ge=1)]


class Enrolled(_OfInstall):
    """The meter is on the chain with this key and device; for a later install: it took the place of another."""

    SAME_BY = ("meter_id", "install_id", "fingerprint")
    fact: Literal["enrolled"] = "enrolled"
    domain: str
    fingerprint: str
    """Of the meter's key."""
    model: str
    serial: str
    board_serial: str | None = None
    key_level: str | None = None
    """file, board or chip: what a thief of the node would have to beat."""
    baseline_export_mwh: int
    baseline_import_mwh: int
    direction_by: str
    """Who or what proved the direction."""
    doubts: tuple[str, ...] = ()
    """Names of the checks that warned."""


class FirstReading(_OfInstall):
    """The chain has verified a record of this install."""

    SAME_BY = ("meter_id", "install_id")
    fact: Literal["first_reading"] = "first_reading"
    seq: Annotated[int, Field(ge=1)]
    read_at: int
    """Unix seconds, by the record."""


class Booted(_Fact):
    """What a node's first boot left on its card."""

    SAME_BY = ("meter_id", "ok", "step", "fingerprint", "claim")
    fact: Literal["booted"] = "booted"
    meter_id: str
    ok: bool
    step: str
    """`done`, or the one that failed."""
    board_serial: str | None = None
    fingerprint: str | None = None
    """Of the key that it made."""
    claim: str | None = None
    """written, waiting (for the meter to answer), or not ordered."""


class FinalRecord(_OfInstall):
    """The chain's last record of this install is the final one (F), signed by its key."""

    SAME_BY = ("meter_id", "install_id", "digest")
    fact: Literal["final_record"] = "final_record"
    seq: Annotated[int, Field(ge=1)]
    digest: Digest
    read_at: int
    export_mwh: int
    import_mwh: int


class KeyRotated(_OfInstall):
    """The same meter, another key: the old one is retired for ever."""

    SAME_BY = ("meter_id", "install_id", "fingerprint")
    fact: Literal["key_rotated"] = "key_rotated"
    fingerprint: str
    retired: str | None = None
    """Fingerprint of the old one; None if this manifest never had it."""
    board_serial: str | None = None
    key_level: str | None = None


class Decommissioned(_OfInstall):
    """The meter is out of service for ever, with it its key, and stands in nobody's list."""

    SAME_BY = ("meter_id",)
    fact: Literal["decommissioned"] = "decommissioned"
    retired: str
    """Fingerprint of its last key."""


class LabelVoid(_Fact):
    """A label with this key on it says something that is no longer so: take it off."""

    SAME_BY = ("meter_id", "fingerprint")
    fact: Literal["label_void"] = "label_void"
    meter_id: str
    fingerprint: str


AnyFact = (
    ImageMade
    | Flashed
    | Labelled
    | Booted
    | Enrolled
    | FirstReading
    | FinalRecord
    | KeyRotated
    | Decommissioned
    | LabelVoid
)
_FACT: TypeAdapter[AnyFact] = TypeAdapter(Annotated[AnyFact, Field(discriminator="fact")])


def append(path: Path, fact: _Fact) -> int:
    """Add a line; its number, from 1.  On the medium once this returns.  Raises ManifestError."""
    line = line_of(fact).encode()
    try:
        with _locked(path) as descriptor:
            there = _whole(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
            os.ftruncate(descriptor, len(there))
            os.lseek(descriptor, 0, os.SEEK_END)
            written = os.write(descriptor, line)
            if written < len(line):
                os.ftruncate(descriptor, len(there))
                raise ManifestError(f"{path}: no room for another line; nothing was added, free some space")
            os.fsync(descriptor)
            sync_folder(path.parent)
            return there.count(b"\n") + 1
    except OSError as error:
        raise ManifestError(f"{path}: cannot be written ({error.strerror}); name another with --manifest") from error


def read(path: Path) -> Iterator[AnyFact]:
    """Every fact in the order it was written; none if there is no file.  Raises ManifestError on the first odd line."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror})") from error
    for number, line in enumerate(_whole(content).splitlines(), start=1):
        try:
            yield _FACT.validate_json(line)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'line'}: {e['msg']}" for e in error.errors())
            raise ManifestError(f"{path}, line {number}: no fact of ours ({wrong}); restore it from a copy") from None


def append_once(path: Path, fact: _Fact) -> int | None:
    """Add a line unless one of its kind says the same (SAME_BY); its number, None if there is one.

    Raises ManifestError.
    """

    def told(each: _Fact) -> tuple[object, ...]:
        return tuple(getattr(each, name) for name in fact.SAME_BY)

    if any(type(each) is type(fact) and told(each) == told(fact) for each in read(path)):
        return None
    return append(path, fact)


def generation_of(path: Path, meter_id: str) -> int | None:
    """The newest generation of that meter's images; None if there is none.  Raises ManifestError."""
    made = (fact.generation for fact in read(path) if isinstance(fact, ImageMade) and fact.meter_id == meter_id)
    return max(made, default=None)


def meter_of_image(path: Path, sha256: str) -> str | None:
    """The meter whose image has that digest; None if no line says so.  Raises ManifestError."""
    made = (fact.meter_id for fact in read(path) if isinstance(fact, ImageMade) and fact.image_sha256 == sha256)
    return next(made, None)


def line_of(fact: _Fact) -> str:
    """The line, with its end."""
    return fact.model_dump_json(by_alias=True, exclude_none=True) + "\n"


def _whole(content: bytes) -> bytes:
    """Up to the end of the last line that has one."""
    return content[: content.rfind(b"\n") + 1]


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
