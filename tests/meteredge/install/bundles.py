"""Update bundles as a test wants them, signed by whom it says."""

import hashlib
from pathlib import Path

from nacl.signing import SigningKey

from meteredge.install.release import File, Manifest, Runs, write_release

HERE = Runs("cp313", "aarch64", (2, 41))
RELEASE_KEY = SigningKey(b"the release key of the site test")
STRANGER = SigningKey(b"some other key that signs things")
WHEELS = {"meterbridge-0.2.0-py3-none-any.whl": b"m" * 3_000, "pip-26.0-py3-none-any.whl": b"p" * 512}


def bundle(
    path: Path, *, key: SigningKey = RELEASE_KEY, wheels: dict[str, bytes] | None = None, **changed: object
) -> Path:
    """A bundle at `path`; `changed` are fields of its manifest that shall differ, whether it may have them or not."""
    contents = WHEELS if wheels is None else wheels
    kept = path.with_name(f"{path.name}.wheels")
    kept.mkdir(exist_ok=True)
    listed = {name: kept / f"{number}" for number, name in enumerate(contents)}
    for name, place in listed.items():
        place.write_bytes(contents[name])
    files = [
        File.model_construct(name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in contents.items()
    ]
    facts = {
        "schema_": 1,
        "version": "0.2.0",
        "python": HERE.python,
        "machine": HERE.machine,
        "glibc": (2, 36),
        "created_at": 1_790_000_000,
        "files": tuple(files),
    }
    path.unlink(missing_ok=True)
    write_release(path, Manifest.model_construct(**(facts | changed)), listed, key)
    return path
