"""Exit codes of known errors.  By name, so that no room has to be loaded to look an error up."""

from collections.abc import Mapping

USAGE, UNREACHED, REFUSED, BUSY = 2, 3, 4, 75

EXIT_CODES: Mapping[str, int] = {
    "meterchain.chain.ChainUnreachable": UNREACHED,
    "meterchain.audit_events.ChainMoves": BUSY,
    "meterchain.chain.BlockhashExpired": BUSY,
    "meterchain.chain.ChainError": REFUSED,
    "meterchain.claim.ClaimError": USAGE,
    "meterchain.commands.session.NotFound": USAGE,
    "meterchain.commands.verify.NoRecord": USAGE,
    "meterchain.history.WrongHistory": USAGE,
    "meterchain.idl_types.IdlError": USAGE,
    "meterchain.localnet.LocalnetError": UNREACHED,
    "meterchain.market.amounts.AmountError": USAGE,
    "meterchain.market.builders.MarketBusy": BUSY,
    "meterchain.market.kept.NotKept": UNREACHED,
    "meterchain.market.raster.NoRaster": UNREACHED,
    "meterchain.programs.ArtifactError": UNREACHED,
    "meterchain.record.RecordError": USAGE,
    "meterchain.relay.broker.BrokerError": USAGE,
    "meterchain.relay.broker.BrokerUnreachable": UNREACHED,
    "meterchain.relay.tables.TablesError": UNREACHED,
    "meterchain.relay.window.WindowError": USAGE,
    "meterchain.saved_account.NoSavedAccount": USAGE,
    "meterchain.tokens.NotAToken": REFUSED,
    "meterchain.wallets.WalletMissing": UNREACHED,
    "meterchain.wallets.WalletError": REFUSED,
    "meteredge.bus_errors.PortBusy": BUSY,
    "meteredge.bus_errors.BusError": UNREACHED,
    "meteredge.claim.SecondMasterHeard": REFUSED,
    "meteredge.config.ConfigError": USAGE,
    "meteredge.frame_log.FrameLogError": UNREACHED,
    "meteredge.install.errors.InstallFailed": UNREACHED,
    "meteredge.install.errors.InstallRefused": REFUSED,
    "meteredge.install.errors.UpdateBusy": BUSY,
    "meteredge.journal_schema.JournalBusy": BUSY,
    "meteredge.journal_schema.JournalUnwritable": UNREACHED,
    "meteredge.journal_schema.JournalError": REFUSED,
    "meteredge.keys.KeyMissing": UNREACHED,
    "meteredge.keys.KeyFileError": REFUSED,
    "meteredge.profiles.errors.ProfileError": USAGE,
    "meteredge.reconcile.DeliveryStopped": REFUSED,
    "meteredge.socket_client.AgentAbsent": UNREACHED,
    "meteredge.socket_client.AgentBusy": BUSY,
    "meteredge.socket_client.AgentDenied": UNREACHED,
    "meteredge.socket_client.AgentRefuses": USAGE,
    "meteredge.socket_server.AgentRunning": BUSY,
    "meteredge.socket_server.SocketUnusable": USAGE,
    "meteredge.status_file.StatusFileError": USAGE,
    "meteredge.scan.plan.ScanError": USAGE,
    "meteredge.slots.SlotStaysOpen": REFUSED,
    "meterbridge.pages.NoSuchPage": USAGE,
    "metersim.bus.catalogue.FaultUnknown": USAGE,
    "meterprov.bridge.BridgeError": REFUSED,
    "meterprov.boot_text.OddCommandLine": USAGE,
    "meterprov.disk_image.NoCardImage": USAGE,
    "meterprov.disks.DiskRefused": REFUSED,
    "meterprov.flash.FlashRefused": REFUSED,
    "meterprov.fat.FatError": REFUSED,
    "meterprov.image.ImageExists": REFUSED,
    "meterprov.manifest.ManifestError": REFUSED,
    "meterprov.payload.PayloadError": UNREACHED,
    "meterprov.system.SystemUnknown": USAGE,
    "meterprov.unpack.UnpackError": UNREACHED,
    "meterprov.wheels.WheelsError": UNREACHED,
    "meterprov.site_file.NoSuchMeter": USAGE,
    "meterprov.site_file.SiteFileError": USAGE,
    "meterprov.wifi.BadPassphrase": USAGE,
    "meterprov.raw_repl.NoPrompt": UNREACHED,
    "meterprov.raw_repl.ReplError": REFUSED,
    "metersim.bus.line.LineError": USAGE,
    "metersim.bus.running.BusGone": UNREACHED,
    "metersim.meters.meter.MeterPlanError": USAGE,
    "metersim.stage.scenarios.files.ScenarioError": USAGE,
    "serial.serialutil.SerialException": UNREACHED,
}


def exit_code_of(error: BaseException) -> int | None:
    """The exit code of an error, or of the nearest kind of error above it; None if it is not a known one."""
    for kind in type(error).__mro__:
        code = EXIT_CODES.get(f"{kind.__module__}.{kind.__qualname__}")
        if code is not None:
            return code
    return None
