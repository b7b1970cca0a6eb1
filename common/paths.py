"""Paths as people type them, and the cache folder."""

from __future__ import annotations

import os
from pathlib import Path

LIBRARY = ".twobranch"  # the name of a library's folder


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


def is_ours(path: Path) -> bool:
    """True for a file or folder of the user who runs the command; with sudo, of who called it."""
    if not hasattr(os, "geteuid"):  # Windows, where no owner says who may write
        return True
    ours = {os.geteuid()}
    caller = os.environ.get("SUDO_UID", "")
    if os.geteuid() == 0 and caller.isdecimal():
        ours.add(int(caller))
    try:
        return path.stat().st_uid in ours
    except OSError:
        return False


def cache_folder(name: str) -> Path:
    """Our folder of this name in the platform's cache folder, safe to delete at any time."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("twobranch", appauthor=False)) / name


def keep_matplotlib_in_cache() -> None:
    """Have matplotlib, if it is not imported yet, write into our cache folder alone.

    Left alone it makes ``~/.config/matplotlib`` and ``~/.cache/matplotlib``, for a list of fonts. A value of
    the user's own is left as it is.
    """
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder("matplotlib")))
