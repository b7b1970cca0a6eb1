"""Servers for a browser to visit, and a small library for it to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import cos, pi, sin
from pathlib import Path
from threading import Thread

import uvicorn
from PIL import Image, ImageDraw

from tests.indexwith import fake
from tests.waiting import PATIENCE
from twobranch.embedding.encoder import Encoder
from twobranch.indexer.catalog.reader import LibraryModel
from twobranch.indexer.update.run import AnyEncoder
from twobranch.server.app import create_app
from twobranch.server.run import listen
from twobranch.server.settings import Settings

# Around the circle from red over green and blue to red, 22.5 degrees of FakeEncoder's space from each other:
# a cosine of 0.92, so that a search folds none of them under another.
COLORS = (
    *("red", "orange", "yellow", "lime"),
    *("green", "mint", "cyan", "azure"),
    *("blue", "violet", "magenta", "rose"),
)
SIZES = {"ball": (320, 240), "box": (240, 320), "roof": (300, 300), "wall": (420, 200)}
_TAKEN = 0x9003  # EXIF: when a photo was taken
_EXIF = 0x8769


@contextmanager
def serving(
    settings: Settings,
    load: Callable[[LibraryModel], Encoder],
    index_with: Callable[[Path], AnyEncoder] = fake,
    port: int = 0,
) -> Iterator[str]:
    """A server in a thread, at this port or at a free one; its URL, which ends with a slash."""
    listener = listen("127.0.0.1", port)
    server = uvicorn.Server(uvicorn.Config(create_app(settings, load, index_with), log_level="warning"))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"  # it listens: who comes early waits
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the server does not end"


def draw_photos(folder: Path) -> Path:
    """Twelve photos, one of each colour (``red-ball.jpg``, ``orange-box.jpg``…), taken from 2020 to 2022; and
    the caption file that says what they show (``a red ball``, and more of the balls)."""
    folder.mkdir(parents=True)
    lines = ["image,caption"]
    for position, color in enumerate(COLORS):
        third, quarter = divmod(position, 4)
        parts = [0.0, 0.0, 0.0]
        parts[third] = cos(pi / 8 * quarter)
        parts[(third + 1) % 3] = sin(pi / 8 * quarter)
        shape, size = list(SIZES.items())[quarter]
        name = f"{color}-{shape}.jpg"
        taken = f"{2020 + third}:{1 + quarter:02}:15 12:00:00"
        _drawn(shape, size, tuple(round(240 * part) for part in parts), taken, folder / name)
        lines.append(f"{name},a {color} {shape}")
        if shape == "ball":
            lines.append(f"{name},something {color} to play with")
    captions = folder.parent / "captions.csv"
    captions.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return captions


def _drawn(shape: str, size: tuple[int, int], color: tuple[int, ...], taken: str, path: Path) -> None:
    photo = Image.new("RGB", size, tuple(part // 3 for part in color))
    pen, (width, height) = ImageDraw.Draw(photo), size
    if shape == "ball":
        pen.ellipse((width // 4, height // 6, width * 3 // 4, height * 5 // 6), color)
    elif shape == "roof":
        pen.polygon([(width // 2, 30), (width - 30, height - 30), (30, height - 30)], color)
    else:
        pen.rectangle((width // 8, height // 5, width * 7 // 8, height * 4 // 5), color)
    exif = photo.getexif()
    exif.get_ifd(_EXIF)[_TAKEN] = taken
    photo.save(path, quality=90, exif=exif)
