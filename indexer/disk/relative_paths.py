"""Paths relative to a root, as the catalogue stores them.

Parts are separated by "/"; the root itself is "".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path


def relative_to_root(path: Path, root: Path) -> str:
    """Return the path relative to the root. Raises ``ValueError`` for a path outside it."""
    return "" if path == root else path.relative_to(root).as_posix()


def covers(folder: str, path: str) -> bool:
    """Return True if the path is the folder or lies below it."""
    return folder in ("", path) or path.startswith(f"{folder}/")


def is_below(path: str, folder: str) -> bool:
    """Return True if the path lies below the folder. The folder itself does not."""
    return path != folder and covers(folder, path)


def folders_above(path: str) -> Iterator[str]:
    """Yield the folders above a path, nearest first. The last one is ""."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def steps_to(path: str, folder: str) -> list[str]:
    """Return the paths from below the folder down to the path.

    The folder is left out; the path is the last.
    """
    return [step for step in accumulate(path.split("/"), "{}/{}".format) if len(step) > len(folder)]


def parts_below(path: str, folder: str) -> list[str]:
    """Return the names on the way from the folder to the path. The list is empty for the folder itself."""
    below = path[len(folder) :].lstrip("/")
    return below.split("/") if below else []
