"""The places of phrases in a photo as one picture.

It is for ``where --out`` and for terminals. Each phrase has a panel: the photo with its heat map and boxes,
under the phrase and what was found. Panels stand beside or below each other, whichever makes the picture more
like a screen.
"""

from __future__ import annotations

import io
import math
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image, ImageDraw

from twobranch.common.atomic import replacing
from twobranch.common.errors import UserError
from twobranch.common.progress import one_line
from twobranch.embedding.preprocess import load_thumbnail
from twobranch.indexer.disk.open import read_file
from twobranch.retrieval.display.heat_map import colour_table, over_photo
from twobranch.retrieval.display.lettering import Font, font, font_for, shortened
from twobranch.retrieval.display.tables import places_found
from twobranch.retrieval.where.locator import Located, PhraseMap

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_SIDE = 1600  # pixels of the longer side of a panel, at most
_SHEET = 2400  # of a picture of several panels, unless these would be smaller than the next number
_LEAST = 400  # pixels of the longer side of a panel; smaller photos are enlarged
_SHAPE = 1.6  # width by height of a screen
_MAKER = "twobranch where"  # the EXIF field Software of a picture: only such a picture is ever replaced
_GROUND, _INK, _SOFT = (20, 20, 23), (244, 244, 246), (166, 166, 176)


@dataclass(frozen=True)
class Layout:
    """Panels in a grid. Sizes are in pixels."""

    columns: int
    rows: int
    panel: tuple[int, int]  # width and height of the photo in a panel
    letters: int  # height of the heading's letters

    @classmethod
    def of(cls, size: tuple[int, int], n: int, most: int = _SIDE) -> Layout:
        """Lay out ``n`` panels of a photo of this size.

        A panel has at most ``most`` pixels a side.
        """
        width, height = size

        def badness(columns: int) -> float:
            rows = -(-n // columns)
            empty = (columns * rows - n) / n
            return abs(math.log(columns * width / (rows * height) / _SHAPE)) + empty

        columns = min(range(1, n + 1), key=badness)
        rows = -(-n // columns)
        longer = max(width, height)
        fitting = _SHEET * longer / max(columns * width, rows * height)
        side = longer if n == 1 else min(longer, round(fitting))
        scale = min(max(side, _LEAST), most) / longer
        panel = max(1, round(width * scale)), max(1, round(height * scale))
        return cls(columns, rows, panel, min(max(max(panel) // 36, 16), 34))

    @property
    def heading(self) -> int:
        """The height of a panel's heading."""
        return 4 * self.letters

    @property
    def gap(self) -> int:
        """The space around and between panels."""
        return self.letters


def where_picture(photo: Path | bytes, located: Located, side: int = _SIDE) -> Image.Image:
    """Draw a photo with the places of each phrase.

    ``side`` is the longer side of a panel, at most. Raises ``ImageError`` for a photo that cannot be read.
    """
    layout = Layout.of((located.width, located.height), len(located.phrases), side)
    data = photo if isinstance(photo, bytes) else read_file(photo)
    shown = load_thumbnail(data, max(layout.panel), name="" if isinstance(photo, bytes) else photo)
    if shown.size != layout.panel:  # a small photo, or the preview in a raw file
        shown = shown.resize(layout.panel, Image.Resampling.BICUBIC)
    width, height = layout.panel[0] + layout.gap, layout.panel[1] + layout.heading
    sheet = Image.new(
        "RGB", (layout.columns * width + layout.gap, layout.rows * height + layout.gap), _GROUND
    )
    for at, phrase in enumerate(located.phrases):
        left, top = layout.gap + at % layout.columns * width, at // layout.columns * height
        _draw_heading(sheet, (left, top), layout, phrase)
        sheet.paste(over_photo(shown, [phrase], located.width), (left, top + layout.heading))
    return sheet


def check_target(path: Path, photo: Path) -> str:
    """Return the format of a picture to be written. Nothing is written yet.

    Raises ``UserError`` for a suffix that names no format, and where a photo would be lost: the searched
    one, or any other picture that was not made here.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: a picture is written as {', '.join(FORMATS)}; name it like one of these")
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path}: is a folder or a device; name a file, as in: --out where.png")
        if path.exists() and photo.exists() and path.samefile(photo):
            raise UserError(f"{path}: is the photo itself, which stays as it is; give another name")
        if path.exists() and not _is_ours(path):
            raise UserError(f"{path}: exists and was not made by `where`; give another name, or delete it")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None
    return kind


def write_picture(picture: Image.Image, path: Path, photo: Path) -> None:
    """Write a picture in the format of its suffix. An earlier one is replaced in one step.

    Raises ``UserError`` as ``check_target`` does, and if the file cannot be written.
    """
    kind = check_target(path, photo)
    try:
        with replacing(path.resolve()) as partial:  # for a link, its target is replaced
            partial.write_bytes(encoded(picture, kind))
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None


def encoded(picture: Image.Image, kind: str) -> bytes:
    """Return the picture as the bytes of a file. It has no EXIF data but the name of its maker."""
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = _MAKER
    file = io.BytesIO()
    picture.save(file, kind, exif=exif, quality=90)
    return file.getvalue()


def _is_ours(path: Path) -> bool:
    """Return True for a picture that was written here."""
    try:
        with Image.open(path) as image:
            return image.getexif().get(ExifTags.Base.Software) == _MAKER
    except Exception:  # Pillow raises many types for what is no picture
        return False


def _draw_heading(sheet: Image.Image, corner: tuple[int, int], layout: Layout, phrase: PhraseMap) -> None:
    """Write the phrase, and below it what was found.

    The scale of heat is beside that.
    """
    draw = ImageDraw.Draw(sheet)
    left, top = corner
    width = layout.panel[0]
    text = unicodedata.normalize("NFC", one_line(phrase.phrase))
    large, small = layout.letters, round(0.8 * layout.letters)
    upper, lower = top + round(1.3 * large), top + round(2.75 * large)
    if letters := font_for(text, large):
        draw.text((left, upper), shortened(text, letters, width), fill=_INK, font=letters, anchor="lm")
    soft = font(small)
    found = shortened(places_found(phrase), soft, width)
    draw.text((left, lower), found, fill=_SOFT, font=soft, anchor="lm")
    _draw_scale(sheet, (left + width, lower), width - soft.getlength(found), soft)


def _draw_scale(sheet: Image.Image, right: tuple[int, int], room: float, letters: Font) -> None:
    """Draw the colours from cold to hot, if there is room. ``right`` is the middle of their right edge."""
    draw = ImageDraw.Draw(sheet)
    height = max(5, round(0.6 * letters.size))
    gap, width = height, 10 * height
    names = [round(letters.getlength(name)) for name in ("cold", "hot")]
    if room < width + sum(names) + 4 * gap:
        return
    x, y = right
    draw.text((x, y), "hot", fill=_SOFT, font=letters, anchor="rm")
    x -= names[1] + gap
    bar = Image.fromarray(colour_table()[None]).resize((width, height))
    sheet.paste(bar, (x - width, y - height // 2))
    draw.text((x - width - gap, y), "cold", fill=_SOFT, font=letters, anchor="rm")
