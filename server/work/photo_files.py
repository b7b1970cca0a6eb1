"""Photo files of the library, if they hold what was indexed."""

from __future__ import annotations

from twobranch.common.errors import ImageError
from twobranch.indexer.catalog.photo_facts import photo_file
from twobranch.indexer.catalog.photo_file import PhotoFile, ProvenFiles, open_original
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.server.errors import not_found

MAX_BYTES = 1 << 30  # of a file; `index` reads no larger ones


def find_file(reader: CatalogReader, photo: int) -> PhotoFile:
    """Return the file of a photo by its id. Raises ``Refused``."""
    file = photo_file(reader, photo)
    if file is None:
        raise not_found(f"photo {photo}")
    return file


def check_indexed(file: PhotoFile, proven: ProvenFiles) -> None:
    """Raise ``ImageError`` unless the file holds the indexed content."""
    open_original(file, proven).file.close()


def read_indexed(file: PhotoFile, proven: ProvenFiles) -> bytes:
    """Read a file that holds the indexed content. Raises ``ImageError``."""
    opened = open_original(file, proven)
    with opened.file as stream:
        if opened.size > MAX_BYTES:
            raise ImageError(file.path, f"larger than {MAX_BYTES >> 30} GB")
        return stream.read(MAX_BYTES)
