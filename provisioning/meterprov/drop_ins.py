"""Files of systemd that every node gets, whatever its first boot is done by."""

from collections.abc import Mapping

from meterprov.site_file import SiteFile

WATCHDOG_S = 15


def drop_ins(site: SiteFile) -> Mapping[str, str]:
    """Text by path on the node: the hardware watchdog, and the site's time servers."""
    files = {
        "/etc/systemd/system.conf.d/90-meterbridge-watchdog.conf": f"[Manager]\nRuntimeWatchdogSec={WATCHDOG_S}s\n"
    }
    if site.network.ntp:
        files["/etc/systemd/timesyncd.conf.d/90-meterbridge.conf"] = f"[Time]\nNTP={' '.join(site.network.ntp)}\n"
    return files
