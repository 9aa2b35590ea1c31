"""The first boot of bookworm images: `custom.toml` for users, keys and Wi-Fi, `firstrun.sh` for all the rest.

The image's own first start reads `custom.toml` and restarts; systemd then runs `firstrun.sh` (cmdline.txt names it),
which takes itself out first, so that it runs once whatever comes, and restarts the node in the end.
"""

import json
import shlex
import uuid
from collections.abc import Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

from meterprov.drop_ins import drop_ins
from meterprov.paths import BOOT_ON_NODE, INSTALL_ON_NODE
from meterprov.site_file import MeterTable, SiteFile

SCRIPT_ON_NODE = f"{BOOT_ON_NODE}/firstrun.sh"
_CONNECTIONS = "/etc/NetworkManager/system-connections"
_SUDO_RULE = "/etc/sudoers.d/010_pi-nopasswd"
Value = str | bool | list[str]


def seed_files(site: SiteFile, meter: MeterTable) -> Mapping[str, str]:
    """Text by name on the boot partition."""
    return {"custom.toml": custom_toml(site, meter), "firstrun.sh": firstrun_sh(site, meter)}


def custom_toml(site: SiteFile, meter: MeterTable) -> str:
    """What raspberrypi-sys-mods applies at the very first start; a user without a password is locked."""
    tables: dict[str, dict[str, Value]] = {
        "system": {"hostname": meter.hostname},
        "user": {"name": site.access.user},
        "ssh": {"enabled": True, "password_authentication": False, "authorized_keys": list(site.access.ssh_keys)},
        "locale": {"timezone": site.site.timezone},
    }
    wifi = site.network.wifi if meter.by_wifi else None
    if wifi is not None:
        tables["wlan"] = {
            "ssid": wifi.ssid,
            "password": wifi.psk,
            "password_encrypted": True,
            "hidden": wifi.hidden,
            "country": wifi.country,
        }
    lines = ["config_version = 1"]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def firstrun_sh(site: SiteFile, meter: MeterTable) -> str:
    """A script for the node's /bin/sh; each step goes on if the one before failed, the installation tells its own."""
    lines = [
        "#!/bin/sh",
        f"# {meter.id}: run once by systemd, as cmdline.txt says; made from the site file.",
        f"sed -i 's| systemd\\.[^ ]*||g' {BOOT_ON_NODE}/cmdline.txt",
        f"rm -f {SCRIPT_ON_NODE}",
    ]
    for path, text in drop_ins(site).items():
        lines += _written(path, text, "0644")
    if meter.address is not None:
        name = f"{_CONNECTIONS}/meterbridge.nmconnection"
        lines += _written(name, _connection(site, meter, ip_interface(meter.address)), "0600")
    if not site.access.sudo:
        lines.append(f"rm -f {_SUDO_RULE}")
    lines += [f"sh {INSTALL_ON_NODE}", "sync", "exit 0"]
    return "\n".join(lines) + "\n"


def _written(path: str, text: str, mode: str) -> list[str]:
    folder = path.rpartition("/")[0]
    return [
        f"mkdir -p {shlex.quote(folder)}",
        f"printf %s {shlex.quote(text)} > {shlex.quote(path)}",
        f"chmod {mode} {shlex.quote(path)}",
    ]


def _connection(site: SiteFile, meter: MeterTable, fixed: IPv4Interface | IPv6Interface) -> str:
    """NetworkManager's keyfile for a fixed address; preferred to what `custom.toml` made."""
    ours, other = ("ipv4", "ipv6") if fixed.version == 4 else ("ipv6", "ipv4")
    servers = [name for name in site.network.nameservers if ip_address(name).version == fixed.version]
    wifi = site.network.wifi if meter.by_wifi else None
    tables: dict[str, dict[str, str]] = {
        "connection": {
            "id": "meterbridge",
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, meter.hostname)),
            "type": "wifi" if wifi else "ethernet",
            "autoconnect-priority": "10",
        },
        ours: {"method": "manual", "address1": f"{fixed},{site.network.gateway or ''}", "dns": ";".join(servers)},
        other: {"method": "auto"},
    }
    if wifi is not None:
        tables["wifi"] = {"mode": "infrastructure", "ssid": wifi.ssid, "hidden": str(wifi.hidden).lower()}
        tables["wifi-security"] = {"key-mgmt": "wpa-psk", "psk": wifi.psk}
    blocks = ["\n".join([f"[{name}]", *(f"{k}={v}" for k, v in table.items())]) for name, table in tables.items()]
    return "\n\n".join(blocks) + "\n"
