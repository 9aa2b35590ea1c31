"""`meter limits`: what a record of a meter may claim at most, and where its registers wrap."""

from dataclasses import dataclass
from typing import Annotated

import typer
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from meterchain import instructions
from meterchain.accounts import Meter
from meterchain.commands.meter_views import MeterId, kwh, meter_of
from meterchain.commands.recorded import attempt
from meterchain.commands.session import (
    LOCAL,
    WALLET,
    AsJson,
    Authority,
    DryRun,
    ProgramsDir,
    Rpc,
    conclude,
    present,
    session,
)
from meterchain.programs import Programs
from meterchain.units import Mwh
from meterchain.wallets import load_wallet

MOST_W = 1_000_000
_MOST_RESOLUTION_MWH = 1_000_000
_MOST_MODULUS_MWH = 2**64 - 1

ExportW = Annotated[int | None, typer.Option(min=0, max=MOST_W, help="Rated power fed in; as it is without.")]
ImportW = Annotated[int | None, typer.Option(min=0, max=MOST_W, help="Rated power taken; as it is without.")]


@dataclass(frozen=True, slots=True)
class MeterLimits:
    """What set_meter_limits writes down: W and mWh."""

    max_export_w: int
    max_import_w: int
    resolution_mwh: int
    register_modulus_mwh: Mwh

    def setting(self, programs: Programs, authority: Pubkey, meter_id: str) -> Instruction:
        """The instruction that makes these the limits of a meter."""
        return instructions.set_meter_limits(
            programs,
            authority,
            meter_id,
            max_export_w=self.max_export_w,
            max_import_w=self.max_import_w,
            resolution_mwh=self.resolution_mwh,
            register_modulus_mwh=self.register_modulus_mwh,
        )


def limits_of(meter: Meter) -> MeterLimits:
    """The limits that a meter has now."""
    return MeterLimits(meter.max_export_w, meter.max_import_w, meter.resolution_mwh, meter.register_modulus_mwh)


def changed(
    now: MeterLimits,
    max_export_w: int | None,
    max_import_w: int | None,
    resolution_mwh: int | None,
    register_modulus_mwh: int | None,
) -> MeterLimits:
    """`now`, with what is given in place of what there is."""
    return MeterLimits(
        now.max_export_w if max_export_w is None else max_export_w,
        now.max_import_w if max_import_w is None else max_import_w,
        now.resolution_mwh if resolution_mwh is None else resolution_mwh,
        now.register_modulus_mwh if register_modulus_mwh is None else Mwh(register_modulus_mwh),
    )


def limits(
    context: typer.Context,
    meter_id: MeterId,
    max_export_w: ExportW = None,
    max_import_w: ImportW = None,
    resolution_mwh: Annotated[
        int | None, typer.Option(min=1, max=_MOST_RESOLUTION_MWH, help="The register's step, mWh; as it is without.")
    ] = None,
    modulus_mwh: Annotated[
        int | None,
        typer.Option(min=0, max=_MOST_MODULUS_MWH, help="Where the registers wrap, mWh, 0 never; as it is without."),
    ] = None,
    authority: Authority = WALLET,
    rpc: Rpc = LOCAL,
    programs: ProgramsDir = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show a meter's limits, or change some; they hold for every record that is delivered from now on.

    Exit codes: 0 shown or set, 2 no such meter, 3 the chain cannot be reached, 4 refused.
    """
    given = (max_export_w, max_import_w, resolution_mwh, modulus_mwh)
    with session(context, rpc, programs, dry_run=dry_run) as here:
        before = limits_of(meter_of(here, meter_id))
        wanted = changed(before, *given)
        if wanted != before:
            signer = load_wallet(authority.expanduser(), "the authority")
            step = wanted.setting(here.programs, signer.pubkey(), meter_id)
            attempt(lambda: here.chain.send([step], [signer]))
        now = limits_of(meter_of(here, meter_id))
        document = {
            "meter_id": meter_id,
            "max_export_w": now.max_export_w,
            "max_import_w": now.max_import_w,
            "resolution_mwh": now.resolution_mwh,
            "register_modulus_mwh": now.register_modulus_mwh,
        }
        rows = [
            ("rated", f"{now.max_export_w:,} W export, {now.max_import_w:,} W import"),
            ("step", f"{kwh(now.resolution_mwh)} kWh"),
            ("wraps", f"at {kwh(now.register_modulus_mwh)} kWh" if now.register_modulus_mwh else "never"),
        ]
        if given == (None,) * len(given):
            present(document, rows, as_json=as_json)
        else:
            conclude(here, document, rows, as_json=as_json)
