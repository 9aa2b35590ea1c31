"""What must be true before a meter is enrolled, as pure functions: the claim, against the site file and people's eyes.

The signature in a claim proves the key and nothing else, so each thing that money depends on is compared with something
that did not come by the same road: the site file, the doctor's sheet, the meter's display as a technician read it.
Each check gives one line of the doctor's kind; a failed one refuses the enrolment.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from solders.pubkey import Pubkey

from meterchain.claim import Claim
from meterchain.commands.meter_changes import a_register
from meterchain.commands.meter_views import kwh
from meterchain.units import MWH_PER_KWH, Mwh
from meteredge.claim import FIND_OUT, LABEL
from meteredge.doctor.sheet import Check, Line, Sheet, Verdict
from meteredge.guards import most_mwh
from meteredge.profiles import Profile
from meterprov.fingerprint import fingerprint
from meterprov.site_file import MeterTable, SiteFile

MODEL_SIZE = 16
"""Bytes that the registry keeps of a profile's name."""
_MAKE_AGAIN = "make it again with `meterbridge agent claim` on the node"


@dataclass(frozen=True)
class Shown:
    """What a display shows, mWh, and the step of its last digit."""

    mwh: Mwh
    step_mwh: int


@dataclass(frozen=True)
class Vouched:
    """What people answer for, beside the claim; None = nobody said."""

    owner: Pubkey | None = None
    direction_by: str | None = None
    """Who saw that a named load is counted as import."""
    sheet: Sheet | None = None
    """The doctor's sheet of this node."""
    display_export: Shown | None = None
    display_import: Shown | None = None
    display_after_s: float = 0
    """How long after the claim the display was read."""
    no_serial: bool = False
    """The number was read off the plate, for the wire does not tell it."""


@dataclass(frozen=True)
class Case:
    """Everything that is judged."""

    claim: Claim
    site: SiteFile
    meter: MeterTable
    profile: Profile
    vouched: Vouched
    install_id: int = 1


def judge(case: Case) -> tuple[Check, ...]:
    """One line for each thing that was looked at."""
    return tuple(check(case) for check in _CHECKS)


