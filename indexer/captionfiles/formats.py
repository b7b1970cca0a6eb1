"""Formats of caption files, and the readers of JSON.

They return the records as the file has them and change no value but addresses of photos on the web, which
become file names. The meaning of names and splits is decided in ``indexer.captionfiles.corpus``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twobranch.common.errors import CaptionFileError
from twobranch.indexer.captionfiles.columns import (
    CAPTION_COLUMNS,
    ID_COLUMNS,
    IMAGE_COLUMNS,
    SPLIT_COLUMNS,
    column_name,
    find,
    image_of,
)
from twobranch.indexer.captionfiles.folders import in_folder, metadata_files, sidecar_records
from twobranch.indexer.captionfiles.tables import read_table
from twobranch.indexer.captionfiles.text_file import (
    Record,
    bad_entry,
    bad_line,
    cut,
    read_lines,
    shown,
    shown_value,
)

KNOWN_FORMATS = (
    "known formats: Flickr8k token (name.jpg#0<TAB>caption), CSV or TSV whose header has an image and a "
    "caption column or whose first column names photos, JSON Lines, Karpathy JSON, COCO captions JSON, or a "
    "folder with a.txt beside a.jpg, or with metadata.jsonl or metadata.csv"
)


@dataclass(frozen=True)
class CaptionFile:
    """The records of one file or folder, and its format's name.

    ``note`` says which column or key was taken for the caption, where another one could have been meant.
    """

    format: str
    records: tuple[Record, ...]
    note: str | None = None


def read_caption_file(path: Path) -> CaptionFile:
    """Read a caption file, or a folder of photos with captions. Raises ``CaptionFileError``."""
    if path.is_dir():
        return _read_folder(path)
    lines = read_lines(path)
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise CaptionFileError(f"{path} is empty: name a file that holds captions")
    if first.lstrip()[0] in "{[":
        return _read_json(path, lines)
    table = read_table(path, lines, first)
    if table is None:
        number = lines.index(first) + 1
        raise CaptionFileError(f"{path}, line {number}: no known format: {shown(first)}; {KNOWN_FORMATS}")
    return CaptionFile(table.format, table.records, table.note)


def _read_folder(folder: Path) -> CaptionFile:
    records, note = list(sidecar_records(folder)), None
    for path in metadata_files(folder):
        table = read_caption_file(path)
        records += (in_folder(record, folder, path) for record in table.records)
        note = note or table.note
    return CaptionFile("sidecar", tuple(records), note)


# --- JSON -------------------------------------------------------------------------------------------


def _read_json(path: Path, lines: Sequence[str]) -> CaptionFile:
    try:
        document = json.loads("\n".join(lines))
    except (ValueError, RecursionError) as error:
        if path.suffix.lower() in {".jsonl", ".ndjson"} or _starts_with_object(lines):
            return CaptionFile("jsonl", tuple(_json_lines_records(path, lines)), _note_of_lines(lines))
        raise CaptionFileError(
            f"{path} is not whole JSON ({error}): it may be cut off, download or write it again"
        ) from None
    if isinstance(document, list):
        records = tuple(_object_record(path, f"entry {n}", e) for n, e in enumerate(document))
        return CaptionFile("jsonl", records, _note(document[0]) if document else None)
    if "images" in document and "annotations" in document:
        return CaptionFile("coco", tuple(_coco_records(path, document)))
    if "images" in document:
        return CaptionFile("karpathy", tuple(_karpathy_records(path, document)))
    return CaptionFile("jsonl", (_object_record(path, "line 1", document),), _note(document))


def _note_of_lines(lines: Sequence[str]) -> str | None:
    return _note(json.loads(next(line for line in lines if line.strip())))


def _starts_with_object(lines: Sequence[str]) -> bool:
    try:
        return isinstance(json.loads(next(line for line in lines if line.strip())), dict)
    except (ValueError, RecursionError):
        return False


def _json_lines_records(path: Path, lines: Sequence[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            raise bad_line(path, number, line, "not a JSON object") from None
        yield _object_record(path, f"line {number}", entry)


def _object_record(path: Path, where: str, entry: Any) -> Record:
    if not isinstance(entry, dict):
        raise bad_entry(path, where, f"expected a JSON object, found {shown_value(entry)}")
    values = _flat(entry)
    key = next((name for name in CAPTION_COLUMNS if name in values), None)
    if key is None:
        keys = cut(", ".join(entry)) or "no keys"
        raise bad_entry(
            path, where, f"no caption (looked for {', '.join(CAPTION_COLUMNS[:10])}; found {keys})"
        )
    return Record(
        where,
        _image(path, where, values),
        tuple(_texts(path, where, values[key])),
        _string(path, where, "split", find(values, SPLIT_COLUMNS)),
    )


def _flat(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by key, with those of nested objects.

    A key of the object itself wins over one in a nested object.
    """
    nested = [value for value in entry.values() if isinstance(value, dict)]
    values = {column_name(key): value for inner in nested for key, value in inner.items()}
    return values | {column_name(key): value for key, value in entry.items() if not isinstance(value, dict)}


