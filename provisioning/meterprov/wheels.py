"""The agent and everything it needs as wheels for the node's Python, gathered on the operator's machine.

pip downloads for the target (`--platform`, `--python-version`), but it judges environment markers by the machine that
it runs on; so what came is checked here against the node's own environment: every wheel must fit it, every requirement
must be met by exactly one, and what is missing is fetched by name.  What was gathered once is kept in a cache.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from functools import cached_property
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from meterprov.system import System

NODE_EXTRAS = ("web", "technician")
"""Extras of ours that a node has, where the wheel offers them."""
OWN = "meterbridge"
"""What our own wheel is called."""
INSTALLER = "pip"
"""Travels along: Raspberry Pi OS need not have it."""
_OLDEST_GLIBC = 17
_ROUNDS = 5
Say = Callable[[str], None]


class WheelsError(Exception):
    """The agent's wheels cannot be gathered, or do not fit the node."""


@dataclass(frozen=True)
class Wheel:
    """One wheel file."""

    path: Path

    @cached_property
    def name(self) -> NormalizedName:
        """Of the project."""
        return self._parsed[0]

    @property
    def version(self) -> Version:
        """Of the project."""
        return self._parsed[1]

    @property
    def tags(self) -> frozenset[Tag]:
        """Where it runs."""
        return self._parsed[2]

    @cached_property
    def requires(self) -> tuple[Requirement, ...]:
        """What its metadata asks for, markers unjudged.  Raises WheelsError."""
        return tuple(Requirement(text) for text in self._metadata.get_all("Requires-Dist", []))

    @cached_property
    def extras(self) -> frozenset[str]:
        """Names of its extras."""
        return frozenset(self._metadata.get_all("Provides-Extra", []))

    @cached_property
    def _parsed(self) -> tuple[NormalizedName, Version, frozenset[Tag]]:
        try:
            name, version, _, tags = parse_wheel_filename(self.path.name)
        except InvalidWheelFilename:
            raise WheelsError(f"{self.path}: the name is not a wheel's; take it out of the folder") from None
        return name, version, tags

    @cached_property
    def _metadata(self) -> Message:
        try:
            with zipfile.ZipFile(self.path) as archive:
                inner = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA") and n.count("/") == 1)
                return BytesHeaderParser().parsebytes(archive.read(inner))
        except (OSError, zipfile.BadZipFile, StopIteration) as error:
            raise WheelsError(f"{self.path}: it is no whole wheel ({error}); take it out of the folder") from None


def own_wheel(given: Path | None, into: Path, say: Say) -> Wheel:
    """The wheel of meterbridge itself: the given one, or built from the source tree that this runs from.

    Raises WheelsError.
    """
    if given is not None:
        if not given.is_file():
            raise WheelsError(f"{given}: there is no such wheel; name one with --wheel")
        return Wheel(given)
    source = Path(__file__).parents[2]
    if not (source / "pyproject.toml").is_file():
        raise WheelsError("this runs from an installed package: name the wheel it came from with --wheel FILE")
    say("building the wheel of meterbridge")
    _pip("wheel", "--no-deps", "--wheel-dir", str(into), str(source))
    (built,) = into.glob("meterbridge-*.whl")
    return Wheel(built)


def gather(own: Wheel, system: System, cache: Path, say: Say) -> tuple[Wheel, ...]:
    """Our own wheel and all that it needs on `system`, from the cache or from the index.  Raises WheelsError."""
    asked = sorted([*map(str, own.requires), *NODE_EXTRAS, INSTALLER, system.tag, str(system.glibc), system.machine])
    folder = cache / f"{system.tag}-{hashlib.sha256(chr(10).join(asked).encode()).hexdigest()[:16]}"
    if not folder.is_dir():
        say(f"downloading wheels for {system.codename}: {system.tag}, {system.machine}")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as draft:
            _download(own, system, Path(draft))
            try:
                Path(draft).rename(folder)
            except OSError:  # another run was faster
                shutil.rmtree(draft, ignore_errors=True)
            else:
                Path(draft).mkdir()  # what the context takes away
    return checked(own, [Wheel(path) for path in sorted(folder.glob("*.whl"))], system)


def from_folder(own: Wheel, folder: Path, system: System) -> tuple[Wheel, ...]:
    """The same from a folder that somebody prepared: no network.  Raises WheelsError."""
    there = [Wheel(path) for path in sorted(folder.glob("*.whl"))]
    return checked(own, [wheel for wheel in there if wheel.name != own.name], system)


