"""Paths in the spelling of the file system's own listings.

On macOS and Windows ``Photos/A.JPG`` also opens ``photos/a.jpg``, and on macOS a composed é also opens a
decomposed one. The catalogue compares paths letter by letter, so a typed path is changed to the spelling that
a scan finds.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def as_listed(path: Path) -> Path:
    """Return an absolute path in the spelling of its folders' listings.

    A folder that cannot be listed keeps the given spelling. Where the file system tells spellings apart, the
    result is the path itself, at the cost of a few status calls for each part; otherwise folders are listed.
    """
    listed = Path(path.anchor)
    for name in path.parts[1:]:
        listed /= _listed_name(listed, name)
    return listed


def folded(text: str | bytes | None) -> str:
    """Return a name in lower case and composed Unicode, for comparison.

    Names that differ only in case or composition become equal (macOS decomposes names). A byte that is not
    UTF-8 becomes ``?``, which in a glob means any letter, and in a name is one letter.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    whole = (text or "").encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", whole).casefold())


def path_key(root: str | bytes, path: str | bytes = "") -> bytes:
    """Return what paths are sorted by: without case, folder by folder.

    A folder's own files come before those of the folders in it. The path may be given in two parts, and names
    that are not UTF-8 as bytes.
    """
    whole = os.fsdecode(root)
    if path:
        whole = f"{whole.rstrip('/')}/{os.fsdecode(path)}"
    folder, _, name = whole.rpartition("/")
    tree = folder.replace("/", "\2")  # less than the letters of names; \1 is less still
    return "\1".join((tree.lower(), tree, name.lower(), name)).encode("utf-8", "surrogatepass")


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
