"""Putting the bridge's firmware on a Pico: write, read back, compare, and only then put in place.

Each file goes to `NAME.new`, its SHA-256 is computed on the board, and only when all of them are right they are
renamed.  Stored settings and pulses stay; the unit id is written with the firmware's own code.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from meterprov.raw_repl import RawRepl

PICO = "rp2"
DEFAULT_UNIT = 247
_CHUNK = 512


class BridgeError(Exception):
    """The board is not what it should be, or did not keep what was written; the message says the next step."""


@dataclass(frozen=True)
class Flashed:
    """What is on the board now."""

    version: str
    unit: int
    sha256: Mapping[str, str]
    """Digest by path, as computed on the board."""


def firmware() -> dict[str, bytes]:
    """The files of the firmware by their path on the board."""
    folder: Traversable = files("meterprov") / "firmware"
    if not folder.is_dir():
        folder = Path(__file__).parents[2] / "firmware"
    package = folder / "bridge"
    modules = sorted(entry.name for entry in package.iterdir() if entry.name.endswith(".py"))
    return {f"bridge/{name}": (package / name).read_bytes() for name in modules} | {
        "main.py": (folder / "main.py").read_bytes()
    }


def flash(
    repl: RawRepl,
    unit: int = DEFAULT_UNIT,
    *,
    root: str = "",
    platform: str = PICO,
    say: Callable[[str], None] = lambda _line: None,
) -> Flashed:
    """Write firmware and unit id below `root`; `say` hears each step.  Raises BridgeError, ReplError."""
    if not 1 <= unit <= 247:
        raise BridgeError(f"unit {unit} is no address; choose 1 to 247, none that a meter on the bus has")
    found = repl.run("import sys; print(sys.platform)").strip()
    if found != platform:
        raise BridgeError(f"the board is a {found}, the bridge runs on {platform}; nothing was written")
    wanted = firmware()
    repl.run(f"import os\ntry:\n os.mkdir({root + '/bridge'!r})\nexcept OSError as e:\n if e.errno != 17: raise")
    digests = {}
    for path, data in wanted.items():
        say(f"writing {path}, {len(data)} bytes")
        digests[path] = _write(repl, f"{root}/{path}.new", data)
        if digests[path] != hashlib.sha256(data).hexdigest():
            raise BridgeError(
                f"{path} reads back otherwise; the old firmware is still in place. Repeat; then take another board"
            )
    repl.run("\n".join(["import os", *(f"os.rename({f'{root}/{p}.new'!r}, {f'{root}/{p}'!r})" for p in wanted)]))
    say(f"setting unit {unit}")
    version, kept = repl.run(_SET_UNIT.format(root=root, unit=unit)).split()
    if int(kept) != unit:
        raise BridgeError(f"the board keeps unit {kept} instead of {unit}; repeat, then take another board")
    return Flashed(version, unit, digests)


_SET_UNIT = """
import sys
for name in [n for n in sys.modules if n.split(".")[0] == "bridge"]: del sys.modules[name]
sys.path.insert(0, {root!r})
import bridge
from bridge.flash import Slots
from bridge.stored import Store
store = Store(Slots({root!r}))
state = store.load()
state.unit = {unit}
store.save(state)
print(bridge.VERSION, store.load().unit)
"""


def _write(repl: RawRepl, path: str, data: bytes) -> str:
    """Write a file; its SHA-256 as the board reads it back."""
    repl.run(f"f = open({path!r}, 'wb')")
    for start in range(0, len(data), _CHUNK):
        repl.run(f"f.write({data[start : start + _CHUNK]!r})")
    repl.run("f.close()")
    return repl.run(
        "import hashlib, binascii\nh = hashlib.sha256()\n"
        f"f = open({path!r}, 'rb')\n"
        "while True:\n b = f.read(512)\n if not b: break\n h.update(b)\n"
        "f.close()\nprint(binascii.hexlify(h.digest()).decode())"
    ).strip()