def checked(own: Wheel, others: Sequence[Wheel], system: System) -> tuple[Wheel, ...]:
    """All of them that the node needs, if they fit it and nothing is missing.  Raises WheelsError."""
    fitting = _fitting_tags(system)
    for wheel in (own, *others):
        if not wheel.tags & fitting:
            raise WheelsError(f"{wheel.path.name} does not run on {system.codename} ({system.tag}, {system.machine})")
    by_name: dict[str, Wheel] = {}
    for wheel in (own, *others):
        if wheel.name in by_name:
            raise WheelsError(f"two versions of {wheel.name}: {by_name[wheel.name].path.name}, {wheel.path.name}")
        by_name[wheel.name] = wheel
    needed, missing = _closure(own, by_name, system)
    if missing:
        raise WheelsError(f"wheels are missing for {system.codename}: {', '.join(missing)}")
    return tuple(by_name[name] for name in sorted(needed))


def default_cache() -> Path:
    """$XDG_CACHE_HOME/meterbridge/wheels, or below ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "meterbridge" / "wheels"


def _download(own: Wheel, system: System, into: Path) -> None:
    asked = [str(own.path) + _extras_of(own), INSTALLER]
    for _ in range(_ROUNDS):
        _pip("download", *_target(system), "--dest", str(into), *asked)
        for copy in into.glob(f"{own.path.name.split('-')[0]}-*.whl"):
            copy.unlink()
        by_name: dict[str, Wheel] = {str(wheel.name): wheel for wheel in (own, *map(Wheel, into.glob("*.whl")))}
        _, missing = _closure(own, by_name, system)
        if not missing:
            return
        asked = [str(own.path) + _extras_of(own), *missing]
    raise WheelsError(f"the index has no wheels for {', '.join(missing)} on {system.codename}, {system.machine}")


def _closure(own: Wheel, there: dict[str, Wheel], system: System) -> tuple[set[str], list[str]]:
    """Names of what is needed, and requirements that nothing there meets."""
    needed: set[str] = set()
    missing: dict[str, None] = {}
    todo = [Requirement(f"{own.name}{_extras_of(own)}"), Requirement(INSTALLER)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        wheel = there.get(name)
        if wheel is None or not requirement.specifier.contains(wheel.version, prereleases=True):
            bare = Requirement(str(requirement))
            bare.marker = None
            missing[str(bare)] = None
            continue
        needed.add(name)
        extras = frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        todo += _asked_on(wheel, extras, system)
    return needed, list(missing)


def _asked_on(wheel: Wheel, extras: frozenset[str], system: System) -> Iterator[Requirement]:
    for requirement in wheel.requires:
        marker = requirement.marker
        if marker is None or any(marker.evaluate(_environment(system, extra)) for extra in ("", *extras)):
            yield requirement


def _environment(system: System, extra: str) -> dict[str, str]:
    version = f"{system.python[0]}.{system.python[1]}"
    return {
        "extra": extra,
        "implementation_name": "cpython",
        "implementation_version": f"{version}.0",
        "os_name": "posix",
        "platform_machine": system.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": "linux",
    }


def _extras_of(own: Wheel) -> str:
    offered = [extra for extra in NODE_EXTRAS if extra in own.extras]
    return f"[{','.join(offered)}]" if offered else ""


def _platforms(system: System) -> list[str]:
    newest = system.glibc[1]
    return [
        *(f"manylinux_2_{n}_{system.machine}" for n in range(newest, _OLDEST_GLIBC - 1, -1)),
        f"manylinux2014_{system.machine}",
    ]


def _fitting_tags(system: System) -> frozenset[Tag]:
    platforms = [*_platforms(system), f"linux_{system.machine}"]
    return frozenset(
        [
            *cpython_tags(system.python, platforms=platforms),
            *compatible_tags(system.python, interpreter=system.tag, platforms=platforms),
        ]
    )


def _target(system: System) -> list[str]:
    version = f"{system.python[0]}.{system.python[1]}"
    words = ["--only-binary=:all:", "--implementation", "cp", "--python-version", version]
    for abi in (system.tag, "abi3", "none"):
        words += ["--abi", abi]
    for platform in _platforms(system):
        words += ["--platform", platform]
    return words


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        told = done.stderr.strip().splitlines()
        why = next((line for line in reversed(told) if line.startswith("ERROR")), told[-1] if told else "no word of it")
        raise WheelsError(
            f"pip {words[0]}: {why.removeprefix('ERROR: ')}; look at the network, or give --wheels FOLDER"
        )
