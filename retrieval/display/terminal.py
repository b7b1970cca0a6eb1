"""Pictures in a terminal: which protocol it understands, and hits as rows of thumbnails in it.

What a terminal can show is told from its environment alone: asking it would mean waiting for an answer that
may never come. Kitty and Ghostty have Kitty's protocol; iTerm2, WezTerm, mintty and Konsole (from 22.04) have
iTerm2's; foot, mlterm, contour, yaft and any whose TERM speaks of sixel have Sixel. Others that can show
Sixel (xterm, Windows Terminal, VS Code) cannot be told from those that cannot. tmux and screen pass pictures
on only when they are set up to, which cannot be seen: none there.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

    from twobranch.retrieval.hits import Hit

MOST_SHOWN = 20  # thumbnails; the table below goes on
_TILE = 16  # columns of a thumbnail
_CELL = 10  # pixels of a column, where the terminal does not say
_CHUNK = 4096  # bytes of base64 that Kitty takes at once
_SIXEL_TERMS = ("foot", "mlterm", "contour", "yaft")


class Graphics(Enum):
    """How a terminal takes pictures."""

    KITTY = "kitty"
    ITERM2 = "iterm2"
    SIXEL = "sixel"


def graphics(environment: Mapping[str, str]) -> Graphics | None:
    """The protocol of the terminal that these environment variables speak of; None for none that is known."""
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


def thumbnail_rows(hits: Sequence[Hit], protocol: Graphics, columns: int, cell: int = _CELL) -> Iterator[str]:
    """Escape sequences that show the first hits, one for each row of as many thumbnails as ``columns`` hold.

    ``cell`` is the width of a column in pixels. After each, the cursor is at the beginning of a new line.
    """
    shown, across = hits[:MOST_SHOWN], max(1, columns // _TILE)
    for start in range(0, len(shown), across):
        row = shown[start : start + across]
        width = min(columns, len(row) * _TILE)
        yield _sequence(_strip(row, _TILE * cell), protocol, width) + "\n"


def cell_width(descriptor: int) -> int:
    """Pixels of a column, as the terminal's driver knows them (an ``ioctl``; nothing is sent)."""
    try:
        import fcntl
        import struct
        import termios

        size = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    except (ImportError, OSError):  # Windows; not a terminal
        return _CELL
    _, columns, pixels, _ = struct.unpack("HHHH", size)
    return min(max(pixels // columns, 4), 40) if columns and pixels else _CELL


def _strip(hits: Sequence[Hit], side: int) -> Image.Image:
    """RGBA: thumbnails side by side, each in a square with its rank; grey where a photo cannot be read."""
    from PIL import Image, ImageDraw, ImageFont

    from twobranch.common.errors import ImageError
    from twobranch.embedding.preprocess import load_thumbnail
    from twobranch.indexer.disk.open import read_file

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
    """The escape sequence that shows the image ``columns`` wide (with Sixel: at its own size)."""
    if protocol is Graphics.SIXEL:
        from twobranch.retrieval.display.sixel import sixel

        return sixel(image)
    png = io.BytesIO()
    image.save(png, "PNG")
    data = base64.b64encode(png.getvalue()).decode()
    if protocol is Graphics.ITERM2:
        # https://iterm2.com/documentation-images.html
        return f"\x1b]1337;File=inline=1;size={png.tell()};width={columns}:{data}\x07"
    # https://sw.kovidgoyal.net/kitty/graphics-protocol/: a PNG (f=100), shown at once (a=T); q=2 keeps the
    # terminal from answering, since nobody would read that.
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    keys = [f"a=T,f=100,q=2,c={columns},"] + [""] * (len(chunks) - 1)
    more = [1] * (len(chunks) - 1) + [0]
    return "".join(f"\x1b_G{k}m={m};{chunk}\x1b\\" for k, m, chunk in zip(keys, more, chunks, strict=True))
