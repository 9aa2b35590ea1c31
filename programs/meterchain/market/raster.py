"""An SVG picture as PNG, by resvg (extra `png`): for mail, chats and whatever else shows no SVG.

resvg leaves out text for which it finds no font, and says nothing; so it is asked first whether it can draw a letter.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

ZOOM = 2.0
"""Pixels for each unit of the drawing: sharp on today's screens."""
FAMILIES = ("DejaVu Sans", "Noto Sans", "Liberation Sans", "Arial", "Helvetica")
"""What `sans-serif` may be, in this order: resvg has to be told."""
_LETTER = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{}</svg>'
_TEXT = '<text x="2" y="16" style="font-family:sans-serif">M</text>'


class NoRaster(Exception):
    """PNG pictures cannot be made on this machine; the message says what is missing."""


def png_of(svg: str) -> bytes:
    """The picture as PNG on white.  Raises NoRaster if resvg or every font is missing."""
    resvg = _resvg()
    family = next((name for name in FAMILIES if _has(resvg, name)), None)
    if family is None:
        raise NoRaster("no font is installed, so the picture would have no words: sudo apt install fonts-dejavu-core")
    return bytes(resvg.svg_to_bytes(svg_string=svg, zoom=ZOOM, background="#ffffff", sans_serif_family=family))


def _has(resvg: "ModuleType", family: str) -> bool:
    """True if a letter of this family leaves a mark."""
    empty, letter = (
        bytes(resvg.svg_to_bytes(svg_string=_LETTER.format(text), sans_serif_family=family)) for text in ("", _TEXT)
    )
    return empty != letter


def _resvg() -> "ModuleType":
    try:
        import resvg_py
    except ImportError:
        raise NoRaster("PNG needs resvg: pip install 'meterbridge[png]'; SVG needs nothing (--out FILE.svg)") from None
    return resvg_py
