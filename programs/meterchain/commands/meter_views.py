"""How a meter looks: to people as rows, to machines as a document."""

from typing import Annotated, Any

import typer

from meterchain.accounts import KeyLevel, Meter, MeterState, fetch
from meterchain.commands.session import NotFound, Row, Session
from meterchain.commands.site_rules import time_of
from meterchain.record import RecordError, encode_meter_id
from meterchain.units import MWH_PER_KWH


def a_meter_id(text: str) -> str:
    """A meter's id.  Raises typer.BadParameter."""
    try:
        encode_meter_id(text)
    except RecordError as error:
        raise typer.BadParameter(str(error)) from None
    return text


MeterId = Annotated[str, typer.Argument(parser=a_meter_id, metavar="METER_ID")]


def meter_of(here: Session, meter_id: str) -> Meter:
    """The Meter of that id.  Raises NotFound."""
    found = fetch(here.chain, here.programs, Meter, here.site.meter(meter_id))
    if found is None:
        raise NotFound(f"{meter_id} is not assigned on {here.chain.name}: run `meterbridge meter assign CLAIM`")
    return found


def shown(here: Session, meter_id: str) -> tuple[dict[str, Any], list[Row]]:
    """The meter as it is now; in a rehearsal of its assignment it is not there yet."""
    meter = fetch(here.chain, here.programs, Meter, here.site.meter(meter_id))
    if meter is None:
        return {"meter_id": meter_id}, [("meter", meter_id)]
    state = fetch(here.chain, here.programs, MeterState, here.site.meter_state(meter_id))
    document = document_of(meter, state)
    rows: list[Row] = [
        ("meter", f"{meter_id}, number {meter.meter_no}, {document['status']}"),
        ("owner", str(meter.owner)),
        ("device", f"{meter.model}, serial {meter.serial}" + (f", {meter.building}" if meter.building else "")),
        ("key", f"{meter.meter_key}, install {meter.install_id}"),
        ("key level", level_row(meter)),
        ("paper", f"sha256 {meter.cert_hash.hex()}" if any(meter.cert_hash) else "none"),
        ("rated", f"{meter.max_export_w:,} W export, {meter.max_import_w:,} W import, {document['kind']}"),
    ]
    if state is None:
        return document, [*rows, ("oracle", "has no account for it yet: run `meterbridge meter assign` again")]
    last = f"{time_of(state.last_ts)}, record {state.seq}" if state.readings else "nothing yet"
    forfeited = f", {kwh(state.forfeited_mwh)} forfeited" if state.forfeited_mwh else ""
    frozen = ", FROZEN: two records of one number were proved" if state.frozen else ""
    return document, [
        *rows,
        ("last read", last + frozen),
        ("registers", f"{kwh(state.export_reg_mwh)} kWh export, {kwh(state.import_reg_mwh)} kWh import"),
        ("credited", f"{kwh(state.cum_export_mwh)} kWh export, {kwh(state.cum_import_mwh)} kWh import"),
        ("GRID", f"{kwh(state.minted_mwh)} minted, {kwh(state.burned_mwh)} burned" + forfeited),
    ]


def level_row(meter: Meter) -> str:
    """Where a meter's key lies, and what is to be done if nobody said it."""
    if meter.key_level is KeyLevel.NOT_STATED:
        return f"not stated: run `meterbridge meter key-level {meter.meter_id} LEVEL`"
    return meter.key_level.word


def document_of(meter: Meter, state: MeterState | None) -> dict[str, Any]:
    """The meter for `--json`; power in W, energy in mWh."""
    return {
        "meter_id": meter.meter_id,
        "meter_no": meter.meter_no,
        "status": meter.status.name.lower(),
        "kind": meter.kind.name.lower().replace("_", "-"),
        "owner": str(meter.owner),
        "meter_key": str(meter.meter_key),
        "key_level": meter.key_level.word,
        "install_id": meter.install_id,
        "cert_hash": meter.cert_hash.hex(),
        "model": meter.model,
        "serial": meter.serial,
        "building": meter.building,
        "max_export_w": meter.max_export_w,
        "max_import_w": meter.max_import_w,
        "baseline_export_mwh": meter.baseline_export_mwh,
        "baseline_import_mwh": meter.baseline_import_mwh,
        "state": None if state is None else {
            "seq": state.seq,
            "last_ts": state.last_ts,
            "readings": state.readings,
            "gaps": state.gaps,
            "frozen": state.frozen,
            "export_reg_mwh": state.export_reg_mwh,
            "import_reg_mwh": state.import_reg_mwh,
            "cum_export_mwh": state.cum_export_mwh,
            "cum_import_mwh": state.cum_import_mwh,
            "minted_mwh": state.minted_mwh,
            "forfeited_mwh": state.forfeited_mwh,
            "burned_mwh": state.burned_mwh,
            "written_off_import_mwh": state.written_off_import_mwh,
        },
    }  # fmt: skip


def line_of(document: dict[str, Any]) -> tuple[str, ...]:
    """The meter as a line of the table."""
    state = document["state"] or {}
    energies = tuple(kwh(state.get(name, 0)) for name in ("export_reg_mwh", "import_reg_mwh", "minted_mwh"))
    owner = document["owner"]
    records = f"{state.get('readings', 0):,}"
    return (document["meter_id"], document["status"], document["model"], owner, records, *energies)


def kwh(mwh: int) -> str:
    """`1234567` mWh as `1.234567`, exactly."""
    return f"{mwh // MWH_PER_KWH:,}.{mwh % MWH_PER_KWH:06d}"
