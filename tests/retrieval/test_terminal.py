"""Thumbnails as terminals take them; what was sent is decoded again, independently, and looked at."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.fakes import write_photo
from twobranch.retrieval.display.sixel import sixel
from twobranch.retrieval.display.terminal import MOST_SHOWN, Graphics, cell_width, graphics, thumbnail_rows
from twobranch.retrieval.hits import Hit

COLORS = ("red", "lime", "blue")  # (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, Graphics.KITTY),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, Graphics.KITTY),
        ({"TERM": "xterm-ghostty"}, Graphics.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, Graphics.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, Graphics.ITERM2),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, Graphics.ITERM2),  # which goes along over ssh
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, Graphics.ITERM2),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "220401"}, Graphics.ITERM2),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "211203"}, None),
        ({"TERM": "foot"}, Graphics.SIXEL),
        ({"TERM": "mlterm-256color"}, Graphics.SIXEL),
        ({"TERM": "yaft-256color"}, Graphics.SIXEL),
        ({"TERM": "xterm-sixel"}, Graphics.SIXEL),
        ({"TERM": "foot", "KITTY_WINDOW_ID": "1"}, Graphics.SIXEL),  # started from within kitty
        ({"TERM": "tmux-256color", "TERM_PROGRAM": "tmux", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "screen", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "dumb", "TERM_PROGRAM": "WezTerm"}, None),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, None),
        ({}, None),
    ],
)
def test_the_environment_tells_the_protocol(environment: dict[str, str], protocol: Graphics | None) -> None:
    assert graphics(environment) is protocol


@pytest.fixture
def hits(tmp_path: Path) -> list[Hit]:
    """A red, a green and a blue photo, and one that is gone."""
    photos = [write_photo(tmp_path / f"{color}.png", color, (320, 320)) for color in COLORS]
    return [Hit(i, 0.5, photo, None) for i, photo in enumerate([*photos, tmp_path / "gone.png"], start=1)]


def decode_kitty(text: str) -> tuple[Image.Image, str]:
    """The picture and the keys of the first of its chunks."""
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in chunks) + "\n" == text
    assert all(len(data) == 4096 for _, data in chunks[:-1])
    assert len(chunks[-1][1]) <= 4096
    assert [keys.rpartition("m=")[2] for keys, _ in chunks] == ["1"] * (len(chunks) - 1) + ["0"]
    png = base64.b64decode("".join(data for _, data in chunks), validate=True)
    return Image.open(io.BytesIO(png)), chunks[0][0]


def decode_iterm2(text: str) -> tuple[Image.Image, str]:
    found = re.fullmatch(r"\x1b\]1337;File=([^:]*):([A-Za-z0-9+/=]*)\x07\n", text)
    assert found is not None
    png = base64.b64decode(found[2], validate=True)
    assert f"size={len(png)};" in found[1]
    return Image.open(io.BytesIO(png)), found[1]


def decode_sixel(text: str) -> NDArray[np.int64]:
    """(H, W, 4) RGBA, as a terminal would paint it: one character after the other."""
    found = re.fullmatch(r'\x1bP0;1;0q"1;1;(\d+);(\d+)(.*)\x1b\\\n?', text, re.DOTALL)
    assert found is not None
    width, height = int(found[1]), int(found[2])
    canvas = np.zeros((-(-height // 6) * 6, width, 4), dtype=np.int64)
    colors: dict[str, list[int]] = {}
    column = top = 0
    color = ""
    tokens = re.findall(r"#\d+;2;\d+;\d+;\d+|#\d+|!\d+[?-~]|[?-~]|\$|-|.", found[3])
    for token in tokens:
        if token == "$":
            column = 0
        elif token == "-":
            column, top = 0, top + 6
        elif token[0] == "#" and ";" in token:
            number, _, *percents = token[1:].split(";")
            colors[number] = [round(int(percent) * 255 / 100) for percent in percents] + [255]
        elif token[0] == "#":
            color = token[1:]
        else:
            times = int(token[1:-1]) if token[0] == "!" else 1
            bits = ord(token[-1]) - ord("?")
            assert 0 <= bits < 64, token
            for row in range(6):
                if bits >> row & 1:
                    assert column + times <= width
                    canvas[top + row, column : column + times] = colors[color]
            column += times
    assert canvas[height:].max(initial=0) == 0
    return canvas[:height]


def test_sixel_gives_the_picture_back() -> None:
    image = Image.new("RGBA", (50, 20))  # three bands of six rows, and two rows more
    image.paste((255, 0, 0, 255), (0, 0, 20, 20))
    image.paste((0, 0, 255, 255), (30, 5, 47, 19))
    expected = np.asarray(image)
    decoded = decode_sixel(sixel(image))
    assert np.array_equal(decoded[..., 3], expected[..., 3])  # what is transparent is not painted
    opaque = expected[..., 3] > 0
    assert np.abs(decoded - expected)[opaque].max() <= 2  # percents are coarser than bytes


def test_sixel_of_many_colors_is_near() -> None:
    ramp = np.linspace(0, 255, 120).astype(np.uint8)
    pixels = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], 128, 255), axis=-1).astype(np.uint8)
    decoded = decode_sixel(sixel(Image.fromarray(pixels, "RGBA")))
    assert np.sqrt(((decoded - pixels) ** 2).mean()) < 12  # 14,400 colors in 128


@pytest.mark.parametrize("protocol", Graphics)
def test_rows_of_thumbnails(hits: list[Hit], protocol: Graphics) -> None:
    # 50 columns hold three of 16: two rows, the second with what is gone. A column is 5 pixels wide.
    first, second = thumbnail_rows(hits, protocol, columns=50, cell=5)
    if protocol is Graphics.SIXEL:
        pixels, rest = decode_sixel(first), decode_sixel(second)
    else:
        image, keys = decode_kitty(first) if protocol is Graphics.KITTY else decode_iterm2(first)
        assert ("c=48" if protocol is Graphics.KITTY else "width=48") in keys
        assert "q=2" in keys or protocol is Graphics.ITERM2  # no answer, please
        pixels = np.asarray(image).astype(np.int64)
        rest = np.asarray((decode_kitty(second) if protocol is Graphics.KITTY else decode_iterm2(second))[0])
    assert pixels.shape == (80, 3 * 80, 4)
    middles = [pixels[40, i * 80 + 40, :3].tolist() for i in range(3)]
    assert np.abs(np.subtract(middles, [(255, 0, 0), (0, 255, 0), (0, 0, 255)])).max() <= 4
    assert rest.shape == (80, 80, 4)
    assert np.abs(rest[40, 40, :3].astype(int) - 128).max() <= 2  # grey


def test_no_more_thumbnails_than_fit_on_a_screen(hits: list[Hit]) -> None:
    rows = list(thumbnail_rows(hits * 100, Graphics.KITTY, columns=160, cell=4))
    assert len(rows) * 10 == MOST_SHOWN
    assert len(list(thumbnail_rows(hits[:2], Graphics.KITTY, columns=3))) == 2  # however narrow


def test_what_is_no_terminal_has_columns_of_some_width(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        assert cell_width(file.fileno()) == 10
