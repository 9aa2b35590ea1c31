"""The local chain: fetched once and checked, started and stopped, and plain words where something is missing."""

import io
import json
import platform
import shutil
import socket
import tarfile
from pathlib import Path

import pytest
from solders.keypair import Keypair
from tests.free_ports import free_port
from typer.testing import CliRunner

from meterchain import localnet as local
from meterchain.audit import audit
from meterchain.cli import app
from meterchain.commands.audit import app as audit_app
from meterchain.localnet import LocalnetError
from meterchain.programs import Programs
from meterchain.rpc import RpcChain
from meterchain.site import SiteSettings, deploy_programs, initialise
from meterchain.units import Lamports


@pytest.fixture
def x86_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


def without(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name in missing else f"/usr/bin/{name}")


def fetched(cache: Path) -> None:
    module = cache / f"surfnet-{local.VERSION}/surfpool-sdk.linux-x64-gnu.node"
    module.parent.mkdir()
    module.touch()


@pytest.mark.usefixtures("x86_linux")
def test_a_missing_node_and_a_missing_npm_name_what_to_install_and_the_other_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without(monkeypatch, "node")
    with pytest.raises(LocalnetError, match=r"node is missing.*nodejs npm.*solana-test-validator"), local.run():
        pass
    without(monkeypatch, "npm")
    with pytest.raises(LocalnetError, match=r"npm is missing.*solana-test-validator"):
        local.fetch(tmp_path)


def test_another_machine_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(LocalnetError, match="x86_64 only"):
        local.fetch(tmp_path)


def test_bytes_that_are_not_the_pinned_ones_are_not_installed(tmp_path: Path) -> None:
    with pytest.raises(LocalnetError, match="nothing was installed"):
        local.check_integrity(b"another package")


@pytest.mark.usefixtures("x86_linux")
def test_a_tampered_download_leaves_nothing_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    npm = tmp_path / "npm"
    with tarfile.open(tmp_path / "evil.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("package/surfpool-sdk.linux-x64-gnu.node")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    npm.write_text(f"#!/bin/sh\ncp {tmp_path}/evil.tgz ./package.tgz\n")
    npm.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: str(npm))
    with pytest.raises(LocalnetError, match="nothing was installed"):
        local.fetch(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.usefixtures("x86_linux")
def test_npm_s_own_words_are_passed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'getaddrinfo EAI_AGAIN' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: str(npm))
    with pytest.raises(LocalnetError, match="EAI_AGAIN"):
        local.fetch(tmp_path / "cache")


@pytest.mark.usefixtures("x86_linux")
def test_a_chain_that_dies_while_starting_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho 'GLIBC_2.34 not found' >&2\nexit 1\n")
    node.chmod(0o755)
    fetched(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _name: str(node))
    with (
        pytest.raises(LocalnetError, match=r"GLIBC_2\.34 not found"),
        local.run(port=free_port(neighbours=1), cache=tmp_path, start_timeout_s=5),
    ):
        pass


def test_the_commands_say_what_they_need_and_what_their_codes_mean() -> None:
    for command in (app, audit_app):
        shown = CliRunner().invoke(command, ["--help"])
        assert shown.exit_code == 0
        assert "Exit codes: 0" in " ".join(shown.output.split())


@pytest.mark.usefixtures("x86_linux")
def test_a_port_in_use_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without(monkeypatch)
    fetched(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalnetError, match=f"port {port} is in use"), local.run(port=port, cache=tmp_path):
            pass


@pytest.mark.ci
def test_a_fresh_local_chain_takes_a_site_and_its_audit_holds(built: Programs) -> None:
    with local.run(port=free_port(neighbours=1), slot_ms=20) as fresh:
        chain = RpcChain(fresh.url, poll_s=0.02)
        authority = Keypair.from_seed(bytes(31) + b"\2")
        chain.airdrop(authority.pubkey(), Lamports(100 * 10**9))
        deploy_programs(chain, built, payer=authority, authority=authority)
        initialise(chain, built, SiteSettings("local"), authority)
        assert audit(chain, built, settled=True).ok
        chain.close()
        shown = CliRunner().invoke(audit_app, ["--rpc", fresh.url, "--settled", "--json"])
        table = CliRunner().invoke(audit_app, ["--rpc", fresh.url])
    assert (shown.exit_code, table.exit_code) == (0, 0)
    assert "ok  only the oracle mints" in table.output
    document = json.loads(shown.stdout)
    assert document["ok"]
    assert document["meters"] == []
    assert [check["name"] for check in document["checks"]].count("the history is whole") == 1
    assert len(document["checks"]) == 8 + 6