def _image(path: Path, where: str, values: Mapping[str, Any]) -> str | None:
    """Return the photo's name, or its id, which may be a number."""
    key = next((name for name in IMAGE_COLUMNS if name in values), None)
    value = None if key is None else values[key]
    if key in ID_COLUMNS and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    name = _string(path, where, "image", value)
    return None if name is None else image_of(name)


def _texts(path: Path, where: str, value: Any) -> Iterator[str]:
    """Yield the captions in a value.

    It is a string, or a list of strings or of objects with one.
    """
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            one = find(_flat(one), CAPTION_COLUMNS)
        yield _string(path, where, "caption", one) or ""


def _note(entry: Any) -> str | None:
    """Return a note on the caption's key if several fit."""
    if not isinstance(entry, dict):
        return None
    known = [name for name in CAPTION_COLUMNS if name in _flat(entry)]
    others = ", ".join(map(repr, known[1:]))
    return f"captions are read from the key {known[0]!r}, not from {others}" if others else None


def _string(path: Path, where: str, what: str, value: Any) -> str | None:
    """Return ``value`` if it is a string or null. Raises ``CaptionFileError`` otherwise."""
    if value is not None and not isinstance(value, str):
        raise bad_entry(path, where, f"the {what} is not a string: {shown_value(value)}")
    return value


def _objects(path: Path, where: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a JSON list with their places. Raises ``CaptionFileError`` for anything else."""
    if not isinstance(value, list):
        raise bad_entry(path, where, "expected a list of objects")
    for number, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise bad_entry(path, f"{where}[{number}]", "expected an object")
        yield f"{where}[{number}]", entry


def _required(path: Path, where: str, entry: Mapping[str, Any], key: str) -> str:
    value = _string(path, where, key, entry.get(key))
    if value is None:
        raise bad_entry(path, where, f'no "{key}"')
    return value


def _karpathy_records(path: Path, document: Mapping[str, Any]) -> Iterator[Record]:
    """Yield the records of a Karpathy JSON file.

    The format has three additions of ours: ``kind`` of a sentence, ``source`` and ``objects`` of an image.
    """
    for where, image in _objects(path, "images", document["images"]):
        name = _required(path, where, image, "filename")
        folder = _string(path, where, "filepath", image.get("filepath"))
        sentences = list(_objects(path, f"{where}.sentences", image.get("sentences", [])))
        yield Record(
            where,
            f"{folder}/{name}" if folder else name,
            tuple(_required(path, place, sentence, "raw") for place, sentence in sentences),
            _string(path, where, "split", image.get("split")),
            tuple(_string(path, place, "kind", sentence.get("kind")) for place, sentence in sentences),
            _string(path, where, "source", image.get("source")),
            _object_names(path, where, image.get("objects")),
        )


def _object_names(path: Path, where: str, value: Any) -> tuple[str, ...] | None:
    """Return a list of names, or None if missing or empty.

    An empty list means that the objects were not recorded.
    """
    if not value:
        return None
    if not isinstance(value, list):
        raise bad_entry(path, where, f'"objects" is not a list: {shown_value(value)}')
    return tuple(_string(path, where, "object", name) or "" for name in value)


def _coco_records(path: Path, document: Mapping[str, Any]) -> Iterator[Record]:
    images = list(_objects(path, "images", document["images"]))
    texts: dict[Any, list[str]] = {_identity(path, where, image, "id"): [] for where, image in images}
    for where, annotation in _objects(path, "annotations", document["annotations"]):
        identity = _identity(path, where, annotation, "image_id")
        if identity not in texts:
            raise bad_entry(path, where, f"image_id {cut(str(identity))} is not among the images")
        texts[identity].append(_required(path, where, annotation, "caption"))
    for where, image in images:
        name = _required(path, where, image, "file_name")
        yield Record(where, name, tuple(texts[_identity(path, where, image, "id")]), None)


def _identity(path: Path, where: str, entry: Mapping[str, Any], key: str) -> int | str:
    """Return an id, a number or a text. A boolean is refused: in Python the key True equals the key 1."""
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise bad_entry(path, where, f'"{key}" is neither a number nor a text: {shown_value(value)}')
    return value
