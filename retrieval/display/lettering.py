"""Text in pictures: fonts for its letters, and text cut to fit.

The font that Pillow brings along has the letters of English. Other letters are looked for in the fonts of the
system. A text that none of them can write, or that would need shaping, is left out of a picture.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont
_MISSING = "\uffff"  # no font has it
# Fonts with many letters that come with systems: Linux, macOS, Windows. Pillow finds them by name.
_OF_THE_SYSTEM = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf")
_SHAPED = ("R", "AL")  # classes of letters that are written from right to left (UAX #9)


@cache
def font(height: int) -> Font:
    """Return Pillow's own font in this size, in pixels."""
    found = ImageFont.load_default(height)
    assert isinstance(found, Font)  # as with any size
    return found


def font_for(text: str, height: int) -> Font | None:
    """Return a font with all letters of a text.

    None if there is none here, or the text needs shaping.
    """
    if any(unicodedata.bidirectional(c) in _SHAPED or unicodedata.category(c)[0] == "M" for c in text):
        return None
    fonts = (font(height), *(_of_the_system(name, height) for name in _OF_THE_SYSTEM))
    return next((one for one in fonts if one is not None and _can_write(one, text)), None)


def shortened(text: str, letters: Font, width: float) -> str:
    """Return the text cut to a width in pixels.

    It ends with "…" then; it is empty where nothing fits.
    """
    if letters.getlength(text) <= width:
        return text
    while text and letters.getlength(f"{text}…") > width:
        text = text[:-1].rstrip()
    return f"{text}…" if text else ""


@cache
def _of_the_system(name: str, height: int) -> Font | None:
    try:
        return ImageFont.truetype(name, height)
    except OSError:
        return None


def _can_write(letters: Font, text: str) -> bool:
    """Return True if the font has all letters. It draws one sign for all that it lacks."""
    missing = bytes(letters.getmask(_MISSING))
    return all(c.isspace() or bytes(letters.getmask(c)) != missing for c in text)
