"""What a first boot is told by cloud-init, as data; test_image_by_tools asks cloud-init and netplan themselves."""

import re
from pathlib import Path

import pytest

from meterprov.cloud_init import network, seed_files, user_data
from meterprov.site_example import example
from meterprov.site_file import SiteFile, load_site

WIFI = f'[network.wifi]\nssid = "campus-iot"\npsk = "{"5" * 64}"\ncountry = "TH"\n'


@pytest.fixture
def site(tmp_path: Path) -> SiteFile:
    path = tmp_path / "site.toml"
    path.write_text(example().replace("[access]", f"{WIFI}[access]"))
    return load_site(path)


def without_sudo(site: SiteFile) -> SiteFile:
    return site.model_copy(update={"access": site.access.model_copy(update={"sudo": False})})


def test_there_is_one_user_without_a_password_and_sudo_is_null_where_he_has_none(site: SiteFile) -> None:
    user = user_data(without_sudo(site), site.meter("METER_007"))["user"]
    assert isinstance(user, dict)
    assert user["sudo"] is None
    assert user["lock_passwd"] is True
    assert user["ssh_authorized_keys"] == list(site.access.ssh_keys)
    text = seed_files(without_sudo(site), site.meter("METER_007"), "x")["user-data"]
    assert text.startswith("#cloud-config\nhostname:")
    assert "\n  sudo: null\n" in text


def test_commands_are_lists_and_ssh_is_the_first(site: SiteFile) -> None:
    commands = user_data(site, site.meter("METER_007"))["runcmd"]
    assert isinstance(commands, list)
    assert commands[0] == ["systemctl", "enable", "--now", "ssh"]
    assert all(isinstance(command, list) for command in commands)


def test_keys_that_debians_cloud_init_does_not_know_are_left_out(site: SiteFile) -> None:
    assert not {"rpi", "enable_ssh", "users"} & set(user_data(site, site.meter("METER_007")))


def test_the_hardware_watchdog_is_armed_for_15_seconds(site: SiteFile) -> None:
    text = seed_files(site, site.meter("METER_007"), "x")["user-data"]
    assert "[Manager]\\nRuntimeWatchdogSec=15s\\n" in text


def test_a_node_on_wifi_keeps_its_cable_and_gets_the_password_as_a_key(site: SiteFile) -> None:
    radio = site.meter("METER_007").model_copy(update={"link": "wifi"})
    made = seed_files(site, radio, "x")["network-config"]
    assert "wlan0" in network(site, radio)["wifis"]  # type: ignore[operator]
    assert network(site, radio)["ethernets"] == {"eth0": {"optional": True, "dhcp4": True}}
    assert re.search(r'password: "[0-9a-f]{64}"', made)
    assert "wifis" not in network(site, site.meter("METER_007"))
