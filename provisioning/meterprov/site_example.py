"""The annotated site file with METER_001 to METER_015, to begin with."""

from importlib.resources import files
from pathlib import Path

from meterchain.durable import write_new
from meterprov.site_file import SiteFileError


def example() -> str:
    """Its text."""
    return (files("meterprov") / "site_example.toml").read_text("utf-8")


def write_example(path: Path) -> None:
    """Write it to `path`, mode 0600, and never over a file.  Raises SiteFileError."""
    try:
        write_new(path, example().encode())
    except FileExistsError:
        raise SiteFileError(f"{path}: there is a file already and it stays; name another one") from None
    except OSError as error:
        raise SiteFileError(f"{path}: cannot be written ({error.strerror}); name a folder of yours") from error
