"""The site file: everything about one site that its nodes are made from, in one TOML.

    site = load_site(Path("site.toml"))
    meter = site.meter("METER_007")
    agent_toml(site, meter)          → that node's /etc/meterbridge/agent.toml

An unknown key is an error that names the nearest known one, and all mistakes are told at once.  Every field is marked
public, personal or secret (meteredge.privacy): that is what `provision site show` goes by.  `site_example.toml`
beside this file is the annotated example.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from solders.pubkey import Pubkey

from meterchain.record import encode_meter_id
from meteredge import config as agent
from meteredge.mistakes import NotToml, read_toml, told
from meteredge.privacy import PERSONAL, PUBLIC, SECRET
from meteredge.profiles import PhaseAccounting, Profile, ProfileError
from meteredge.profiles import load as load_profile
from meterprov.addresses import Interface, a_host, an_address, an_interface
from meterprov.boards import BoardName, DriverEnable, Rtc, boards
from meterprov.ssh_keys import check_ssh_key

MOST_W = 1_000_000
_USER = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_SSID = re.compile(r"[\x20-\x7e]{1,32}")
_USB_PORT = re.compile(r"/dev/serial/by-(id|path)/[!-~]+|[0-9a-fA-F]{4}:[0-9a-fA-F]{4}(:[!-~]+)?")


class SiteFileError(Exception):
    """The site file cannot be used; one line for each thing that is wrong."""


class NoSuchMeter(Exception):
    """The site file has no meter of that name."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SiteTable(_Table):
    """[site]: what all nodes share."""

    name: Annotated[str, Field(min_length=1, max_length=64), PUBLIC]
    domain: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$"), PUBLIC]
    """16 hexadecimal digits that `meterbridge site init` prints."""
    timezone: Annotated[str, PUBLIC] = "UTC"
    phase_accounting: Annotated[PhaseAccounting | None, PUBLIC] = None
    """How meters of three phases add them; wanted as soon as there is one."""
    update_key: Annotated[str | None, PUBLIC] = None
    """What `provision update-key` printed: nodes take updates that its secret half signed; None = they take none."""

    @field_validator("update_key")
    @classmethod
    def _public_key(cls, text: str | None) -> str | None:
        return None if text is None else _base58(text, "no public key; `provision update-key` prints one")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        return agent.known_zone(name)


class ChainTable(_Table):
    """[chain]: where records go, and by which programs."""

    rpc: Annotated[str, SECRET]
    """Providers put their key into it."""
    programs: Annotated[str | None, PUBLIC] = None
    """OUT of `make programs` for ids of one's own, a folder seen from the site file; None = the development ids."""
    settle_every: Annotated[int, Field(ge=0, le=96), PUBLIC] = 4

    @field_validator("rpc")
    @classmethod
    def _is_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isascii():
            raise ValueError("no RPC address (not repeated here); write one like https://api.devnet.solana.com")
        return url


class WifiTable(_Table):
    """[network.wifi]: one network for all nodes without a cable."""

    ssid: Annotated[str, PERSONAL]
    psk: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), SECRET]
    """64 hexadecimal digits; a passphrase is not taken."""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$"), PUBLIC]
    hidden: Annotated[bool, PUBLIC] = False

    @field_validator("ssid")
    @classmethod
    def _plain(cls, ssid: str) -> str:
        if not _SSID.fullmatch(ssid):
            raise ValueError("1 to 32 printable ASCII characters are expected")
        return ssid


