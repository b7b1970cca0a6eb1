"""Photo files of the library, if they hold what was indexed."""

from __future__ import annotations

from twobranch.indexer.catalog.photo_facts import photo_file
from twobranch.indexer.catalog.photo_file import PhotoFile, ProvenFiles, open_original
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.server.errors import not_found


def find_file(reader: CatalogReader, photo: int) -> PhotoFile:
    """Return the file of a photo by its id. Raises ``Refused``."""
    file = photo_file(reader, photo)
    if file is None:
        raise not_found(f"photo {photo}")
    return file


def check_indexed(file: PhotoFile, proven: ProvenFiles) -> None:
    """Raise ``ImageError`` unless the file holds the indexed content."""
    open_original(file, proven).file.close()
