"""One photo file, read, hashed and decoded; what is wrong with it is part of the answer, not an exception."""

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

# For one photo that is no larger than usual. One of 128 megapixels takes 5 on the machine where this was
# written; what takes more was made to.
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)  # there may be a million
class Job:
    """A photo file to read. ``scanned``: this run found it there; else it may be out of reach."""

    root_id: int
    root: Path
    file: FoundFile
    image_id: int | None = None  # None for a file that is not in the catalogue
    known_hash: bytes | None = None  # of the content whose vector the catalogue has already
    scanned: bool = True

    @property
    def path(self) -> Path:
        """The absolute path."""
        return self.root / self.file.path


@dataclass(frozen=True)
class Decoded:
    """What was found in a photo file."""

    pixels: NDArray[np.uint8]  # (V, S, S, 3)
    width: int
    height: int
    facts: PhotoFacts
    keywords: str | None  # and title and description, a line each


@dataclass(frozen=True)
class Read:
    """A file that was read: decoded, or with the reason why not, or not decoded because it is known."""

    job: Job
    digest: bytes | None = None
    decoded: Decoded | None = None
    failure: str | None = None
    unreachable: bool = False
    identity: str | None = None  # of the file that it was; None where nothing was read


def read_photo(
    job: Job,
    size: int,
    views: Sequence[View],
    known: Container[bytes],
    memory: Memory,
    max_pixels: int = MAX_PIXELS,
) -> Read:
    """The photo of ``job``, unless its content is one of ``known``; waits until ``memory`` has room for it.

    A photo of more than ``max_pixels`` is refused. Safe to be called from many threads.
    """
    try:
        with open_file(job.path) as file:
            # Header and content come from one open file, whatever the name stands for by then.
            before = os.fstat(file.fileno())
            if before.st_size > MAX_BYTES:
                return Read(job, failure=f"larger than {MAX_BYTES >> 30} GB")
            with memory.room_for(before.st_size):  # for the header alone, of some kinds all is read
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
        # A photo of another root may lie on a drive that is not mounted; one that was there a moment
        # ago and is gone now, alone or with its drive, is for the next run.
        if not job.scanned or isinstance(error, FileNotFoundError) or not can_be_listed(job.root):
            return Read(job, unreachable=True)
        return Read(job, failure=(error.strerror or str(error)).lower())


def _read(file: BinaryIO, size: int) -> bytes | None:
    """The ``size`` bytes that the file has from here on; None when it has more or fewer."""
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
    if digest == job.known_hash or digest in known:
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
    # None of them raises anything else, as far as anybody knows; one bad photo must not end a run.
    except Exception as error:
        return Read(job, digest, failure=f"damaged ({type(error).__name__}: {error})")
    return Read(job, digest, Decoded(photo.pixels, photo.width, photo.height, facts, keywords))
