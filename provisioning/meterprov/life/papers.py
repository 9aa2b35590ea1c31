"""The papers of an enrolment: the doctor's sheet that comes in, the manifest's fact that goes out."""

import json
from pathlib import Path

from meterchain.claim import Claim
from meteredge.doctor.sheet import Check, Sheet, Verdict, sheet_from
from meterprov import manifest as facts
from meterprov.fingerprint import fingerprint
from meterprov.life.enrol import Verified
from meterprov.life.judgement import Case
from meterprov.manifest import Enrolled, FirstReading

_MOST = 262_144


class SheetError(Exception):
    """The file is no sheet of the doctor, or another node's."""


def read_sheet(path: Path, meter_id: str) -> Sheet:
    """The doctor's sheet of that meter's node.  Raises SheetError."""
    try:
        with path.open("rb") as file:
            sheet = sheet_from(json.loads(file.read(_MOST)))
    except OSError as error:
        raise SheetError(f"{path}: the sheet cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise SheetError(f"{path}: {error}; `meterbridge doctor --json` prints one") from None
    if sheet.meter_id != meter_id:
        raise SheetError(f"{path}: the sheet is of {sheet.meter_id}, not of {meter_id}: take the right node's")
    return sheet


def enrolled(case: Case, checks: tuple[Check, ...], at: int) -> Enrolled:
    """The fact to keep.  `at` is Unix seconds."""
    claim = case.claim
    return Enrolled(
        at=at,
        meter_id=claim.meter_id,
        install_id=claim.install_id,
        domain=claim.domain,
        fingerprint=fingerprint(claim.public_key),
        model=claim.model,
        serial=claim.serial,
        board_serial=None if claim.node is None else claim.node.board_serial,
        key_level=None if claim.node is None else claim.node.key_level,
        baseline_export_mwh=claim.baseline_export_mwh,
        baseline_import_mwh=claim.baseline_import_mwh,
        direction_by=case.vouched.direction_by or ("the doctor's sheet" if case.vouched.sheet else "an earlier run"),
        doubts=tuple(check.name for check in checks if check.verdict is Verdict.WARN),
    )


def is_enrolled(manifest: Path, claim: Claim) -> bool:
    """Was this claim's key judged and enrolled for its install before?  Raises ManifestError."""
    wanted = (claim.meter_id, claim.install_id, fingerprint(claim.public_key))
    return any(
        (fact.meter_id, fact.install_id, fact.fingerprint) == wanted
        for fact in facts.read(manifest)
        if isinstance(fact, Enrolled)
    )


def first_reading(claim: Claim, found: Verified, at: int) -> FirstReading:
    """The fact to keep.  `at` is Unix seconds."""
    return FirstReading(
        at=at, meter_id=claim.meter_id, install_id=claim.install_id, seq=found.seq, read_at=found.read_at
    )


def void_labels(
    manifest: Path, meter_id: str, keeps: str | None, at: int, *, also: str | None = None
) -> tuple[str, ...]:
    """Note that labels with another key than `keeps` are void, None = all of them; `also` is a key that stood on one.

    Returns the fingerprints that became void now.  Raises ManifestError.
    """
    stood = [
        fact.fingerprint
        for fact in facts.read(manifest)
        if isinstance(fact, facts.Labelled | facts.Enrolled | facts.KeyRotated) and fact.meter_id == meter_id
    ]
    found = dict.fromkeys(key for key in (*stood, also) if key is not None and key != keeps)
    voids = [facts.LabelVoid(at=at, meter_id=meter_id, fingerprint=key) for key in found]
    return tuple(fact.fingerprint for fact in voids if facts.append_once(manifest, fact) is not None)
