"""Paths in the catalogue that another operating system wrote.

A library may come from Windows with paths such as ``C:\\Photos``.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath, PureWindowsPath

_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


def is_of_windows(path: str | Path) -> bool:
    """Return True if a path begins with a Windows drive or share. It is no absolute path on other systems."""
    return _OF_WINDOWS.match(str(path)) is not None


def as_written(path: str | Path) -> PurePath:
    """Return the path in the notation of its own system."""
    return PureWindowsPath(str(path)) if is_of_windows(path) else PurePath(path)


def lies_in(path: str | Path, folder: str | Path) -> bool:
    """Return True if the path is the folder or below it. Always False for paths of two systems."""
    return is_of_windows(path) == is_of_windows(folder) and as_written(path).is_relative_to(
        as_written(folder)
    )


def moved(path: str, old: Path, new: Path) -> Path | None:
    """Return the new path after folder ``old`` became ``new``. None for a path outside ``old``."""
    if not lies_in(path, old):
        return None
    return new.joinpath(*as_written(path).relative_to(as_written(old)).parts)
