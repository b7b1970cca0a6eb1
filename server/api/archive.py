"""Photos as one ZIP file, written while it is sent.

Photos are compressed already, so they are stored as they are. Memory holds one piece of one photo and the
names of all. Archives and photos of more than 4 GB are written as ZIP64.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from twobranch.common.errors import ImageError
from twobranch.indexer.catalog.photo_file import OpenedFile, PhotoFile, ProvenFiles, open_original
from twobranch.indexer.disk.names import folded

_PIECE = 1 << 18  # bytes
_LEFT_OUT = "left-out.txt"
_EARLIEST, _LATEST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)  # that a ZIP file can hold
_REPLACED = str.maketrans(dict.fromkeys('/\\:*?"<>|', "_"))  # in names that some system would refuse


class _Pieces:
    """The end of a pipe that ``ZipFile`` writes to. It cannot seek, so sizes follow the photos."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def take(self) -> bytes:
        """Return what was written since the last call."""
        taken = bytes(self._written)
        self._written.clear()
        return taken


def zip_pieces(photos: Sequence[PhotoFile], proven: ProvenFiles) -> Generator[bytes, None, None]:
    """Yield the pieces of a ZIP file with the photos.

    They stay in order, and those of the same name get a number. A photo whose file does not hold what was
    indexed is left out; a text file at the end names it with the reason.
    """
    pieces = _Pieces()
    names = _Names()
    left_out: list[str] = []
    with ZipFile(pieces, "w", ZIP_STORED) as archive:
        for photo in photos:
            try:
                opened = open_original(photo, proven)
            except ImageError as error:
                left_out.append(f"{photo.path}: {error.reason}")
                continue
            with opened.file:
                try:
                    for _ in _write(archive, names.free(photo.path.name), opened):
                        yield pieces.take()
                except OSError as error:
                    left_out.append(f"{photo.path}: cut short ({(error.strerror or str(error)).lower()})")
            yield pieces.take()
        if left_out:
            text = "".join(f"{line}\n" for line in left_out).encode("utf-8", "replace")
            archive.writestr(ZipInfo(names.free(_LEFT_OUT), time.localtime()[:6]), text)
    yield pieces.take()


def _write(archive: ZipFile, name: str, opened: OpenedFile) -> Iterator[None]:
    """Write a photo, a piece at a time."""
    entry = ZipInfo(name, _zip_time(opened.mtime_ns))
    entry.file_size = opened.size
    entry.external_attr = 0o644 << 16
    left = opened.size  # a file that grows meanwhile ends where it was to end
    with archive.open(entry, "w") as target:
        while left and (piece := opened.file.read(min(_PIECE, left))):
            target.write(piece)
            left -= len(piece)
            yield
    if left:
        raise OSError("the file became shorter")


def _zip_time(mtime_ns: int) -> tuple[int, int, int, int, int, int]:
    local = time.localtime(mtime_ns // 1_000_000_000)[:6]
    return min(max(local, _EARLIEST), _LATEST)


class _Names:
    """Unique names for the files of an archive, without regard to case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, name: str) -> str:
        """Return the name, with a number if it is taken."""
        whole = name.encode("utf-8", "replace").decode().translate(_REPLACED)
        whole = "".join(letter if letter.isprintable() else "_" for letter in whole)
        stem, dot, suffix = whole.rpartition(".")
        number, free = 1, whole
        while folded(free) in self._taken:
            number += 1
            free = f"{stem} ({number}){dot}{suffix}"
        self._taken.add(folded(free))
        return free
