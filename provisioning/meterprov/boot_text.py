"""`config.txt` and `cmdline.txt` of the boot partition, changed from what the image brings."""

import re

from meterprov.boards import boards
from meterprov.site_file import MeterTable

_BEGIN = "# meterbridge: made from the site file, down to the line that says end"
_END = "# meterbridge: end"
_BLOCK = re.compile(rf"\n*{re.escape(_BEGIN)}.*?{re.escape(_END)}\n", re.DOTALL)
_RUN = "systemd.run="


class OddCommandLine(Exception):
    """The image's cmdline.txt is not one line of kernel options."""


def config_txt(found: str, meter: MeterTable) -> str:
    """The image's own text, then what this board needs: UART, clock, watchdog; made anew where it was there."""
    kept = _BLOCK.sub("\n", found).rstrip("\n")
    block = [_BEGIN, "[all]", "dtparam=watchdog=on"]
    uart = boards()[meter.board].uarts.get(meter.port)
    if uart is not None:
        block += ["enable_uart=1", f"dtoverlay={uart.overlay}{',rs485' if meter.driver_enable == 'rts' else ''}"]
    if meter.rtc == "ds3231":
        block += ["dtparam=i2c_arm=on", "dtoverlay=i2c-rtc,ds3231"]
    return "\n".join([kept, "", *block, _END, ""])


def cmdline_for_cloud_init(found: str, instance: str) -> str:
    """With the instance named and without a console on the header.  Raises OddCommandLine."""
    return _line([*_kept(found), f"ds=nocloud;i={instance}"])


def cmdline_for_firstrun(found: str, script: str) -> str:
    """With a script that systemd runs once, and without a console on the header.  Raises OddCommandLine."""
    return _line(
        [
            *_kept(found),
            f"{_RUN}{script}",
            "systemd.run_success_action=reboot",
            "systemd.run_failure_action=reboot",
            "systemd.unit=kernel-command-line.target",
        ]
    )


def _kept(found: str) -> list[str]:
    lines = [line for line in found.splitlines() if line.strip()]
    if len(lines) != 1 or "root=" not in lines[0]:
        raise OddCommandLine("cmdline.txt of the image is not one line with root=…; take another image")
    ours = ("ds=nocloud", "console=serial0,", "console=ttyAMA", "console=ttyS", "systemd.run", "systemd.unit=")
    return [word for word in lines[0].split() if not word.startswith(ours)]


def _line(words: list[str]) -> str:
    return " ".join(words) + "\n"