class NetworkTable(_Table):
    """[network]: how nodes get their addresses."""

    wifi: WifiTable | None = None
    gateway: Annotated[str | None, PERSONAL] = None
    """For meters with an `address` of their own."""
    nameservers: Annotated[tuple[str, ...], Field(strict=False), PERSONAL] = ()
    ntp: Annotated[tuple[str, ...], Field(strict=False), PUBLIC] = ()
    """Time servers; none = those of the operating system."""

    @field_validator("gateway")
    @classmethod
    def _one_address(cls, text: str | None) -> str | None:
        return None if text is None else an_address(text)

    @field_validator("nameservers")
    @classmethod
    def _addresses(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(an_address(text) for text in texts)

    @field_validator("ntp")
    @classmethod
    def _hosts(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(a_host(name) for name in names)


class AccessTable(_Table):
    """[access]: who may log in on a node: by key only, there is no password."""

    user: Annotated[str, PUBLIC] = "technician"
    ssh_keys: Annotated[tuple[str, ...], Field(strict=False, min_length=1), PERSONAL]
    sudo: Annotated[bool, PUBLIC] = False
    """May that user become root without a password?  Without it, nobody is root on a node."""

    @field_validator("user")
    @classmethod
    def _user_name(cls, name: str) -> str:
        if not _USER.fullmatch(name) or name in {"root", "meterbridge"}:
            raise ValueError(f"{name!r}: a name of a-z, 0-9, - and _ is expected, neither root nor meterbridge")
        return name

    @field_validator("ssh_keys")
    @classmethod
    def _keys(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_ssh_key(key) for key in keys)


class MeterDefaults(_Table):
    """[defaults]: what meters have that do not say otherwise; each key as in [[meters]]."""

    profile: Annotated[str | None, PUBLIC] = None
    unit: Annotated[int | None, Field(ge=1, le=248), PUBLIC] = None
    port: Annotated[str | None, PUBLIC] = None
    baud: Annotated[int | None, Field(ge=1200, le=115_200), PUBLIC] = None
    framing: Annotated[str | None, Field(pattern=r"^8[NEO][12]$"), PUBLIC] = None
    bridge_unit: Annotated[int | None, Field(ge=1, le=247), PUBLIC] = None
    """Address of the Pico between USB and the wire; None = there is none."""
    board: Annotated[BoardName | None, PUBLIC] = None
    driver_enable: Annotated[DriverEnable, PUBLIC] = "adapter"
    rtc: Annotated[Rtc, PUBLIC] = "none"
    link: Annotated[Literal["cable", "wifi"] | None, PUBLIC] = None
    """How the node reaches the network; None = by cable if its board has a socket."""
    owner: Annotated[str | None, PERSONAL] = None
    """The wallet that the meter's energy pays; None = told at enrolment."""
    direction: Annotated[Literal["normal", "reversed"], PUBLIC] = "normal"
    max_export_w: Annotated[int | None, Field(ge=0, le=MOST_W), PUBLIC] = None
    max_import_w: Annotated[int | None, Field(ge=0, le=MOST_W), PUBLIC] = None

    @field_validator("profile")
    @classmethod
    def _known_profile(cls, name: str | None) -> str | None:
        if name is not None:
            _profile(name)
        return name

    @field_validator("port")
    @classmethod
    def _stable_port(cls, port: str | None) -> str | None:
        known = {path for board in boards().values() for path in board.uarts}
        if port is not None and port not in known and not _USB_PORT.fullmatch(port):
            raise ValueError(
                f"{port!r} may be another adapter tomorrow; write /dev/serial/by-id/…, by-path/… or VID:PID:SERIAL, or "
                f"a port of the board's header: {', '.join(sorted(known))}"
            )
        return port

    @field_validator("owner")
    @classmethod
    def _wallet(cls, text: str | None) -> str | None:
        return (
            None
            if text is None
            else _base58(text, "no wallet; an address of 32 to 44 characters of base58 is expected")
        )


class MeterTable(MeterDefaults):
    """[[meters]]: one meter and the node beside it."""

    id: Annotated[str, PUBLIC]
    profile: Annotated[str, PUBLIC]
    unit: Annotated[int, Field(ge=1, le=248), PUBLIC]
    port: Annotated[str, PUBLIC]
    board: Annotated[BoardName, PUBLIC]
    serial: Annotated[str | None, Field(min_length=1, max_length=24), PUBLIC] = None
    """The serial number that must answer; None = enrolment takes it from the meter."""
    phase_accounting: Annotated[PhaseAccounting | None, PUBLIC] = None
    """How this meter is set to add its phases, where its profile does not know."""
    address: Annotated[Interface | None, PERSONAL] = None
    """A fixed address with the length of its network, as in 192.0.2.17/24; None = DHCP."""
    max_export_w: Annotated[int, Field(ge=0, le=MOST_W), PUBLIC]
    max_import_w: Annotated[int, Field(ge=0, le=MOST_W), PUBLIC]

    @field_validator("id")
    @classmethod
    def _id_fits(cls, meter_id: str) -> str:
        encode_meter_id(meter_id)
        if not meter_id.strip("_-"):
            raise ValueError(f"{meter_id!r} has neither a letter nor a digit")
        return meter_id

    @field_validator("address")
    @classmethod
    def _with_length(cls, text: str | None) -> str | None:
        return None if text is None else an_interface(text)

    @model_validator(mode="after")
    def _fits_board(self) -> Self:
        if wrong := list(_board_mistakes(self)):
            raise ValueError("; ".join(wrong))
        return self

    @property
    def hostname(self) -> str:
        """The node's name on the network: METER_007 is meter-007."""
        return self.id.lower().replace("_", "-").strip("-")

    @property
    def by_wifi(self) -> bool:
        """Does the node need the site's Wi-Fi?"""
        return self.link == "wifi" or (self.link is None and not boards()[self.board].ethernet)


class SiteFile(_Table):
    """The whole file."""

    schema_: Annotated[Literal[1], Field(alias="schema"), PUBLIC]
    site: SiteTable
    chain: ChainTable
    network: NetworkTable = NetworkTable()
    access: AccessTable
    defaults: MeterDefaults = MeterDefaults()
    meters: Annotated[tuple[MeterTable, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self.meters:
            raise ValueError("'meters' is empty: write a table [[meters]] for each")
        if wrong := [*self._duplicates(), *self._phases(), *self._addresses()]:
            raise ValueError("\n".join(wrong))
        return self

    def meter(self, meter_id: str) -> MeterTable:
        """The meter of that name.  Raises NoSuchMeter."""
        found = next((meter for meter in self.meters if meter.id == meter_id), None)
        if found is None:
            there = ", ".join(meter.id for meter in self.meters)
            raise NoSuchMeter(f"the site file has no meter {meter_id!r}; it has {there}")
        return found

    def warnings(self) -> Iterator[str]:
        """What is allowed and deserves a look."""
        for meter in self.meters:
            profile = _profile(meter.profile)
            if not profile.billing:
                yield f"{meter.id}: {meter.profile} is not for settlement: {profile.billing_note}"
            if profile.phase_accounting == "unknown" and meter.phase_accounting is None:
                yield (
                    f"{meter.id}: how {meter.profile} adds its phases is not known; find it out and write "
                    f"phase_accounting, enrolment asks for it"
                )
            if meter.direction == "reversed":
                yield f"{meter.id}: direction is reversed; enrolment proves it with a load that is switched"

    def _duplicates(self) -> Iterator[str]:
        for what in ("hostname", "serial", "address"):
            counted = Counter(value for meter in self.meters if (value := getattr(meter, what)) is not None)
            for value, count in counted.items():
                if count > 1:
                    who = ", ".join(meter.id for meter in self.meters if getattr(meter, what) == value)
                    yield f"'meters': {count} have the {what} {value} ({who}); each needs one of its own"

    def _phases(self) -> Iterator[str]:
        ours = self.site.phase_accounting
        for meter in self.meters:
            known = _profile(meter.profile).phase_accounting
            if known is None:
                if meter.phase_accounting is not None:
                    yield f"'meters[{meter.id}].phase_accounting': {meter.profile} has one phase; take the key out"
                continue
            is_so = _profile(meter.profile).phases_added(meter.phase_accounting)
            if known != "unknown" and meter.phase_accounting not in (None, known):
                yield f"'meters[{meter.id}].phase_accounting': {meter.profile} adds its phases as {known}"
            if ours is None:
                yield f"'site.phase_accounting' is missing: {meter.id} has three phases; write vector or per_phase"
                return
            if is_so not in (None, ours):
                yield (
                    f"'meters[{meter.id}]': it adds its phases as {is_so}, the site as {ours}: the same flow would "
                    "mint other amounts; choose another meter, or set it otherwise"
                )

    def _addresses(self) -> Iterator[str]:
        fixed = [meter.id for meter in self.meters if meter.address is not None]
        if fixed and self.network.gateway is None:
            yield f"'network.gateway' is missing: {fixed[0]} has an address of its own"
        by_wifi = [meter.id for meter in self.meters if meter.by_wifi]
        if by_wifi and self.network.wifi is None:
            yield f"'network.wifi' is missing: it is all that {', '.join(by_wifi)} could be reached by"


def load_site(path: Path) -> SiteFile:
    """Read and check the file.  Raises SiteFileError."""
    try:
        table = read_toml(path, "`meterbridge provision site new FILE` writes an annotated one")
    except NotToml as error:
        raise SiteFileError(str(error)) from None
    filled = _with_defaults(table)
    try:
        return SiteFile.model_validate(filled)
    except ValidationError as error:
        errors = [each for each in error.errors() if not _came_from_defaults(each["loc"], table)]
        mistakes = told(SiteFile, errors, source=path, table=filled, annotated=_ANNOTATED, write_instead=_WRITE_INSTEAD)
        raise SiteFileError("\n".join(mistakes)) from None


_ANNOTATED = "`meterbridge provision site new FILE` writes an annotated file"
_WRITE_INSTEAD = {
    "domain": "the 16 hexadecimal digits that `meterbridge site init` prints",
    "framing": "8N1, 8E1, 8O1, 8N2, 8E2 or 8O2",
    "psk": "the 64 hexadecimal digits of `meterbridge provision site psk SSID`, never the passphrase",
    "country": "two capital letters, like TH",
}


def _with_defaults(table: Mapping[str, Any]) -> dict[str, Any]:
    """The tables with what [defaults] says put into each meter; what is not as it should be stays for the check."""
    given = table.get("defaults")
    meters = table.get("meters")
    if not isinstance(given, dict) or not isinstance(meters, list):
        return dict(table)
    known = {key: value for key, value in given.items() if key in MeterDefaults.model_fields}
    return {**table, "meters": [{**known, **each} if isinstance(each, dict) else each for each in meters]}


def _came_from_defaults(where: tuple[int | str, ...], table: Mapping[str, Any]) -> bool:
    """Is this a mistake of [defaults], told there already, that shows again in a meter?"""
    if len(where) < 3 or where[0] != "meters" or not isinstance(where[1], int):
        return False
    own, given = table["meters"][where[1]], table.get("defaults")
    return isinstance(given, dict) and where[2] in given and where[2] not in own


def _base58(text: str, otherwise: str) -> str:
    """The text, if it is 32 bytes in base58.  Raises ValueError, which does not repeat it."""
    try:
        Pubkey.from_string(text)
    except ValueError:
        raise ValueError(otherwise) from None
    return text


@cache
def _profile(name: str) -> Profile:
    try:
        return load_profile(name)
    except ProfileError as error:
        raise ValueError(str(error)) from None


def _board_mistakes(meter: MeterTable) -> Iterator[str]:
    board = boards()[meter.board]
    uart = board.uarts.get(meter.port)
    if meter.port.startswith("/dev/tty") and uart is None:
        yield f"port {meter.port}: a {board.name} has {', '.join(board.uarts)} on its header"
    if meter.driver_enable == "rts" and not (uart and uart.rts):
        able = [path for path, each in board.uarts.items() if each.rts]
        with_rts = f"port = {' or '.join(able)}" if able else "another board or an adapter that switches by itself"
        yield f'driver_enable = "rts" needs {with_rts} on a {board.name}'
    if meter.link == "cable" and not board.ethernet:
        yield f'link = "cable": a {board.name} has no socket for one'
    if meter.rtc not in board.rtc:
        yield f"rtc = {meter.rtc!r}: a {board.name} has {', '.join(board.rtc)}"
