"""Text files: their lines, and messages about bad ones."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twobranch.common.errors import CaptionFileError


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
    on_disk: bool = False  # the image is named by the file system, so any character is allowed


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


def bad_line(path: Path, number: int, line: str, reason: str) -> CaptionFileError:
    return CaptionFileError(f"{path}, line {number}: {reason}: {shown(line)}; mend that line and try again")


def bad_entry(path: Path, where: str, reason: str) -> CaptionFileError:
    return CaptionFileError(f"{path}, {where}: {reason}; mend that entry and try again")


def shown(line: str) -> str:
    return repr(cut(line))


def shown_value(value: Any) -> str:
    """Format a JSON value for a message, down to a limited depth.

    A whole value may be nested too deep to be written again.
    """
    return shown(reprlib.repr(value))


def cut(text: str) -> str:
    return text[:80]
