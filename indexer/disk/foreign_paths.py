"""Paths that another system wrote into the catalogue: a library comes from Windows with ``C:\\Photos``."""

from __future__ import annotations

import re
from pathlib import Path, PurePath, PureWindowsPath

_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


def is_of_windows(path: str | Path) -> bool:
    """Whether it begins with a drive or a share, and so is no absolute path anywhere else."""
    return _OF_WINDOWS.match(str(path)) is not None


def as_written(path: str | Path) -> PurePath:
    """The path in the notation of the system that it is a path of."""
    return PureWindowsPath(str(path)) if is_of_windows(path) else PurePath(path)


def lies_in(path: str | Path, folder: str | Path) -> bool:
    """Whether the path is the folder or below it; paths of two systems never are."""
    return is_of_windows(path) == is_of_windows(folder) and as_written(path).is_relative_to(
        as_written(folder)
    )


def moved(path: str, old: Path, new: Path) -> Path | None:
    """Where a path is when ``old`` has become ``new``; None for one that does not lie in ``old``."""
    if not lies_in(path, old):
        return None
    return new.joinpath(*as_written(path).relative_to(as_written(old)).parts)
