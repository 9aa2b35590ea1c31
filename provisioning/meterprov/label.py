"""Labels for nodes: a sheet of ten, each with the meter's id, a QR code that names no owner, and what the lights say.

The code holds `meterbridge:METER_007?site=engineering&key=FINGERPRINT`; the fingerprint begins the SHA-256
of the meter's public key: whoever stands before the node can compare it with the registry's key.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import segno
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

from meterprov.fingerprint import fingerprint
from meterprov.site_file import MeterTable, SiteFile

COLUMNS, ROWS = 2, 5
WIDTH, HEIGHT = 99.1 * mm, 57.0 * mm
LEFT, TOP = 4.65 * mm, 6.0 * mm
GAP = 2.5 * mm
"""A sheet of ten labels of 99.1 mm by 57 mm, as stationers sell it for A4."""
_QR = 34 * mm


class LabelError(Exception):
    """The labels cannot be drawn as asked."""


@dataclass(frozen=True)
class Label:
    """What stands on one."""

    meter_id: str
    hostname: str
    site: str
    profile: str
    fingerprint: str | None
    """16 hexadecimal digits; None = the key is not known yet."""
    has_bridge: bool

    @property
    def code(self) -> str:
        """What the QR code holds."""
        key = f"&key={self.fingerprint}" if self.fingerprint else ""
        return f"meterbridge:{self.meter_id}?site={quote(self.site, safe='')}{key}"


def label_of(site: SiteFile, meter: MeterTable, public_key: str | None) -> Label:
    """The label for one meter of the site."""
    known = fingerprint(public_key) if public_key is not None else None
    return Label(meter.id, meter.hostname, site.site.name, meter.profile, known, meter.bridge_unit is not None)


def lights() -> Mapping[str, Mapping[str, str]]:
    """What lights say, by whose light it is."""
    return tomllib.loads((files("meterprov") / "leds.toml").read_text("utf-8"))


def sheet(labels: Sequence[Label], *, skip: int = 0, font: Path | None = None) -> bytes:
    """The PDF: ten labels a page, the first `skip` places of the first page left free.  Raises LabelError."""
    name = _font(labels, font)
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    canvas.setTitle("meterbridge labels")
    for number, label in enumerate(labels, start=skip):
        place = number % (COLUMNS * ROWS)
        if place == 0 and number > skip:
            canvas.showPage()
        row, column = divmod(place, COLUMNS)
        left = LEFT + column * (WIDTH + GAP)
        _draw(canvas, label, left, A4[1] - TOP - (row + 1) * HEIGHT, name)
    canvas.save()
    return buffer.getvalue()


def _font(labels: Sequence[Label], file: Path | None) -> str:
    if file is not None:
        try:
            pdfmetrics.registerFont(TTFont("labels", str(file)))
        except (OSError, TTFError) as error:
            raise LabelError(f"{file}: no TrueType font ({error})") from None
        return "labels"
    for label in labels:
        try:
            label.site.encode("latin-1")
        except UnicodeEncodeError:
            raise LabelError(
                f"{label.site!r} has letters that the built-in font lacks; name one with --font FILE.ttf"
            ) from None
    return "Helvetica"


def _draw(canvas: Canvas, label: Label, left: float, bottom: float, font: str) -> None:
    canvas.setLineWidth(0.2)
    canvas.setStrokeGray(0.8)
    canvas.rect(left, bottom, WIDTH, HEIGHT)
    _draw_code(canvas, label.code, left + 3 * mm, bottom + HEIGHT - _QR - 3 * mm)
    x, y = left + _QR + 6 * mm, bottom + HEIGHT - 9 * mm
    canvas.setFont("Helvetica-Bold", 17)
    canvas.drawString(x, y, label.meter_id)
    canvas.setFont(font, 8)
    canvas.drawString(x, y - 5 * mm, label.site)
    canvas.setFont("Helvetica", 8)
    canvas.drawString(x, y - 9 * mm, f"{label.hostname} · {label.profile}")
    canvas.setFont("Courier", 8)
    canvas.drawString(x, y - 13 * mm, f"key {_spaced(label.fingerprint)}" if label.fingerprint else "key: at enrolment")
    _draw_lights(canvas, label, left + 3 * mm, bottom + 15.5 * mm, x, y - 17.5 * mm)


def _draw_lights(canvas: Canvas, label: Label, left: float, low: float, right: float, high: float) -> None:
    told = lights()
    for whose, shown, x, y in (
        ("board", True, right, high),
        ("bridge", label.has_bridge, left, low),
    ):
        if not shown:
            continue
        canvas.setFont("Helvetica-Bold", 6)
        canvas.drawString(x, y, f"light of the {whose}")
        canvas.setFont("Helvetica", 6)
        for number, (light, meaning) in enumerate(told[whose].items()):
            column, line = divmod(number, 3) if whose == "bridge" else (0, number)
            at = x + column * 47 * mm
            canvas.drawString(at, y - (line + 1) * 2.6 * mm, f"{light}:  {meaning}")


def _draw_code(canvas: Canvas, text: str, left: float, bottom: float) -> None:
    matrix = segno.make(text, error="m", micro=False, boost_error=True).matrix
    quiet = 2
    module = _QR / (len(matrix) + 2 * quiet)
    canvas.setFillGray(0)
    for row, line in enumerate(matrix):
        for column, dark in enumerate(line):
            if dark:
                x = left + (column + quiet) * module
                canvas.rect(x, bottom + _QR - (row + quiet + 1) * module, module, module, stroke=0, fill=1)


def _spaced(digits: str) -> str:
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))
