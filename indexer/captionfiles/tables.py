"""Caption files with a caption a line: Flickr8k's, CSV and TSV."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twobranch.common.errors import CaptionFileError
from twobranch.embedding.formats import IMAGE_SUFFIXES
from twobranch.indexer.captionfiles.columns import (
    CAPTION_COLUMNS,
    IMAGE_COLUMNS,
    Columns,
    find,
    image_of,
    is_image_name,
    named_columns,
    no_caption_column,
    numbered,
    unnamed_columns,
)
from twobranch.indexer.captionfiles.text_file import Record, bad_line

# Captions may contain '#' and digits too: only the text before the first tab is the name.
_TOKEN_LINE = re.compile(r"([^\t]+)#\d+\t(.*)")
_BARE_TSV_LINE = re.compile(r"[^\t]+\.(?:jpe?g|png|webp|bmp|tiff?|gif)[ ]*\t[^\t]+", re.IGNORECASE)
_DELIMITERS = (",", ";", "\t", "|")
# Excel writes it above the header where the delimiter is not the usual one.
_DELIMITER_LINE = re.compile(r"sep=([,;|\t])\s*", re.IGNORECASE)
# Line 20,000 of Flickr30k's own results.csv lacks a delimiter: "2199200615.jpg| 4   A dog runs ...".
_NUMBERED_COMMENT = re.compile(r"\s*(\d+)\s+(\S.*)")
# For a file with one column; this character does not occur in text.
_NO_DELIMITER = "\x1f"
# The largest value that fits a C long everywhere; the default of 131,072 rejects long captions.
_FIELD_LIMIT = 2**31 - 1
_SAMPLE = 50  # rows that show what a column holds
_LONGEST_NAME = 40  # letters of a column name, in a line that is a header though no name in it is known


@dataclass(frozen=True)
class Table:
    """The records of a file, with a note for the user."""

    format: str
    records: tuple[Record, ...]
    note: str | None = None


def read_table(path: Path, lines: Sequence[str], first: str) -> Table | None:
    """Read a file of lines, whose ``first`` one has text.

    None for a file that is no table. Raises ``CaptionFileError``.
    """
    if _TOKEN_LINE.fullmatch(first):
        return Table("flickr8k-token", tuple(_token_records(path, lines)))
    if _BARE_TSV_LINE.fullmatch(first):
        return Table("tsv", tuple(_bare_tsv_records(path, lines)))
    told = _DELIMITER_LINE.fullmatch(first)
    if told is not None:
        at = lines.index(first)
        lines = [*lines[:at], "", *lines[at + 1 :]]
        first = next((line for line in lines if line.strip()), "")
    delimiters = _DELIMITERS if told is None else (told[1],)
    headless = next((one for one in delimiters if _has_image(first, one)), None)
    if headless is not None:
        return _without_header(path, lines, headless)
    delimiter = _delimiter(first, lines, delimiters)
    return None if delimiter is None else _with_header(path, lines, delimiter)


# --- without a header -------------------------------------------------------------------------------


def _token_records(path: Path, lines: Sequence[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = _TOKEN_LINE.fullmatch(line)
        if match is None:
            raise bad_line(path, number, line, "not name.jpg#0<TAB>caption")
        yield Record(f"line {number}", match[1], (match[2],), None)


def _bare_tsv_records(path: Path, lines: Sequence[str]) -> Iterator[Record]:
    for number, cells in _rows(path, lines, "\t"):
        image = cells[0].strip()
        if len(cells) != 2 or Path(image).suffix.lower() not in IMAGE_SUFFIXES:
            raise bad_line(path, number, lines[number - 1], "not name.jpg<TAB>caption")
        yield Record(f"line {number}", image, (cells[1],), None)


def _has_image(line: str, delimiter: str) -> bool:
    """Return True for a photo's name among several cells: no header."""
    cells = _cells(line, delimiter)
    return len(cells) > 1 and any(map(is_image_name, cells))


def _without_header(path: Path, lines: Sequence[str], delimiter: str) -> Table:
    """Read a table whose first row has a photo and a caption.

    Where rows have different numbers of cells, what comes after the photo at their beginning is the caption:
    it has delimiters in it that are not quoted.
    """
    rows = _rows(path, lines, delimiter)
    width = len(rows[0][1])
    odd = next(((number, cells) for number, cells in rows if len(cells) != width), None)
    if odd is not None and is_image_name(rows[0][1][0]):
        rows = [(number, [cells[0], delimiter.join(cells[1:])]) for number, cells in rows]
    elif odd is not None:
        reason = f"{len(odd[1])} columns where the first line has {width}"
        raise bad_line(path, odd[0], lines[odd[0] - 1], reason)
    columns = unnamed_columns([cells for _, cells in rows[:_SAMPLE]])
    if columns is None:
        number = rows[0][0]
        raise bad_line(path, number, lines[number - 1], "a photo without a caption beside it")
    for number, cells in rows:
        if not is_image_name(cells[columns.image or 0]):
            reason = f"no name of a photo in column {(columns.image or 0) + 1}"
            raise bad_line(path, number, lines[number - 1], reason)
    records = (_record(number, cells, columns) for number, cells in rows)
    return Table("tsv" if delimiter == "\t" else "csv", tuple(records), columns.note)


