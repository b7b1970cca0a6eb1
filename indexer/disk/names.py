"""Paths as a file system lists them, where it answers to other spellings too.

macOS and Windows take ``Photos/A.JPG`` for ``photos/a.jpg``, and macOS a composed é for a decomposed one. The
catalogue compares paths letter by letter, so what a person typed becomes what a scan would find.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def as_listed(path: Path) -> Path:
    """An absolute path in the spelling of its folders' listings, as far as they can be read.

    Where spellings are told apart that is the path itself, for one look at each part; only else are folders
    listed.
    """
    listed = Path(path.anchor)
    for name in path.parts[1:]:
        listed /= _listed_name(listed, name)
    return listed


def folded(text: str | bytes | None) -> str:
    """A name without its case and in composed Unicode, as macOS does not write it: names that differ in
    nothing else are one. What is not UTF-8 becomes ``?`` in a glob, which means any letter, and one letter in
    a name."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    whole = (text or "").encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", whole).casefold())


def _listed_name(folder: Path, name: str) -> str:
    try:
        if not any(_are_one(folder / name, folder / other) for other in _other_spellings(name)):
            return name
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return name
    if name in names:
        return name
    return next((other for other in names if folded(other) == folded(name)), name)


def _other_spellings(name: str) -> set[str]:
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    return {name.swapcase(), *forms} - {name}


def _are_one(path: Path, other: Path) -> bool:
    try:
        return os.path.samestat(path.lstat(), other.lstat())
    except OSError:
        return False