def refusals(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Those that forbid the enrolment."""
    return tuple(check for check in checks if check.verdict is Verdict.FAIL)


def a_display(text: str) -> Shown:
    """A display as people read it, kWh.  Raises typer.BadParameter."""
    mwh = a_register(text)
    exponent = Decimal(text).as_tuple().exponent
    digits = min(0, exponent) if isinstance(exponent, int) else 0
    return Shown(mwh, int(MWH_PER_KWH * Decimal(10) ** digits))


def proof(case: Case) -> Check:
    """The signature holds (`read_claim` has checked it) for this site and install."""
    line, claim = Line("key", "proof", "proof of the key"), case.claim
    if claim.domain != case.site.site.domain:
        return line.failed(
            f"for the site {claim.domain}, the site file has {case.site.site.domain}",
            "take the site file of that site, or correct [site] domain on the node and make the claim again",
        )
    if claim.install_id != case.install_id:
        return line.failed(
            f"for install {claim.install_id}, install {case.install_id} is next", f"{_MAKE_AGAIN}: --install "
            f"{case.install_id}",
        )  # fmt: skip
    return line.passed(f"key {fingerprint(claim.public_key)} signed for this site and install {claim.install_id}")


def owner(case: Case) -> Check:
    """Whom the energy pays, as somebody else than the node says."""
    line, said = Line("key", "owner", "owner"), case.vouched.owner
    wanted = case.meter.owner if said is None else str(said)
    if wanted is None:
        return line.failed(
            f"{case.claim.owner} by the claim alone; the site file names nobody",
            f"write owner for {case.meter.id} into the site file, or say --owner WALLET",
        )
    if case.meter.owner not in (None, wanted):
        return line.failed(
            f"the site file says {case.meter.owner}, --owner {wanted}", "correct the site file, or leave --owner away"
        )
    if wanted != case.claim.owner:
        return line.failed(f"the claim says {case.claim.owner}, {wanted} is expected", f"{_MAKE_AGAIN}: --owner")
    return line.passed(wanted)


def model(case: Case) -> Check:
    """The claim was read by the profile that the site file names, in this version of it."""
    line, claim, profile = Line("meter", "model", "model"), case.claim, case.profile
    if claim.model != profile.name[:MODEL_SIZE]:
        return line.failed(
            f"read as a {claim.model}, the site file has a {profile.name}",
            "look at the plate: correct the site file, or the node's agent.toml, and make the claim again",
        )
    if claim.register_modulus_mwh != profile.register_modulus_mwh:
        return line.failed(
            f"registers wrap at {claim.register_modulus_mwh} mWh by the claim, at {profile.register_modulus_mwh} here",
            f"node and this machine have other versions: update the older one, then {_MAKE_AGAIN}",
        )
    return line.passed(f"{profile.maker} {profile.model}")


def serial(case: Case) -> Check:
    """Which device it is; a number that the wire does not tell is vouched for by a person."""
    line, told, by_eye = Line("meter", "serial", "serial number"), case.claim.serial, case.vouched.no_serial
    on_wire = case.profile.identity_level == "register"
    if on_wire == told.startswith(LABEL):
        return line.failed(f"{told}, but this model {'tells' if on_wire else 'does not tell'} its number", _MAKE_AGAIN)
    if not on_wire and not by_eye:
        return line.failed(
            f"{told} was typed, nothing on the wire tells it", "compare it with the plate, then say --no-serial"
        )
    if on_wire and by_eye:
        return line.failed(f"{told} stands on the wire", "leave --no-serial away: it is for models without a number")
    number = told.removeprefix(LABEL)
    if case.meter.serial not in (None, number):
        return line.failed(
            f"{number}, the site file has {case.meter.serial}",
            "another meter hangs there, or the site file is wrong: look at the plate",
        )
    return line.passed(f"{told}, as in the site file" if case.meter.serial else f"{told}; the site file has none")


def port(case: Case) -> Check:
    """The node asks where the site file says that this meter is."""
    line, node = Line("port", "place", "port and unit"), case.claim.node
    if node is None:
        return line.failed("the claim does not say how it was read", f"{_MAKE_AGAIN}, by the present version")
    there, here = (node.port, node.unit), (case.meter.port, case.meter.unit)
    if there != here:
        return line.failed(
            f"read at {node.port} unit {node.unit}, the site file has {here[0]} unit {here[1]}",
            "correct the one that is wrong; what is on another unit is another meter",
        )
    return line.passed(f"{node.port} unit {node.unit}")


def second_master(case: Case) -> Check:
    """Nobody else asks on the bus: the node listened before it made the claim, the doctor listens longer."""
    line = Line("wire", "second_master", "second master")
    seen = _on_sheet(case, "second_master")
    if seen is not None and seen.verdict is Verdict.FAIL:
        return line.failed(seen.fact, seen.next_step or "")
    return line.passed("none was heard" + (" before the claim, nor by the doctor" if seen else " before the claim"))


def mode(case: Case) -> Check:
    """Settings that change what energy means stand as the profile requires (an EM340 in mode A counts export twice)."""
    line, required = Line("meter", "mode", "settings"), case.profile.require
    found = {} if case.claim.node is None else case.claim.node.settings
    wrong = [f"{name} is {found.get(name, 'not told')}, {want} is required" for name, want in required.items()
             if found.get(name) != want]  # fmt: skip
    if wrong:
        return line.failed("; ".join(wrong), f"set it in the meter's menu, then {_MAKE_AGAIN}")
    if not required:
        return line.left_out("this model has none that must be set")
    return line.passed(", ".join(f"{name} = {value}" for name, value in required.items()))


def phases(case: Case) -> Check:
    """The meter adds its phases as the site does."""
    line, ours = Line("meter", "phases", "phases"), case.site.site.phase_accounting
    known = case.profile.phase_accounting
    if known is None:
        return line.left_out("one phase")
    is_so = case.profile.phases_added(case.meter.phase_accounting)
    if is_so is None:
        return line.warned(
            f"nobody has found out how a {case.profile.model} adds them; the site nets them as {ours}",
            FIND_OUT,
        )
    if is_so != ours:
        return line.failed(
            f"added as {is_so}, the site as {ours}: the same flow would mint other amounts",
            "set the meter otherwise if it can be, or choose another model",
        )
    return line.passed(f"added as {is_so}, as everywhere on this site")


def direction(case: Case) -> Check:
    """What is used is counted as import: a load was switched and seen, by the doctor or by a person who says so."""
    line, node = Line("meter", "direction", "direction"), case.claim.node
    if node is not None and node.direction != case.meter.direction:
        return line.failed(
            f"{node.direction} on the node, {case.meter.direction} in the site file", "correct the one that is wrong"
        )
    seen = _on_sheet(case, "direction")
    if seen is not None and seen.verdict is Verdict.FAIL:
        return line.failed(seen.fact, seen.next_step or "")
    if seen is not None and seen.verdict is Verdict.PASS:
        return line.passed(f"{seen.fact} (the doctor's sheet)")
    if case.vouched.direction_by is None:
        return line.failed(
            "nobody proved it: a reversed transformer mints for what is used",
            "on the node run `meterbridge doctor --load WATTS --json > sheet.json` and give --sheet sheet.json; or "
            "switch a load, look that import rises, and say --direction-proved-by NAME",
        )
    return line.passed(f"{case.vouched.direction_by} answers for it")


def display_export(case: Case) -> Check:
    """The export register in the claim is the one on the display."""
    registers = case.profile.export_registers
    return _display(
        case, "export", case.claim.baseline_export_mwh, case.vouched.display_export, case.meter.max_export_w, registers
    )


def display_import(case: Case) -> Check:
    """The import register in the claim is the one on the display."""
    registers = case.profile.import_registers
    return _display(
        case, "import", case.claim.baseline_import_mwh, case.vouched.display_import, case.meter.max_import_w, registers
    )


def certainty(case: Case) -> Check:
    """What the profile claims and nobody has confirmed."""
    line, doubts = Line("meter", "certainty", "what is not confirmed"), case.profile.warnings()
    if not doubts:
        return line.passed("every fact that money depends on is confirmed")
    return line.warned(
        "; ".join(doubts), "compare the display with the readings for a day; docs/profiles.md says how to confirm facts"
    )


def _display(
    case: Case, name: str, claimed: int, shown: Shown | None, rated_w: int, registers: tuple[str, ...]
) -> Check:
    line = Line("meter", f"display_{name}", f"{name} display")
    if not registers:
        return line.left_out(f"this model does not count {name}")
    if shown is None:
        return line.failed(
            f"{kwh(claimed)} kWh by the claim; nobody looked at the display", f"read it there, say --display-{name} KWH"
        )
    allowed = max(shown.step_mwh, case.claim.resolution_mwh)
    rise = most_mwh(rated_w, case.vouched.display_after_s)
    if -allowed <= shown.mwh - claimed <= allowed + rise:
        return line.passed(f"{kwh(claimed)} kWh, as on the display")
    return line.failed(
        f"{kwh(claimed)} kWh by the claim, {kwh(shown.mwh)} on the display",
        "if energy flowed in between, say --display-after MINUTES, or make the claim again and look at once; if not, "
        "the profile is another model's, or the claim was changed on its way",
    )


def _on_sheet(case: Case, name: str) -> Check | None:
    sheet = case.vouched.sheet
    return None if sheet is None else next((check for check in sheet.checks if check.name == name), None)


_CHECKS: tuple[Callable[[Case], Check], ...] = (
    proof,
    owner,
    model,
    serial,
    port,
    second_master,
    mode,
    phases,
    direction,
    display_export,
    display_import,
    certainty,
)
