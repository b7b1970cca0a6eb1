"""Photos handed on to others: copied into a folder, or opened in the platform's viewer."""

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

MOST_OPENED = 10  # each may be a window
_PATIENCE = 2.0  # seconds for a viewer to fail; one that is still running then is showing its photo


@dataclass(frozen=True)
class Copies:
    """What became of the photos of some hits."""

    copied: tuple[Path, ...]  # the new files
    there: tuple[Path, ...]  # files of an earlier run with the same content
    failed: tuple[str, ...]  # a line for each photo that was not copied: which, and why


def hit_photos(hits: Sequence[Hit]) -> dict[Path, int]:
    """Each photo of the hits once, with the rank that it is first found at."""
    photos: dict[Path, int] = {}
    for hit in hits:
        if hit.path is not None:
            photos.setdefault(hit.path, hit.rank)
    return photos


def copy_photos(hits: Sequence[Hit], folder: Path) -> Copies:
    """Copy the photos into ``folder``, made where it is missing, as ``001-name.jpg``: the rank, so they sort.

    No file is ever overwritten: one with the same content is left, beside another the copy is
    ``001-name-2.jpg``. Times are kept. What took a photo's place since it was indexed is not copied. Raises
    ``OSError`` when the folder cannot be made.
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
    """Where the photo's content is now, and whether that is a new file."""
    with open_file(photo) as source:
        digest, status = digest_of(source), os.fstat(source.fileno())
        if content is not None and content_name(digest) != content:
            raise ImageError(photo, CHANGED)
        for target in _free_names(wanted):
            try:
                copy = target.open("xb")  # fails where anything has this name, even one made just now
            except FileExistsError:
                if _has_content(target, digest):
                    return target, False
                continue
            try:
                with copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
            except BaseException:  # a full disk, or Ctrl-C: half a photo is none
                target.unlink(missing_ok=True)
                raise
            with suppress(OSError):  # not every file system keeps times
                os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
            return target, True
    raise AssertionError("names never run out")


def _has_content(path: Path, digest: bytes) -> bool:
    """Whether there is a file with this sha256."""
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
    """The command that opens a file in the platform's viewer. Raises ``UserError`` where there is none."""
    if sys.platform == "win32":
        return "start"  # which is Windows itself
    name = "open" if sys.platform == "darwin" else "xdg-open"
    viewer = shutil.which(name)
    if viewer is None:
        raise UserError(
            f"no viewer: there is no {name} here; install it (package xdg-utils), or make a page of the hits "
            "with --html hits.html"
        )
    return viewer


def open_photos(photos: Sequence[Path]) -> None:
    """Open the photos in the platform's viewer, without waiting until somebody has looked at them.

    Raises ``UserError`` where there is no viewer, or naming the first photo that it refused.
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
            start_new_session=True,  # Ctrl-C in the terminal is not for the viewer
        )
        for photo in photos
    ]
    deadline = time.monotonic() + _PATIENCE
    for photo, process in zip(photos, running, strict=True):
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(max(0.0, deadline - time.monotonic()))
            if code != 0:
                raise UserError(f"{photo}: {Path(viewer).name} could not open it (exit code {code})")
