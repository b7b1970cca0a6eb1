"""Photos that visitors add to the library.

They are kept in the folder ``photos`` of the library folder. A server writes nothing outside it, wherever the
photos lie that it indexes, and a visitor cannot choose another place. ``index`` takes the folder like any
other: hidden folders above a root do not count. It is deleted with the library folder, so the docs tell
people to keep the photos that they add.
"""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from itertools import count
from pathlib import Path

from twobranch.common.atomic import replacing
from twobranch.common.errors import ImageError
from twobranch.embedding.decode_limit import Patience
from twobranch.embedding.formats import missing_extra
from twobranch.embedding.preprocess import load_thumbnail
from twobranch.indexer.disk.names import folded
from twobranch.indexer.disk.walk import is_photo_name

FOLDER = "photos"
ROOM = 500_000_000  # bytes that must stay free on the disk
_SIDE = 64  # pixels to which a photo is decoded, to see that it can be
_LONGEST = 120  # bytes of a name without its ending; most file systems take 255 of all
# What Windows does not take in a name, and characters without a form, such as ends of lines.
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)  # names of devices on Windows


class AddedPhotos:
    """The folder of added photos. For one thread."""

    def __init__(self, library: Path) -> None:
        self._library = library
        self.folder = library / FOLDER

    def has_room(self) -> bool:
        """Return True unless the disk is nearly full. Raises ``OSError``."""
        return shutil.disk_usage(self._library).free > ROOM

    def keep(self, name: str, data: bytes, patience: Patience | None = None) -> tuple[Path, bool]:
        """Store a photo under its name, or with a number behind it.

        Returns its path, and False if it was there already. Raises ``ImageError`` for a file that is no
        readable photo, ``GivenUp`` when ``patience`` is cancelled, and ``OSError``.
        """
        safe = safe_name(name)
        if not is_photo_name(safe):
            raise ImageError(safe, "its name does not end like that of a photo")
        if (extra := missing_extra(safe)) is not None:
            raise ImageError(safe, f"needs the extra {extra} on the server")
        load_thumbnail(data, _SIDE, name=safe, patience=patience)
        self.folder.mkdir(exist_ok=True)
        taken = {folded(entry): entry for entry in os.listdir(self.folder)}  # noqa: PTH208 (names are enough)
        stem, ending = os.path.splitext(safe)  # noqa: PTH122
        for number in count(1):
            target = f"{stem}{ending}" if number == 1 else f"{stem} ({number}){ending}"
            there = taken.get(folded(target))
            if there is None:
                break
            if _has_content(self.folder / there, data):
                return self.folder / there, False
        # In the library folder itself `index` and `vacuum` remove what killed processes leave behind.
        with replacing(self.folder / target, partial_in=self._library) as partial:
            partial.write_bytes(data)
        return self.folder / target, True


def safe_name(name: str) -> str:
    """Return the last part of a file name, safe for any system."""
    last = name.replace("\\", "/").rpartition("/")[2]
    clean = _UNSAFE.sub("_", unicodedata.normalize("NFC", last)).strip(" .")
    stem, ending = os.path.splitext(clean)  # noqa: PTH122
    if _RESERVED.fullmatch(stem.partition(".")[0]):
        stem = f"_{stem}"
    short = stem.encode()[:_LONGEST].decode(errors="ignore").strip(" .")
    return f"{short or 'photo'}{ending[:_LONGEST]}"


def _has_content(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False
