"""Columns of tables and keys of JSON objects: photo and caption.

Names are compared in lower case, without spaces around them and with "_" for a space or "-".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from twobranch.embedding.formats import IMAGE_SUFFIXES
from twobranch.embedding.language import LANGUAGES

T = TypeVar("T")
# The first name that there is is used.
IMAGE_COLUMNS = (
    "image", "image_name", "filename", "file_name", "file", "filepath", "file_path", "image_path",
    "image_file", "path", "img", "img_path", "img_name", "photo", "picture", "dateiname", "datei", "bild",
    "url", "image_url", "img_url", "image_id", "img_id", "photo_id", "flickr_id",
)  # fmt: skip
# They hold the beginning of a file name, or its number, which JSON may write as one.
ID_COLUMNS = frozenset({"image_id", "img_id", "photo_id", "flickr_id"})
CAPTION_COLUMNS = (
    "caption", "captions", "text", "texts", "comment", "sentence", "sentences", "description", "title", "alt",
    "alt_text", "label", "prompt", "raw", "beschreibung", "bildunterschrift", "titel",
)  # fmt: skip
SPLIT_COLUMNS = ("split",)
_ADVICE = "name the columns of the photo and of the sentence image and caption"


@dataclass(frozen=True)
class Columns:
    """The columns of a table, as numbers from 0."""

    image: int | None
    captions: tuple[int, ...]  # several where each is another language
    split: int | None
    note: str | None = None  # which column was taken, where another one could have been meant


def column_name(written: str) -> str:
    return re.sub(r"[\s-]+", "_", written.strip(' "').lower())


def numbered(header: Sequence[str]) -> dict[str, int]:
    """Return column numbers by name. The first of two equal names wins."""
    columns: dict[str, int] = {}
    for number, name in enumerate(header):
        columns.setdefault(column_name(name), number)
    return columns


def find(columns: Mapping[str, T], names: Iterable[str]) -> T | None:
    """Return the value under the first of ``names`` present, else None."""
    return next((columns[name] for name in names if name in columns), None)


def is_image_name(cell: str) -> bool:
    """Return True for the name, path or address of a photo."""
    return PurePosixPath(_web_path(cell.strip(' "'))).suffix.lower() in IMAGE_SUFFIXES


def image_of(cell: str) -> str:
    """Return the photo's name: of a web address, its last part."""
    return PurePosixPath(_web_path(cell)).name if "://" in cell else cell


def _web_path(cell: str) -> str:
    """Return the path of a web address; other text as it is."""
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", cell):
        return cell
    try:
        return unquote(urlsplit(cell).path)
    except ValueError:
        return cell


def named_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Columns | None:
    """Return the columns of a table with a header.

    None if no column is the caption. ``rows`` are some of the rows below it. Where no name of a column is
    known, the photo is the column whose cells are names of photos, and the caption is the one with the most
    text.
    """
    columns = numbered(header)
    rows = [row[: len(header)] for row in rows]  # longer ones are reported later
    image = find(columns, IMAGE_COLUMNS)
    if image is None:
        image = _image_column(rows)
    split = find(columns, SPLIT_COLUMNS)
    known = [columns[name] for name in CAPTION_COLUMNS if name in columns and columns[name] != image]
    note = None
    captions: tuple[int, ...]
    if known:
        captions = (known[0],)
        if len(known) > 1:
            others = ", ".join(repr(header[number].strip()) for number in known[1:])
            note = f"captions are read from the column {header[known[0]].strip()!r}, not from {others}"
    elif image is not None and (languages := [columns[code] for code in LANGUAGES if code in columns]):
        captions = tuple(sorted(languages))
        names = ", ".join(header[number].strip() for number in captions)
        note = f"captions are read from the columns of languages: {names}"
    elif image is not None and (longest := longest_column(rows, {image, split})) is not None:
        captions = (longest,)
        note = f"captions are read from the column {header[longest].strip()!r}, which has the most text"
    else:
        return None
    return Columns(image, captions, split, note)


def unnamed_columns(rows: Sequence[Sequence[str]]) -> Columns | None:
    """Return the columns of a table without a header.

    ``rows`` are some of its rows. None if they have no photo, or nothing else.
    """
    image = _image_column(rows[:1])
    caption = None if image is None else longest_column(rows, {image})
    if image is None or caption is None:
        return None
    note = None
    if len(rows[0]) > 2:
        note = f"it has no header; the photo is column {image + 1}, and captions are column {caption + 1}"
    return Columns(image, (caption,), None, note=note)


def longest_column(rows: Sequence[Sequence[str]], but: set[int | None]) -> int | None:
    """Return the column with the most letters, none of ``but``.

    None where no other has any.
    """
    letters: dict[int, int] = {}
    for row in rows:
        for number, cell in enumerate(row):
            if number not in but:
                letters[number] = letters.get(number, 0) + sum(map(str.isalpha, cell))
    best = max(letters, key=lambda number: letters[number], default=None)
    return best if best is not None and letters[best] else None


def no_caption_column(header: Sequence[str]) -> str:
    """Return the message about a table without a caption column."""
    found = ", ".join(name.strip()[:40] or "(blank)" for name in header[:20])
    looked_for = ", ".join(CAPTION_COLUMNS[:10])
    return f"no caption column: found {found}; looked for {looked_for} and others; {_ADVICE}"


def _image_column(rows: Sequence[Sequence[str]]) -> int | None:
    """Return the first column whose first text names a photo."""
    for number in range(max(map(len, rows), default=0)):
        cell = next((row[number] for row in rows if number < len(row) and row[number].strip()), "")
        if is_image_name(cell):
            return number
    return None
