"""Folders of photos with captions beside them.

Three ways that can be mixed: a text file for each photo (``a.txt`` or ``a.caption`` beside ``a.jpg``), a JSON
file for each photo (``a.json``, as webdataset and img2dataset have it), and a table of a folder's photos
(``metadata.jsonl`` or ``metadata.csv``, as Hugging Face's image folders have it).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from twobranch.common.errors import CaptionFileError
from twobranch.embedding.formats import IMAGE_SUFFIXES
from twobranch.indexer.captionfiles.text_file import Record, read_lines

METADATA = ("metadata.jsonl", "metadata.csv")
# Keys of a JSON file beside a photo. Such files may be about anything, so there are fewer than in tables.
_KEYS = ("caption", "captions", "text", "description", "prompt")
_SPLIT_FOLDERS = frozenset({"train", "validation", "valid", "val", "dev", "test"})


def sidecar_records(folder: Path) -> Iterator[Record]:
    """Yield the photos of a folder, with captions beside them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sidecars: dict[Path, tuple[str, ...]] = {}
    stems = {path.with_suffix("") for path in files if path.suffix.lower() in IMAGE_SUFFIXES}
    for suffix, read in _READERS.items():  # the last one with a text wins when an image has several
        for path in files:
            if path.suffix.lower() == suffix and path.with_suffix("") in stems:
                texts = read(path)
                if texts:
                    sidecars[path.with_suffix("")] = texts
    for path in files:
        if path.suffix.lower() in IMAGE_SUFFIXES:
            name = path.relative_to(folder).as_posix()
            texts = sidecars.get(path.with_suffix(""), ())
            yield Record(f"image {name}", name, texts, None, on_disk=True)


def metadata_files(folder: Path) -> list[Path]:
    """Return the metadata tables in a folder and those below it."""
    found = sorted(path for name in METADATA for path in folder.rglob(name) if path.is_file())
    unreadable = next(folder.rglob("metadata.parquet"), None)
    if not found and unreadable is not None:
        raise CaptionFileError(
            f"{unreadable} cannot be read; write it as metadata.csv, with file_name and text"
        )
    return found


def in_folder(record: Record, folder: Path, table: Path) -> Record:
    """Return a record of a metadata table of a folder.

    Its photo is named within the whole ``folder``. A folder of the name of a split gives the split, if the
    table has none.
    """
    below = PurePosixPath(table.parent.relative_to(folder).as_posix())
    image = record.image if record.image is None or not below.parts else f"{below}/{record.image}"
    split = next((part for part in below.parts if part.lower() in _SPLIT_FOLDERS), None)
    place = f"{below / table.name}, {record.where}"
    return replace(record, where=place, image=image, split=record.split or split)


def _text(path: Path) -> tuple[str, ...]:
    return tuple(line for line in read_lines(path) if line.strip())


def _json(path: Path) -> tuple[str, ...]:
    """Return the captions in a JSON file beside a photo. Files about something else have none."""
    try:
        entry = json.loads("\n".join(read_lines(path)))
    except (CaptionFileError, ValueError, RecursionError):
        return ()
    found = next((entry[key] for key in _KEYS if key in entry), None) if isinstance(entry, dict) else None
    texts = found if isinstance(found, list) else [found]
    return tuple(text for text in texts if isinstance(text, str) and text.strip())


_READERS: dict[str, Callable[[Path], tuple[str, ...]]] = {".caption": _text, ".json": _json, ".txt": _text}
