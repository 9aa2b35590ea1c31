"""One record, shown the way OCMF shows a charging station's readings; and what of it can be checked without a chain.

OCMF-style, not OCMF: the meter's key signs the 96 bytes of GMR1, never this text, so a program that verifies OCMF will
not accept it, and must not.  The names of the fields are OCMF's (Open Charge Metering Format 1.3) where it has one:

    FV, GI       format, gateway      MS             the meter           RD/TM, TX   time with its status, reason
    PG           pagination           RD/RV, RI, RU  reading, OBIS, kWh  RD/EF, ST   error flags, state of the meter
    SA, SE, SD   signature: algorithm, encoding, data
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from meterchain import pdas
from meterchain.accounts import Meter, parse
from meterchain.chain import AccountInfo
from meterchain.ed25519 import BadSignature, Signed
from meterchain.programs import Programs
from meterchain.record import NEVER_MONEY, Reason, Record, StatusFlags
from meterchain.units import MWH_PER_KWH, SLOT_S

NOTICE = "OCMF-style, not OCMF: the signature is over the 96 bytes of the record, not over this text"
_READ_WITHIN = range(SLOT_S - 5, SLOT_S + 121)
"""When a periodic reading may be made, seconds after its slot began (programs.md 4.4, step 5)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement about the record, and whether it holds."""

    name: str
    ok: bool
    detail: str


def ocmf_style(record: Record, signature: bytes) -> dict[str, Any]:
    """Payload and signature (64 bytes) with OCMF's field names."""
    readings = [
        {"RV": _kwh(value), "RI": obis, "RU": "kWh", "EF": "E" if record.status_flags & NEVER_MONEY else "",
         "ST": "E" if record.status_flags & StatusFlags.METER_ERROR else "G"}
        for obis, value in (("1-b:2.8.0", record.export_mwh), ("1-b:1.8.0", record.import_mwh))
    ]  # fmt: skip
    taken = {"TM": _time(record), "TX": str(record.reason)}
    return {
        "notice": NOTICE,
        "payload": {
            "FV": "GMR1",
            "GI": "meterbridge",
            "PG": f"T{record.seq}",
            "MS": record.meter_id,
            "RD": [{**taken, **readings[0]}, readings[1]],
            "install": record.install_id,
            "slot": record.epoch,
            "domain": record.domain.hex(),
            "flags": [flag.name.lower() for flag in StatusFlags if flag and flag in record.status_flags and flag.name],
        },
        "signature": {"SA": "Ed25519", "SE": "hex", "SD": signature.hex(), "over": record.encode().hex()},
    }


def findings(
    record: Record, signature: bytes, saved: AccountInfo, programs: Programs, domain: bytes | None
) -> Iterator[Finding]:
    """What can be said of a record beside the registry's saved account.  Raises AccountError if it is no Meter.

    `domain` is the site's, where it is known.
    """
    meter = parse(programs, Meter, saved)
    at = pdas.meter(programs, meter.meter_id)
    yield Finding("the saved account is the registry's", saved.address == at, f"{saved.address}")
    yield Finding("the record is this meter's", record.meter_id == meter.meter_id, f"{record.meter_id}")
    yield Finding("signed by the meter's key", _is_signed(record, signature, meter), f"{meter.meter_key}")
    same_install = record.install_id == meter.install_id
    yield Finding(
        "of the install that the account names", same_install, f"{record.install_id}, account {meter.install_id}"
    )
    flags = record.status_flags & NEVER_MONEY
    yield Finding("nothing in its flags forbids money", not flags, "none" if not flags else repr(flags))
    after = record.ts - record.epoch
    timely = after in _READ_WITHIN if record.reason is Reason.PERIODIC else 0 <= after < _READ_WITHIN.stop - 1
    yield Finding("read when its slot ends", timely and not record.epoch % SLOT_S, f"{after} s after the slot began")
    if domain is not None:
        yield Finding("of this site", record.domain == domain, record.domain.hex())


def _is_signed(record: Record, signature: bytes, meter: Meter) -> bool:
    """The key comes from the registry's account and from nowhere else."""
    try:
        Signed(bytes(meter.meter_key), signature).check(record.encode())
    except BadSignature:
        return False
    return True


def _time(record: Record) -> str:
    moment = datetime.fromtimestamp(record.ts, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S},000+0000 {record.time_status}"


def _kwh(mwh: int) -> str:
    return f"{mwh // MWH_PER_KWH}.{mwh % MWH_PER_KWH:06d}"
