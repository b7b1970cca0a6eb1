"""Read, hash and decode one photo file.

Errors with the photo are part of the result, not exceptions.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import ImageError, LargeImageError
from twobranch.embedding.decode_limit import Patience
from twobranch.embedding.preprocess import MAX_PIXELS, View, decoding_bytes, load_views
from twobranch.indexer.disk.availability import can_be_listed, leads_anywhere
from twobranch.indexer.disk.exif import PhotoFacts, read_facts
from twobranch.indexer.disk.keywords import read_keywords
from twobranch.indexer.disk.memory import Memory
from twobranch.indexer.disk.open import MAX_BYTES, identity_of, open_file
from twobranch.indexer.disk.walk import FoundFile

# The time limit for a photo of at most the default number of pixels. A photo of 128 megapixels takes 5 s on
# one desktop machine; a file that takes more than this limit was built to.
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)  # there may be a million
class Job:
    """A photo file to read. ``scanned`` is True if this run found the file; else it may be out of reach."""

    root_id: int
    root: Path
    file: FoundFile
    image_id: int | None = None  # None for a file that is not in the catalogue
    known_hash: bytes | None = None  # of content whose vector is already in the catalogue
    scanned: bool = True
    lacks_regions: bool = False  # content with a vector, but without those of its windows: decode it

    @property
    def path(self) -> Path:
        """The absolute path."""
        return self.root / self.file.path


@dataclass(frozen=True)
class Decoded:
    """The pixels and facts of a decoded photo."""

    pixels: NDArray[np.uint8]  # (V, S, S, 3)
    width: int
    height: int
    facts: PhotoFacts
    keywords: str | None  # with title and description, a line each


@dataclass(frozen=True)
class Read:
    """The result of reading a file.

    It is decoded, failed with a reason, or not decoded because its content is known.
    """

    job: Job
    digest: bytes | None = None
    decoded: Decoded | None = None
    failure: str | None = None
    unreachable: bool = False
    identity: str | None = None  # of the file that was read; None if nothing was read


def read_photo(
    job: Job,
    size: int,
    views: Sequence[View],
    known: Container[bytes],
    memory: Memory,
    max_pixels: int = MAX_PIXELS,
) -> Read:
    """Read the photo of ``job``, and decode it unless already known.

    Its content is known if it is one of ``known``. Waits until ``memory`` has room for the photo. A photo of
    more than ``max_pixels`` is refused. Safe to call from many threads.
    """
    try:
        with open_file(job.path) as file:
            # Header and content come from one open file, even if the name leads to another one meanwhile.
            before = os.fstat(file.fileno())
            if before.st_size > MAX_BYTES:
                return Read(job, failure=f"larger than {MAX_BYTES >> 30} GB")
            with memory.room_for(before.st_size):  # for some formats, reading the header reads the whole file
                needed = before.st_size + decoding_bytes(file, job.path, size, views, max_pixels)
            with memory.room_for(needed):
                file.seek(0)
                data = _read(file, before.st_size)
                after = os.fstat(file.fileno())
                if data is None or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                    return Read(job, failure="changed while it was read; run `index` again")
                identity = identity_of(before, job.path.is_symlink())
                return replace(_decode(job, data, size, views, known, max_pixels), identity=identity)
    except ImageError as error:
        away = not job.scanned or (job.known_hash is not None and not leads_anywhere(job.path))
        return Read(job, failure=error.reason, unreachable=away)
    except MemoryError:
        return Read(job, failure="not enough memory to read it")
    except OSError as error:
        # A photo of another root may be on a drive that is not mounted. One that disappeared since the scan,
        # alone or with its drive, is left to the next run.
        if not job.scanned or isinstance(error, FileNotFoundError) or not can_be_listed(job.root):
            return Read(job, unreachable=True)
        return Read(job, failure=(error.strerror or str(error)).lower())


def _read(file: BinaryIO, size: int) -> bytes | None:
    """Read exactly ``size`` bytes from here to the end. Returns None when there are more or fewer."""
    blocks = []
    left = size + 1
    while left > 0 and (block := file.read(left)):
        blocks.append(block)
        left -= len(block)
    return b"".join(blocks) if left == 1 else None


def _decode(
    job: Job, data: bytes, size: int, views: Sequence[View], known: Container[bytes], max_pixels: int
) -> Read:
    digest = hashlib.sha256(data).digest()
    if not job.lacks_regions and (digest == job.known_hash or digest in known):
        return Read(job, digest)
    try:
        patience = Patience(_SECONDS * max(1.0, max_pixels / MAX_PIXELS))
        photo = load_views(data, size, views, name=job.path, max_pixels=max_pixels, patience=patience)
        facts, keywords = read_facts(photo.exif), read_keywords(data, photo.exif)
    except LargeImageError as error:
        advice = f"`index --max-megapixels {-(-error.pixels // 1_000_000)}` takes it"
        return Read(job, digest, failure=f"{error.reason}; {advice}")
    except ImageError as error:
        return Read(job, digest, failure=error.reason)
    # No other exception is known, but one bad photo must not end a run.
    except Exception as error:
        return Read(job, digest, failure=f"damaged ({type(error).__name__}: {error})")
    return Read(job, digest, Decoded(photo.pixels, photo.width, photo.height, facts, keywords))
