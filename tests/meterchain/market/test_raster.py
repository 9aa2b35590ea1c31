"""A PNG has what the SVG has, words too, or it is not made."""

import sys
from types import SimpleNamespace

import pytest

from meterchain.market.raster import NoRaster, png_of

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="20">{}</svg>'
WORD = '<text x="2" y="16" style="font-family:sans-serif">3.455</text>'


@pytest.mark.ci
def test_words_are_drawn_and_the_same_picture_gives_the_same_bytes() -> None:
    assert png_of(SVG.format(WORD)) != png_of(SVG.format(""))
    assert png_of(SVG.format(WORD)) == png_of(SVG.format(WORD))


def test_without_a_font_there_is_no_picture_without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    import resvg_py

    def fontless(**options: object) -> bytes:
        return resvg_py.svg_to_bytes(skip_system_fonts=True, **options)  # type: ignore[arg-type]

    monkeypatch.setitem(sys.modules, "resvg_py", SimpleNamespace(svg_to_bytes=fontless))
    with pytest.raises(NoRaster, match="fonts-dejavu-core"):
        png_of(SVG.format(WORD))


def test_without_the_extra_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(NoRaster, match=r"meterbridge\[png\]"):
        png_of(SVG.format(WORD))
