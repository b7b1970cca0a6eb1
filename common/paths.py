"""Paths as typed by users, and the cache folder."""

from __future__ import annotations

import os
from pathlib import Path

LIBRARY = ".twobranch"  # the name of a library's folder


def expanded(path: Path | str) -> Path:
    """Return the path with a leading ``~`` or ``~name`` expanded.

    A name of no user is left as it is, as a shell does; ``Path.expanduser`` would raise.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_file(path: Path) -> bool:
    """Return True for a file.

    Returns False, rather than raising ``OSError``, for a text that is too long for a file name.
    """
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Return True for a folder.

    Returns False, rather than raising ``OSError``, for a text that is too long for a file name.
    """
    try:
        return path.is_dir()
    except OSError:
        return False


def is_ours(path: Path) -> bool:
    """Return True if the current user owns the file or folder. Under sudo, the calling user counts too."""
    if not hasattr(os, "geteuid"):  # on Windows the owner does not decide who may write
        return True
    ours = {os.geteuid()}
    caller = os.environ.get("SUDO_UID", "")
    if os.geteuid() == 0 and caller.isdecimal():
        ours.add(int(caller))
    try:
        return path.stat().st_uid in ours
    except (OSError, ValueError):  # the latter for a NUL in it
        return False


def cache_folder(name: str) -> Path:
    """Return our named folder in the platform's cache folder. It is safe to delete at any time."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("twobranch", appauthor=False)) / name


def keep_matplotlib_in_cache() -> None:
    """Make matplotlib write into our cache folder only.

    This has no effect once matplotlib is imported. By default it creates ``~/.config/matplotlib`` and
    ``~/.cache/matplotlib`` for a list of fonts. A value that the user has set is kept.
    """
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder("matplotlib")))


def data_folder(name: str) -> Path:
    """Return our named folder in the platform's folder for data. It has only what the user asked for."""
    import platformdirs

    return Path(platformdirs.user_data_dir("twobranch", appauthor=False)) / name
