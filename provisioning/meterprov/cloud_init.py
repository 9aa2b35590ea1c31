"""The first boot of trixie images: what cloud-init reads from the boot partition (NoCloud).

`meta-data` names the instance: a new instance-id makes cloud-init do everything again, which is re-provisioning.
`user-data` is checked against Debian 13's schema in CI, `network-config` by netplan.
"""

from collections.abc import Mapping

from meterprov.drop_ins import drop_ins
from meterprov.paths import INSTALL_ON_NODE
from meterprov.site_file import MeterTable, SiteFile
from meterprov.yaml_text import Data, yaml_text

_GROUPS = ("adm", "dialout", "systemd-journal", "users")
_FREE_FOR_ALL = "ALL=(ALL) NOPASSWD:ALL"


def seed_files(site: SiteFile, meter: MeterTable, instance: str) -> Mapping[str, str]:
    """Text by name on the boot partition."""
    return {
        "meta-data": yaml_text({"instance-id": instance, "local-hostname": meter.hostname}),
        "user-data": "#cloud-config\n" + yaml_text(user_data(site, meter)),
        "network-config": yaml_text({"network": network(site, meter)}),
    }


def user_data(site: SiteFile, meter: MeterTable) -> Mapping[str, Data]:
    """Users, files and commands of the first boot."""
    return {
        "hostname": meter.hostname,
        "manage_etc_hosts": True,
        "timezone": site.site.timezone,
        "ssh_pwauth": False,
        "disable_root": True,
        "user": {
            "name": site.access.user,
            "shell": "/bin/bash",
            "lock_passwd": True,
            "groups": list(_GROUPS),
            "sudo": _FREE_FOR_ALL if site.access.sudo else None,
            "ssh_authorized_keys": list(site.access.ssh_keys),
        },
        "write_files": [
            {"path": path, "content": text, "owner": "root:root", "permissions": "0644"}
            for path, text in drop_ins(site).items()
        ],
        "runcmd": [
            ["systemctl", "enable", "--now", "ssh"],
            ["systemctl", "daemon-reexec"],
            ["sh", INSTALL_ON_NODE],
        ],
    }


def network(site: SiteFile, meter: MeterTable) -> Mapping[str, Data]:
    """Netplan's description: the cable, or the site's Wi-Fi where the node has that, and its secret on no other."""
    link: Mapping[str, Data] = {"optional": True, **_addresses(site, meter)}
    wifi = site.network.wifi
    if not meter.by_wifi or wifi is None:
        return {"version": 2, "ethernets": {"eth0": link}}
    point: dict[str, Data] = {"password": wifi.psk}
    if wifi.hidden:
        point["hidden"] = True
    radio = {**link, "regulatory-domain": wifi.country, "access-points": {wifi.ssid: point}}
    return {
        "version": 2,
        "ethernets": {"eth0": {"optional": True, "dhcp4": True}},
        "wifis": {"wlan0": radio},
    }


def _addresses(site: SiteFile, meter: MeterTable) -> Mapping[str, Data]:
    if meter.address is None:
        return {"dhcp4": True}
    found: dict[str, Data] = {"dhcp4": False, "addresses": [meter.address]}
    if site.network.gateway is not None:
        found["routes"] = [{"to": "default", "via": site.network.gateway}]
    if site.network.nameservers:
        found["nameservers"] = {"addresses": list(site.network.nameservers)}
    return found