# --- with a header ----------------------------------------------------------------------------------


def _delimiter(header: str, lines: Sequence[str], delimiters: Sequence[str]) -> str | None:
    """Return the column delimiter of a header line. None for a line that is no header."""
    captions_only = images_only = None
    for delimiter in delimiters:
        cells = _cells(header, delimiter)
        columns = numbered(cells)
        if find(columns, CAPTION_COLUMNS) is None:
            if len(cells) > 1 and find(columns, IMAGE_COLUMNS) is not None:
                images_only = images_only or delimiter
            continue
        if len(cells) > 1 and find(columns, IMAGE_COLUMNS) is not None:
            return delimiter
        captions_only = captions_only or (delimiter if len(cells) > 1 else _NO_DELIMITER)
    return captions_only or images_only or _likely_delimiter(header, lines, delimiters)


def _likely_delimiter(header: str, lines: Sequence[str], delimiters: Sequence[str]) -> str | None:
    """Return a delimiter that cuts header and rows into equally many cells.

    The cells of the header must look like names. The delimiter with the most cells is returned.
    """
    sample = [line for line in lines[: 2 * _SAMPLE] if line.strip()][:_SAMPLE]
    counts: Counter[str] = Counter()
    for delimiter in delimiters:
        cells = _cells(header, delimiter)
        widths = {len(_cells(line, delimiter)) for line in sample}
        is_named = any(map(str.strip, cells)) and all(len(cell) <= _LONGEST_NAME for cell in cells)
        if len(sample) > 1 and widths == {len(cells)} and is_named:
            counts[delimiter] = len(cells) if len(cells) > 1 else 0
    best = counts.most_common(1)
    return best[0][0] if best and best[0][1] else None


def _with_header(path: Path, lines: Sequence[str], delimiter: str) -> Table:
    rows = _rows(path, lines, delimiter)
    width = len(rows[0][1])
    rows = [(number, _fitted(cells, width, delimiter)) for number, cells in rows]
    if delimiter in "\t|" and any(len(cells) != width for _, cells in rows):
        rows = _line_rows(lines, width, delimiter)
    (first, header), *rows = rows
    columns = named_columns(header, [cells for _, cells in rows[:_SAMPLE]])
    if columns is None:
        raise CaptionFileError(f"{path}, line {first}: {no_caption_column(header)}")
    for number, cells in [(first, header), *rows]:
        if len(cells) != width:
            reason = f"{len(cells)} columns where the header has {width}"
            if len(cells) > width:
                reason += f" (a caption with {delimiter!r} in it needs double quotes around it)"
            raise bad_line(path, number, lines[number - 1], reason)
    tabbed = delimiter == "\t" or (delimiter == _NO_DELIMITER and path.suffix.lower() == ".tsv")
    records = tuple(_record(number, cells, columns) for number, cells in rows)
    return Table("tsv" if tabbed else "csv", records, columns.note)


def _line_rows(lines: Sequence[str], width: int, delimiter: str) -> list[tuple[int, list[str]]]:
    """Return the non-blank lines as rows, each with its number.

    In files with tabs or bars a quote may be a letter in one line and have a delimiter behind it in another,
    as in Multi30K. So quotes are letters where a line does not fit the header otherwise.
    """
    rows = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            cells = _fitted(_cells(line, delimiter) or [""], width, delimiter)
            whole = cells if len(cells) == width else _fitted(line.split(delimiter), width, delimiter)
            rows.append((number, whole))
    return rows


def _record(number: int, cells: Sequence[str], columns: Columns) -> Record:
    return Record(
        f"line {number}",
        None if columns.image is None else image_of(cells[columns.image]),
        tuple(cells[caption] for caption in columns.captions),
        None if columns.split is None else cells[columns.split],
    )


def _fitted(cells: list[str], width: int, delimiter: str) -> list[str]:
    """Return a row without blank cells beyond the header, which Excel writes."""
    if delimiter == "|":
        cells = _with_lost_delimiter(cells, width)
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _with_lost_delimiter(cells: list[str], width: int) -> list[str]:
    match = _NUMBERED_COMMENT.fullmatch(cells[-1])
    if match is None or len(cells) != width - 1:
        return cells
    return [*cells[:-1], match[1], match[2]]


# --- rows -------------------------------------------------------------------------------------------


def _cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of one line; none if it is not whole."""
    try:
        return next(_reader([line], delimiter), [])
    except csv.Error:
        return []


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
        raise bad_line(path, start, lines[start - 1], reason) from None
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
