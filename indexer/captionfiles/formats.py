"""Readers of caption files, one for each format.

They return the records as the file has them and change no value. The meaning of names and splits is decided
in ``indexer.captionfiles.corpus``.
"""

from __future__ import annotations

import csv
import json
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twobranch.common.errors import CaptionFileError
from twobranch.embedding.formats import IMAGE_SUFFIXES

# The first name that the header has is used.
IMAGE_COLUMNS = ("image", "image_name", "filename", "file_name", "file", "filepath", "path", "img", "photo")
CAPTION_COLUMNS = ("caption", "captions", "text", "comment", "sentence", "description", "title")
SPLIT_COLUMNS = ("split",)

KNOWN_FORMATS = (
    "known formats: Flickr8k token (name.jpg#0<TAB>caption), CSV or TSV whose header has an image and a "
    "caption column, JSON Lines, Karpathy JSON, COCO captions JSON, or a folder with a.txt beside a.jpg"
)

# Captions may contain '#' and digits too: only the text before the first tab is the name.
_TOKEN_LINE = re.compile(r"([^\t]+)#\d+\t(.*)")
_BARE_TSV_LINE = re.compile(r"[^\t]+\.(?:jpe?g|png|webp|bmp|tiff?|gif)[ ]*\t[^\t]+", re.IGNORECASE)
# Line 20,000 of Flickr30k's own results.csv lacks a delimiter: "2199200615.jpg| 4   A dog runs ...".
_NUMBERED_COMMENT = re.compile(r"\s*(\d+)\s+(\S.*)")
# For a file with one column; this character does not occur in text.
_NO_DELIMITER = "\x1f"
# The largest value that fits a C long everywhere; the default of 131,072 rejects long captions.
_FIELD_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class Record:
    """One image with its captions, or one line of a file. Values are exactly as written."""

    where: str
    image: str | None
    texts: tuple[str, ...]
    split: str | None
    kinds: tuple[str | None, ...] = ()  # of the texts (caption, query, word …), if the file states them
    source: str | None = None  # the collection that the image is from
    objects: tuple[str, ...] | None = None  # all objects in the image, if the file lists them


@dataclass(frozen=True)
class CaptionFile:
    """The records of one file or sidecar folder, and its format's name."""

    format: str
    records: tuple[Record, ...]


def read_caption_file(path: Path) -> CaptionFile:
    """Read a caption file or sidecar folder. Raises ``CaptionFileError``."""
    if path.is_dir():
        return CaptionFile("sidecar", tuple(_sidecar_records(path)))
    lines = read_lines(path)
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise CaptionFileError(f"{path} is empty: name a file that holds captions")
    if _TOKEN_LINE.fullmatch(first):
        return CaptionFile("flickr8k-token", tuple(_token_records(path, lines)))
    if _BARE_TSV_LINE.fullmatch(first):
        return CaptionFile("tsv", tuple(_bare_tsv_records(path, lines)))
    if first.lstrip()[0] in "{[":
        return _read_json(path, lines)
    return _read_table(path, lines, first)


