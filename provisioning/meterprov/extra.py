"""The extra `provision`: what only an operator's machine needs, and a node does not have."""

from importlib.util import find_spec

_MODULES = ("fatfs", "packaging", "reportlab", "segno")


class ExtraMissing(Exception):
    """Installed without the extra; the message says how to get it."""


def need_extra() -> None:
    """Raises ExtraMissing, which says how to install it."""
    missing = [name for name in _MODULES if find_spec(name) is None]
    if missing:
        raise ExtraMissing(f"missing here: {', '.join(missing)}; pip install 'meterbridge[provision]'")
