"""What the commands of a node's life begin with: the site file, its chain, its manifest."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from meterchain.commands.session import Session, an_rpc, session
from meterprov.image_cli import manifest_beside, programs_beside
from meterprov.site_file import SiteFile, load_site

Rpc = Annotated[
    str | None, typer.Option("--rpc", parser=an_rpc, metavar="URL", help="The chain's RPC; default: the site file's.")
]


@dataclass(frozen=True)
class Office:
    """Where the operator works: one site."""

    path: Path
    site: SiteFile
    manifest: Path

    @contextmanager
    def chain(self, context: typer.Context, rpc: str | None, *, dry_run: bool = False) -> Iterator[Session]:
        """Its chain.  Raises ArtifactError and what the chain raises."""
        folder = programs_beside(self.path, self.site)
        with session(context, rpc or self.site.chain.rpc, folder, dry_run=dry_run) as here:
            yield here


def office(site: Path, manifest: Path | None) -> Office:
    """Raises SiteFileError."""
    return Office(site, load_site(site), manifest or manifest_beside(site))
