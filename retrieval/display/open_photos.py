"""Copying and opening the photos of hits.

Photos are copied into a folder, or opened in the platform's viewer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twobranch.common.errors import ImageError, UserError
from twobranch.indexer.disk.open import CHANGED, content_name, digest_of, open_file

if TYPE_CHECKING:
    from twobranch.retrieval.hits import Hit

MOST_OPENED = 10  # photos; each may open a window
_PATIENCE = 2.0  # seconds in which a viewer may fail; after that it counts as showing its photo


@dataclass(frozen=True)
class Copies:
    """The result of copying photos."""

    copied: tuple[Path, ...]  # the new files
    there: tuple[Path, ...]  # existing files with the same content
    failed: tuple[str, ...]  # a line with path and reason for each photo that was not copied


def hit_photos(hits: Sequence[Hit]) -> dict[Path, int]:
    """Map each photo of the hits to its first rank."""
    photos: dict[Path, int] = {}
    for hit in hits:
        if hit.path is not None:
            photos.setdefault(hit.path, hit.rank)
    return photos


def copy_photos(hits: Sequence[Hit], folder: Path) -> Copies:
    """Copy the photos into ``folder``, which is created if missing.

    Copies are named ``001-name.jpg``, with the rank first, so that they sort by rank. No file is ever
    overwritten: a file with the same content is left as it is; if the name is taken by another file, the copy
    is named ``001-name-2.jpg``. Modification times are kept. A file that has replaced a photo since it was
    indexed is not copied. Raises ``OSError`` when the folder cannot be created.
    """
    folder.mkdir(parents=True, exist_ok=True)
    photos = hit_photos(hits)
    contents = {hit.path: hit.content for hit in hits}
    digits = max(3, len(str(max(photos.values(), default=0))))
    copied: list[Path] = []
    there: list[Path] = []
    failed: list[str] = []
    for photo, rank in photos.items():
        try:
            target, new = _copy(photo, contents[photo], folder / f"{rank:0{digits}}-{photo.name}")
            (copied if new else there).append(target)
        except OSError as error:
            failed.append(f"{photo}: not copied ({error.strerror or error})")
        except ImageError as error:
            failed.append(f"{photo}: not copied ({error.reason})")
    return Copies(tuple(copied), tuple(there), tuple(failed))


def _copy(photo: Path, content: str | None, wanted: Path) -> tuple[Path, bool]:
    """Copy one photo; return its copy, and True for a new file."""
    with open_file(photo) as source:
        digest, status = digest_of(source), os.fstat(source.fileno())
        if content is not None and content_name(digest) != content:
            raise ImageError(photo, CHANGED)
        for target in _free_names(wanted):
            try:
                copy = target.open("xb")  # fails if the name is taken, even by a file created just now
            except FileExistsError:
                if _has_content(target, digest):
                    return target, False
                continue
            try:
                with copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
            except BaseException:  # a full disk, or Ctrl-C: remove the incomplete copy
                target.unlink(missing_ok=True)
                raise
            with suppress(OSError):  # not every file system keeps times
                os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
            return target, True
    raise AssertionError("names never run out")


def _has_content(path: Path, digest: bytes) -> bool:
    """True if ``path`` is a file with this SHA-256."""
    try:
        with open_file(path) as file:
            return digest_of(file) == digest
    except (OSError, ImageError):
        return False


def _free_names(wanted: Path) -> Iterator[Path]:
    yield wanted
    number = 2
    while True:
        yield wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        number += 1


def find_viewer() -> str:
    """Find the command that opens a file in the platform's viewer.

    Raises ``UserError`` if there is none.
    """
    if sys.platform == "win32":
        return "start"  # Windows opens files itself
    name = "open" if sys.platform == "darwin" else "xdg-open"
    viewer = shutil.which(name)
    if viewer is None:
        raise UserError(
            f"no viewer: {name} is not installed; install it (package xdg-utils), or write the hits to a "
            "page with --html hits.html"
        )
    return viewer


def open_photos(photos: Sequence[Path]) -> None:
    """Open the photos in the platform's viewer.

    This does not wait for the viewer to close. Raises ``UserError`` if there is no viewer, or with the name
    of the first photo that the viewer could not open.
    """
    if sys.platform == "win32":
        for photo in photos:
            os.startfile(photo)
        return
    viewer = find_viewer()
    running = [
        subprocess.Popen(
            [viewer, photo],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal must not end the viewer
        )
        for photo in photos
    ]
    deadline = time.monotonic() + _PATIENCE
    for photo, process in zip(photos, running, strict=True):
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(max(0.0, deadline - time.monotonic()))
            if code != 0:
                raise UserError(f"{photo}: {Path(viewer).name} could not open it (exit code {code})")