def read_lines(path: Path) -> list[str]:
    """Read the lines of a text file.

    It may be in UTF-8, UTF-16 with BOM or cp1252. Raises ``CaptionFileError``.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise CaptionFileError(f"{path} does not exist: check the path") from None
    except OSError as error:
        raise CaptionFileError(f"{path} cannot be read ({error.strerror}): check its permissions") from None
    # str.splitlines would also break at form feeds and U+2028, which occur inside captions.
    return _decode(path, data).replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _decode(path: Path, data: bytes) -> str:
    not_text = CaptionFileError(f"{path} is not a text file: save it as UTF-8 text, or name another file")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError:
            raise not_text from None
        if "\0" in text:  # UTF-32, whose byte order mark begins with that of UTF-16
            raise not_text
        return text
    if b"\0" in data:
        raise not_text
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The non-ASCII letters before this point are valid UTF-8, which is very unlikely in another encoding.
        if "unexpected end" in error.reason and not data[: error.start].isascii():
            cut = f"{path}: ends in the middle of a letter, so the end of it is missing; copy the file again"
            raise CaptionFileError(cut) from None
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:  # cp1252 leaves five bytes undefined
        return data.decode("latin-1")


def _bad_line(path: Path, number: int, line: str, reason: str) -> CaptionFileError:
    return CaptionFileError(f"{path}, line {number}: {reason}: {_shown(line)}; mend that line and try again")


def _bad_entry(path: Path, where: str, reason: str) -> CaptionFileError:
    return CaptionFileError(f"{path}, {where}: {reason}; mend that entry and try again")


def _shown(line: str) -> str:
    return repr(_cut(line))


def _shown_value(value: Any) -> str:
    """Format a JSON value for a message, down to a limited depth.

    A whole value may be nested too deep to be written again.
    """
    return _shown(reprlib.repr(value))


def _cut(text: str) -> str:
    return text[:80]


# --- lines and tables -----------------------------------------------------------------------------


def _token_records(path: Path, lines: Sequence[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = _TOKEN_LINE.fullmatch(line)
        if match is None:
            raise _bad_line(path, number, line, "not name.jpg#0<TAB>caption")
        yield Record(f"line {number}", match[1], (match[2],), None)


def _bare_tsv_records(path: Path, lines: Sequence[str]) -> Iterator[Record]:
    for number, cells in _rows(path, lines, "\t"):
        image = cells[0].strip()
        if len(cells) != 2 or Path(image).suffix.lower() not in IMAGE_SUFFIXES:
            raise _bad_line(path, number, lines[number - 1], "not name.jpg<TAB>caption")
        yield Record(f"line {number}", image, (cells[1],), None)


def _read_table(path: Path, lines: Sequence[str], first: str) -> CaptionFile:
    delimiter = _delimiter(first)
    if delimiter is None:
        number = lines.index(first) + 1
        raise CaptionFileError(f"{path}, line {number}: no known format: {_shown(first)}; {KNOWN_FORMATS}")
    tabbed = delimiter == "\t" or (delimiter == _NO_DELIMITER and path.suffix.lower() == ".tsv")
    return CaptionFile("tsv" if tabbed else "csv", tuple(_table_records(path, lines, delimiter)))


def _delimiter(header: str) -> str | None:
    """Return the column delimiter of a header line. None when the line names no caption column."""
    captions_only = None
    for delimiter in (",", ";", "\t", "|"):
        try:
            cells = next(_reader([header], delimiter))
        except csv.Error:
            continue
        columns = _columns(cells)
        if _find(columns, CAPTION_COLUMNS) is None:
            continue
        if _find(columns, IMAGE_COLUMNS) is not None:
            return delimiter
        captions_only = delimiter if len(cells) > 1 else _NO_DELIMITER
    return captions_only


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Return column numbers by lower-case name. The first of two equal names wins."""
    columns: dict[str, int] = {}
    for number, name in enumerate(header):
        columns.setdefault(name.strip(' "').lower(), number)
    return columns


