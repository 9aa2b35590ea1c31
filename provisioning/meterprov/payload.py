"""What goes onto a node's boot partition, as files by path: made from the site file and wheels, nothing written yet."""

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from meterprov import cloud_init, firstrun
from meterprov.agent_toml import agent_toml, serial_on_wire
from meterprov.boot_text import cmdline_for_cloud_init, cmdline_for_firstrun, config_txt
from meterprov.paths import AGENT_TOML, CLAIM_INSTALL, FOLDER, INSTALL, LABEL, OWNER, PROGRAMS, UPDATE_KEY, WHEELS
from meterprov.site_file import MeterTable, SiteFile
from meterprov.system import System
from meterprov.wheels import Wheel

SUMS = f"{FOLDER}/SHA256SUMS"
"""Of all files in the folder, as `sha256sum -c` takes them: the node checks what its card kept."""


class PayloadError(Exception):
    """A part that has to travel with the node is not here."""


def payload(
    site: SiteFile,
    meter: MeterTable,
    wheels: Sequence[Wheel],
    install: bytes,
    programs: Path | None,
    claim_install: int = 1,
) -> dict[str, bytes]:
    """The folder `meterbridge/` of the boot partition; `claim_install`: for which install of the meter it claims.

    Raises PayloadError, ConfigError, OSError.
    """
    found = {AGENT_TOML: agent_toml(site, meter).encode(), INSTALL: install}
    if meter.owner is not None:
        found[OWNER] = f"{meter.owner}\n".encode()
    if meter.serial is not None and not serial_on_wire(meter):
        found[LABEL] = f"{meter.serial}\n".encode()
    if claim_install != 1:
        found[CLAIM_INSTALL] = f"{claim_install}\n".encode()
    if site.site.update_key is not None:
        found[UPDATE_KEY] = f"{site.site.update_key}\n".encode()
    found |= {f"{WHEELS}/{wheel.path.name}": wheel.path.read_bytes() for wheel in wheels}
    if programs is not None:
        idls = sorted((programs / "idl").glob("*.json"))
        if not idls:
            raise PayloadError(f"{programs}: no IDLs in its folder idl; `make programs OUT=…` makes them")
        found |= {f"{PROGRAMS}/idl/{path.name}": path.read_bytes() for path in idls}
    sums = (f"{hashlib.sha256(data).hexdigest()}  {path.removeprefix(f'{FOLDER}/')}\n" for path, data in found.items())
    return found | {SUMS: "".join(sums).encode()}


def boot_files(
    site: SiteFile, meter: MeterTable, system: System, instance: str, found: Mapping[str, str]
) -> dict[str, bytes]:
    """What the first boot reads, and the two changed files.  `found`: the image's config.txt and cmdline.txt.

    Raises OddCommandLine.
    """
    if system.first_boot == "cloud-init":
        seeds = cloud_init.seed_files(site, meter, instance)
        cmdline = cmdline_for_cloud_init(found["cmdline.txt"], instance)
    else:
        seeds = firstrun.seed_files(site, meter)
        cmdline = cmdline_for_firstrun(found["cmdline.txt"], firstrun.SCRIPT_ON_NODE)
    texts = {**seeds, "cmdline.txt": cmdline, "config.txt": config_txt(found["config.txt"], meter)}
    return {name: text.encode() for name, text in texts.items()}


def instance_of(meter: MeterTable, generation: int, contents: Mapping[str, bytes]) -> str:
    """A name that changes with the generation and with anything that the node is made from."""
    digest = hashlib.sha256()
    for path in sorted(contents):
        digest.update(path.encode() + b"\0" + hashlib.sha256(contents[path]).digest())
    return f"{meter.hostname}-g{generation}-{digest.hexdigest()[:12]}"


def install_script() -> bytes:
    """What the node runs at its first boot.  Raises PayloadError."""
    script = files("meterprov.first_boot") / "install.sh"
    if not script.is_file():
        raise PayloadError("install.sh is not part of this meterbridge: the node could not install itself; update it")
    return script.read_bytes()
