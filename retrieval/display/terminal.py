"""Thumbnails in terminals.

The graphics protocol of a terminal is determined from environment variables alone, because a query to the
terminal might never be answered. Kitty and Ghostty use Kitty's protocol; iTerm2, WezTerm, mintty and Konsole
(from 22.04) use iTerm2's; foot, mlterm, contour, yaft and terminals with "sixel" in TERM use Sixel. Other
terminals may have Sixel (xterm, Windows Terminal, VS Code), but this cannot be detected, so they get no
pictures. Neither do tmux and screen: they pass pictures on only if configured to, which cannot be detected.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from twobranch.retrieval.hit_places import HitPlaces
    from twobranch.retrieval.hits import Hit

MOST_SHOWN = 20  # thumbnails; the table below them lists all hits
_TILE = 16  # terminal columns of a thumbnail
_CELL = 10  # pixels of a terminal column, if the terminal does not report it
_CHUNK = 4096  # bytes of base64 that Kitty accepts at once
_SIXEL_TERMS = ("foot", "mlterm", "contour", "yaft")


class Graphics(Enum):
    """Graphics protocols of terminals."""

    KITTY = "kitty"
    ITERM2 = "iterm2"
    SIXEL = "sixel"


def graphics(environment: Mapping[str, str]) -> Graphics | None:
    """Determine the terminal's protocol from environment variables.

    None for a terminal without a known protocol.
    """
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if "TMUX" in environment or term.startswith(("tmux", "screen")) or term == "dumb":
        return None
    if "sixel" in term or term.startswith(_SIXEL_TERMS):
        return Graphics.SIXEL
    if program in ("iTerm.app", "WezTerm", "mintty") or environment.get("LC_TERMINAL") == "iTerm2":
        return Graphics.ITERM2
    konsole = environment.get("KONSOLE_VERSION", "")
    if konsole.isdecimal() and int(konsole) >= 220400:
        return Graphics.ITERM2
    if term in ("xterm-kitty", "xterm-ghostty") or program == "ghostty" or "KITTY_WINDOW_ID" in environment:
        return Graphics.KITTY
    return None


def terminal_graphics(environment: Mapping[str, str], *, forced: bool) -> Graphics | None:
    """As ``graphics``; if ``forced``, Sixel for a terminal without a known protocol."""
    return graphics(environment) or (Graphics.SIXEL if forced else None)


def picture_sequence(picture: Image.Image, protocol: Graphics, cell: int = _CELL) -> str:
    """Return an escape sequence that shows a picture in its own size.

    ``cell`` is the width of a column in pixels.
    """
    return _sequence(picture.convert("RGBA"), protocol, -(-picture.width // cell))


def thumbnail_rows(
    hits: Sequence[Hit],
    protocol: Graphics,
    columns: int,
    cell: int = _CELL,
    places: Mapping[int, HitPlaces] | None = None,
) -> Iterator[str]:
    """Yield escape sequences that show the first hits.

    Each shows one row, with as many thumbnails as fit into ``columns``, and leaves the cursor at the start of
    a new line. ``cell`` is the width of a column in pixels. ``places`` are drawn over the photos, by rank.
    """
    shown, across = hits[:MOST_SHOWN], max(1, columns // _TILE)
    for start in range(0, len(shown), across):
        row = shown[start : start + across]
        width = min(columns, len(row) * _TILE)
        yield _sequence(_strip(row, _TILE * cell, places or {}), protocol, width) + "\n"


def cell_width(descriptor: int) -> int:
    """Return the width of a terminal column in pixels.

    It comes from the terminal's driver (an ``ioctl``); nothing is sent to the terminal.
    """
    try:
        import fcntl
        import struct
        import termios

        size = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    except (ImportError, OSError):  # Windows; not a terminal
        return _CELL
    _, columns, pixels, _ = struct.unpack("HHHH", size)
    return min(max(pixels // columns, 4), 40) if columns and pixels else _CELL


def _strip(hits: Sequence[Hit], side: int, places: Mapping[int, HitPlaces]) -> Image.Image:
    """Draw thumbnails side by side as an RGBA image.

    Each is in a square with its rank. A photo that cannot be read is a grey square.
    """
    from PIL import Image, ImageDraw, ImageFont

    from twobranch.common.errors import ImageError
    from twobranch.embedding.preprocess import load_thumbnail
    from twobranch.indexer.disk.open import read_file
    from twobranch.retrieval.display.heat_map import with_places

    strip = Image.new("RGBA", (len(hits) * side, side))
    draw = ImageDraw.Draw(strip)
    inner = side - max(2, side // 24)  # a gap between neighbours
    font = ImageFont.load_default(max(10, side // 9))
    for i, hit in enumerate(hits):
        left = top = 0
        try:
            if hit.path is None:
                raise ImageError("", "no photo")
            photo = load_thumbnail(read_file(hit.path, hit.content), inner, name=hit.path)
            photo = with_places(photo, places.get(hit.rank), labels=False)
            left, top = (inner - photo.width) // 2, inner - photo.height
            strip.paste(photo, (i * side + left, top))
        except ImageError:
            draw.rectangle((i * side, 0, i * side + inner - 1, inner - 1), fill="grey")
        corner = (i * side + left, top)
        box = draw.textbbox((corner[0] + 3, corner[1] + 1), str(hit.rank), font=font)
        draw.rectangle((*corner, box[2] + 3, box[3] + 3), fill="black")
        draw.text((corner[0] + 3, corner[1] + 1), str(hit.rank), fill="white", font=font)
    return strip


def _sequence(image: Image.Image, protocol: Graphics, columns: int) -> str:
    """Encode an image as an escape sequence, ``columns`` wide.

    With Sixel the image has its own size instead.
    """
    if protocol is Graphics.SIXEL:
        from twobranch.retrieval.display.sixel import sixel

        return sixel(image)
    png = io.BytesIO()
    image.save(png, "PNG")
    data = base64.b64encode(png.getvalue()).decode()
    if protocol is Graphics.ITERM2:
        # https://iterm2.com/documentation-images.html
        return f"\x1b]1337;File=inline=1;size={png.tell()};width={columns}:{data}\x07"
    # https://sw.kovidgoyal.net/kitty/graphics-protocol/: a PNG (f=100), shown at once (a=T). q=2 stops the
    # terminal from answering, as no program would read the answer.
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    keys = [f"a=T,f=100,q=2,c={columns},"] + [""] * (len(chunks) - 1)
    more = [1] * (len(chunks) - 1) + [0]
    return "".join(f"\x1b_G{k}m={m};{chunk}\x1b\\" for k, m, chunk in zip(keys, more, chunks, strict=True))
