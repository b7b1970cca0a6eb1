"""Paths relative to a root, as the catalogue keeps them: "/" between the parts, "" for the root itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path


def relative_to_root(path: Path, root: Path) -> str:
    """The path relative to the root. Raises ``ValueError`` for one outside of it."""
    return "" if path == root else path.relative_to(root).as_posix()


def covers(folder: str, path: str) -> bool:
    """True where the path is the folder itself or lies below it."""
    return folder in ("", path) or path.startswith(f"{folder}/")


def is_below(path: str, folder: str) -> bool:
    """True where the path lies below the folder and is not the folder itself."""
    return path != folder and covers(folder, path)


def folders_above(path: str) -> Iterator[str]:
    """The folders that hold a path, the nearest first; the last one is ""."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def steps_to(path: str, folder: str) -> list[str]:
    """The paths on the way down from the folder, which is left out, to the path, which is the last."""
    return [step for step in accumulate(path.split("/"), "{}/{}".format) if len(step) > len(folder)]


def parts_below(path: str, folder: str) -> list[str]:
    """The names on the way down from the folder to a path in it; none for the folder itself."""
    below = path[len(folder) :].lstrip("/")
    return below.split("/") if below else []