def _find(columns: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the value under the first of ``names`` present, else None."""
    return next((columns[name] for name in names if name in columns), None)


def _table_records(path: Path, lines: Sequence[str], delimiter: str) -> Iterator[Record]:
    rows = _rows(path, lines, delimiter)
    header = rows[0][1]
    columns = _columns(header)
    image = _find(columns, IMAGE_COLUMNS)
    caption = _find(columns, CAPTION_COLUMNS)
    split = _find(columns, SPLIT_COLUMNS)
    for number, row in rows[1:]:
        cells = _with_lost_delimiter(row, len(header)) if delimiter == "|" else row
        if len(cells) != len(header):
            reason = f"{len(cells)} columns where the header has {len(header)}"
            if len(cells) > len(header):
                reason += f" (a caption with {delimiter!r} in it needs double quotes around it)"
            raise _bad_line(path, number, lines[number - 1], reason)
        yield Record(
            f"line {number}",
            None if image is None else cells[image],
            (cells[caption],),
            None if split is None else cells[split],
        )


def _with_lost_delimiter(cells: list[str], width: int) -> list[str]:
    match = _NUMBERED_COMMENT.fullmatch(cells[-1])
    if match is None or len(cells) != width - 1:
        return cells
    return [*cells[:-1], match[1], match[2]]


def _rows(
    path: Path, lines: Sequence[str], delimiter: str, quoted: bool = True
) -> list[tuple[int, list[str]]]:
    """Return the non-blank rows, each with its first line number."""
    reader = _reader(lines, delimiter, quoted)
    rows: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((start, cells))
            start = reader.line_num + 1
    except csv.Error:
        # Files with tabs or bars are usually written without quoting: there a quote is an ordinary letter.
        if delimiter not in ",;":
            return _rows(path, lines, delimiter, quoted=False)
        reason = "a double quote opens here and is not closed before the next delimiter"
        raise _bad_line(path, start, lines[start - 1], reason) from None
    return rows


def _reader(lines: Sequence[str], delimiter: str, quoted: bool = True) -> Any:
    csv.field_size_limit(_FIELD_LIMIT)
    return csv.reader(
        (line + "\n" for line in lines),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        skipinitialspace=delimiter in ",;",
        # Without this, an unclosed quote silently swallows all following lines.
        strict=quoted,
    )


# --- JSON -----------------------------------------------------------------------------------------


def _read_json(path: Path, lines: Sequence[str]) -> CaptionFile:
    try:
        document = json.loads("\n".join(lines))
    except (ValueError, RecursionError) as error:
        if path.suffix.lower() in {".jsonl", ".ndjson"} or _starts_with_object(lines):
            return CaptionFile("jsonl", tuple(_json_lines_records(path, lines)))
        raise CaptionFileError(
            f"{path} is not whole JSON ({error}): it may be cut off, download or write it again"
        ) from None
    if isinstance(document, list):
        entries = enumerate(document)
        return CaptionFile("jsonl", tuple(_object_record(path, f"entry {n}", e) for n, e in entries))
    if "images" in document and "annotations" in document:
        return CaptionFile("coco", tuple(_coco_records(path, document)))
    if "images" in document:
        return CaptionFile("karpathy", tuple(_karpathy_records(path, document)))
    return CaptionFile("jsonl", (_object_record(path, "line 1", document),))


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
            raise _bad_line(path, number, line, "not a JSON object") from None
        yield _object_record(path, f"line {number}", entry)


def _object_record(path: Path, where: str, entry: Any) -> Record:
    if not isinstance(entry, dict):
        raise _bad_entry(path, where, f"expected a JSON object, found {_shown_value(entry)}")
    values = {key.strip().lower(): value for key, value in entry.items()}
    if not any(name in values for name in CAPTION_COLUMNS):
        keys = _cut(", ".join(entry)) or "no keys"
        raise _bad_entry(path, where, f"no caption (looked for {', '.join(CAPTION_COLUMNS)}; found {keys})")
    captions = _find(values, CAPTION_COLUMNS)
    texts = captions if isinstance(captions, list) else [captions]
    return Record(
        where,
        _string(path, where, "image", _find(values, IMAGE_COLUMNS)),
        tuple(_string(path, where, "caption", text) or "" for text in texts),
        _string(path, where, "split", _find(values, SPLIT_COLUMNS)),
    )


def _string(path: Path, where: str, what: str, value: Any) -> str | None:
    """Return ``value`` if it is a string or null. Raises ``CaptionFileError`` otherwise."""
    if value is not None and not isinstance(value, str):
        raise _bad_entry(path, where, f"the {what} is not a string: {_shown_value(value)}")
    return value


def _objects(path: Path, where: str, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a JSON list with their places. Raises ``CaptionFileError`` for anything else."""
    if not isinstance(value, list):
        raise _bad_entry(path, where, "expected a list of objects")
    for number, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise _bad_entry(path, f"{where}[{number}]", "expected an object")
        yield f"{where}[{number}]", entry


def _required(path: Path, where: str, entry: Mapping[str, Any], key: str) -> str:
    value = _string(path, where, key, entry.get(key))
    if value is None:
        raise _bad_entry(path, where, f'no "{key}"')
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
        raise _bad_entry(path, where, f'"objects" is not a list: {_shown_value(value)}')
    return tuple(_string(path, where, "object", name) or "" for name in value)


def _coco_records(path: Path, document: Mapping[str, Any]) -> Iterator[Record]:
    images = list(_objects(path, "images", document["images"]))
    texts: dict[Any, list[str]] = {_identity(path, where, image, "id"): [] for where, image in images}
    for where, annotation in _objects(path, "annotations", document["annotations"]):
        identity = _identity(path, where, annotation, "image_id")
        if identity not in texts:
            raise _bad_entry(path, where, f"image_id {_cut(str(identity))} is not among the images")
        texts[identity].append(_required(path, where, annotation, "caption"))
    for where, image in images:
        name = _required(path, where, image, "file_name")
        yield Record(where, name, tuple(texts[_identity(path, where, image, "id")]), None)


def _identity(path: Path, where: str, entry: Mapping[str, Any], key: str) -> int | str:
    """Return an id, a number or a text. A boolean is refused: in Python the key True equals the key 1."""
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise _bad_entry(path, where, f'"{key}" is neither a number nor a text: {_shown_value(value)}')
    return value


# --- sidecars -------------------------------------------------------------------------------------


def _sidecar_records(folder: Path) -> Iterator[Record]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sidecars: dict[Path, Path] = {}
    for suffix in (".caption", ".txt"):  # the later one wins when an image has both
        sidecars |= {path.with_suffix(""): path for path in files if path.suffix.lower() == suffix}
    for path in files:
        if path.suffix.lower() in IMAGE_SUFFIXES:
            sidecar = sidecars.get(path.with_suffix(""))
            texts = () if sidecar is None else tuple(read_lines(sidecar))
            name = path.relative_to(folder).as_posix()
            yield Record(f"image {name}", name, texts, None)
