"""Pictures as Sixel, the graphics of DEC's VT340 (STD 070, chapter 9), which many terminals understand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_COLORS = (
    128  # of the 256 that terminals have: for seven photos 4.9 levels off against 6.7 with 64, 35% more bytes
)
_BAND = 6  # rows that a sixel is high
_SHORTEST_RUN = 4  # "!4?" is no longer than "????"


def sixel(image: Image.Image) -> str:
    """The escape sequence for an RGBA image; pixels that are less than half opaque are left as they are."""
    colors = image.convert("RGB").quantize(_COLORS, dither=Image.Dither.FLOYDSTEINBERG)
    index = np.asarray(colors).astype(np.int16)  # (H, W) numbers in the palette
    index[np.asarray(image.getchannel("A")) < 128] = -1
    palette = np.asarray(colors.getpalette(), dtype=np.int64).reshape(-1, 3)
    used = [int(color) for color in np.unique(index) if color >= 0]
    # Of each color, percent of red, green and blue.
    named = [f"#{color};2;" + ";".join(map(str, (palette[color] * 100 + 127) // 255)) for color in used]
    bands = [_band(index[top : top + _BAND]) for top in range(0, len(index), _BAND)]
    # P2 = 1: what no color covers stays; then the raster attributes, square pixels and the size.
    return f'\x1bP0;1;0q"1;1;{image.width};{image.height}{"".join(named)}{"-".join(bands)}\x1b\\'


def _band(rows: NDArray[np.int16]) -> str:
    """Up to six rows: for each color a line with the columns that it stands in, as bits from the top down."""
    weights = (1 << np.arange(len(rows)))[:, None]
    lines = [
        f"#{color}{_run_lengths(((rows == color) * weights).sum(axis=0))}"
        for color in np.unique(rows)
        if color >= 0
    ]
    return "$".join(lines)


def _run_lengths(bits: NDArray[np.int64]) -> str:
    """(W,) six bits a column, as characters from "?" on; long runs counted, an empty last one left out."""
    starts = np.flatnonzero(np.diff(bits, prepend=-1))
    lengths = np.diff(starts, append=len(bits))
    runs = list(zip(bits[starts].tolist(), lengths.tolist(), strict=True))
    if runs and runs[-1][0] == 0:
        runs.pop()
    return "".join(
        f"!{length}{chr(63 + value)}" if length >= _SHORTEST_RUN else chr(63 + value) * length
        for value, length in runs
    )
