"""One photo file, read, hashed and decoded; what is wrong with it is part of the answer, not an exception."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedding.errors import ImageError
from embedding.preprocess import View, decoding_bytes, load_views
from indexer.exif import PhotoFacts, read_facts
from indexer.keywords import read_keywords
from indexer.memory import Memory
from indexer.scan import FoundFile, can_be_listed

# As large as the largest photo that `load_photo` takes, uncompressed with 16 bits a channel.
_MAX_BYTES = 1 << 30


@dataclass(frozen=True)
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


def read_photo(job: Job, size: int, views: Sequence[View], known: Container[bytes], memory: Memory) -> Read:
    """The photo of ``job``, unless its content is one of ``known``; waits until ``memory`` has room for it.

    Safe to be called from many threads.
    """
    if job.file.size > _MAX_BYTES:
        return Read(job, failure=f"larger than {_MAX_BYTES >> 30} GB")
    with memory.room_for(job.file.size + decoding_bytes(job.path, size, views)):
        try:
            data = job.path.read_bytes()
        except OSError as error:
            # A photo of another root may lie on a drive that is not mounted; one that was there a moment
            # ago and is gone now, alone or with its drive, is for the next run.
            if not job.scanned or isinstance(error, FileNotFoundError) or not can_be_listed(job.root):
                return Read(job, unreachable=True)
            return Read(job, failure=(error.strerror or str(error)).lower())
        digest = hashlib.sha256(data).digest()
        if digest == job.known_hash or digest in known:
            return Read(job, digest)
        try:
            photo = load_views(data, size, views, name=job.path)
            facts, keywords = read_facts(photo.exif), read_keywords(data, photo.exif)
        except ImageError as error:
            return Read(job, digest, failure=error.reason)
        # Image libraries raise what they like on damaged files; one bad photo must not end a run.
        except Exception as error:
            return Read(job, digest, failure=f"damaged ({type(error).__name__}: {error})")
    return Read(job, digest, Decoded(photo.pixels, photo.width, photo.height, facts, keywords))
