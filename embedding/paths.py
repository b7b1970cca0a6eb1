"""Paths as people type them."""

from __future__ import annotations

from pathlib import Path


def expanded(path: Path | str) -> Path:
    """The path with ``~`` or ``~name`` at its start replaced by that home folder.

    Where nobody has that name it stays as it is, as a shell leaves it: ``Path.expanduser`` raises.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_file(path: Path) -> bool:
    """True for a file; False, not an ``OSError``, for a sentence that is too long for a file name."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """True for a folder; False, not an ``OSError``, for a sentence that is too long for a file name."""
    try:
        return path.is_dir()
    except OSError:
        return False
