"""Addresses and names of the network, as a person writes them into the site file."""

import re
from ipaddress import ip_address, ip_interface
from typing import TypeAlias

Interface: TypeAlias = str
"""An address with the length of its network: 192.0.2.17/24."""

_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")


def an_address(text: str) -> str:
    """The IP address, in its usual spelling.  Raises ValueError with what to write instead."""
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is no address; write one like 192.0.2.1") from None


def an_interface(text: str) -> Interface:
    """The address with its network's length.  Raises ValueError with what to write instead."""
    try:
        interface = ip_interface(text)
    except ValueError:
        interface = None
    if interface is None or "/" not in text or interface.network.num_addresses == 1:
        raise ValueError(f"{text!r} is no address in a network; write one like 192.0.2.17/24")
    return str(interface)


def a_host(name: str) -> str:
    """A host's name or address.  Raises ValueError with what to write instead."""
    try:
        return str(ip_address(name))
    except ValueError:
        if len(name) <= 253 and name and all(_LABEL.fullmatch(label) for label in name.split(".")):
            return name
    raise ValueError(f"{name!r} is no host; write a name like ntp.example.org, or an address")
