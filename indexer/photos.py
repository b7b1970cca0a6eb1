"""Photo files to catalogue rows with vectors: read and decoded ahead in threads, encoded in batches.

Every batch is one transaction that holds rows and vectors alike, so a run may stop anywhere.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Container, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from embedding.errors import ImageError
from embedding.preprocess import View, load_views
from indexer.catalog import Image, ImageVector, Root, image_file, utcnow
from indexer.exif import PhotoFacts, read_facts
from indexer.run import Failure, Run, as_blobs
from indexer.scan import FoundFile, is_there

# As large as the largest photo that `load_photo` takes, uncompressed with 16 bits a channel.
_MAX_BYTES = 1 << 30
_READERS = min(8, os.cpu_count() or 1)  # each may hold one decoded photo, up to 0.4 GB
_IDS_A_STATEMENT = 500
_MAX_TWINS = 64  # a blank page may have been scanned ten thousand times; a few will do


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
class _Decoded:
    pixels: NDArray[np.uint8]  # (V, S, S, 3)
    width: int
    height: int
    facts: PhotoFacts


@dataclass(frozen=True)
class _Read:
    """A file that was read: decoded, or with the reason why not, or not decoded because it is known."""

    job: Job
    digest: bytes | None = None
    decoded: _Decoded | None = None
    failure: str | None = None
    unreachable: bool = False


def index_photos(run: Run, jobs: Sequence[Job], gone: set[int]) -> None:
    """Stores the photos of ``jobs`` with their vectors, and takes from ``gone`` the ids that only moved."""
    if not jobs:
        return
    started = time.monotonic()
    encoder = run.encoder
    read = partial(_read, size=encoder.image_size, views=encoder.views, known=_known_hashes(run, gone))
    with run.showing("photos", len(jobs)), closing(_read_ahead(read, jobs, 2 * run.batch_size)) as results:
        while batch := list(islice(results, run.batch_size)):
            _store(run, batch, gone)
            run.progress.advance(len(batch))
    run.tally.encoding_seconds += time.monotonic() - started


def remove_photos(run: Run, gone: Collection[int]) -> None:
    """Deletes the rows and vectors of photos that are no longer there; their captions stay."""
    ids = sorted(gone)
    with run.catalog.session(write=True) as session:
        for start in range(0, len(ids), _IDS_A_STATEMENT):
            session.execute(delete(Image).where(Image.id.in_(ids[start : start + _IDS_A_STATEMENT])))
    run.tally.removed += len(ids)


# --- reading ----------------------------------------------------------------------------------------


def _read_ahead(read: Callable[[Job], _Read], jobs: Sequence[Job], ahead: int) -> Generator[_Read]:
    """The jobs read in threads, in their order; at most ``ahead`` are read before they are asked for."""
    pending: deque[Future[_Read]] = deque()
    pool = ThreadPoolExecutor(_READERS, thread_name_prefix="read")
    try:
        for job in jobs:
            pending.append(pool.submit(read, job))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _read(job: Job, size: int, views: Sequence[View], known: Container[bytes]) -> _Read:
    try:
        if job.file.size > _MAX_BYTES:
            return _Read(job, failure=f"larger than {_MAX_BYTES >> 30} GB")
        data = job.path.read_bytes()
    except OSError as error:
        # A photo of another root may lie on a drive that is not mounted; one that was there a moment
        # ago and is gone now is for the next run.
        if not job.scanned or isinstance(error, FileNotFoundError):
            return _Read(job, unreachable=True)
        return _Read(job, failure=(error.strerror or str(error)).lower())
    digest = hashlib.sha256(data).digest()
    if digest == job.known_hash or digest in known:
        return _Read(job, digest)
    try:
        photo = load_views(data, size, views, name=job.path)
        return _Read(job, digest, _Decoded(photo.pixels, photo.width, photo.height, read_facts(photo.exif)))
    except ImageError as error:
        return _Read(job, digest, failure=error.reason)
    # Image libraries raise what they like on damaged files; one bad photo must not end a run.
    except Exception as error:
        return _Read(job, digest, failure=f"damaged ({type(error).__name__}: {error})")


def _known_hashes(run: Run, gone: Collection[int]) -> set[bytes]:
    """The contents of photos that are not where they were; wherever they turn up, their vectors are known."""
    query = (
        select(Image.id, Image.root_id, Image.content_hash)
        .join(ImageVector, ImageVector.image_id == Image.id)
        .where(ImageVector.model_id == run.model_id, Image.content_hash.is_not(None))
    )
    with run.catalog.session() as session:
        roots = session.scalars(select(Root)).all()
        vanished = {root.id for root in roots if not Path(root.path).exists()}
        if not gone and not vanished:
            return set()
        rows = session.execute(query)
        return {row.content_hash for row in rows if row.id in gone or row.root_id in vanished}


# --- storing ----------------------------------------------------------------------------------------


def _store(run: Run, batch: Sequence[_Read], gone: set[int]) -> None:
    """Encodes what has no vector yet, and commits the batch."""
    twins = _twins(run, batch)
    vectors = {digest: images[0].vector for digest, images in twins.items()}
    vectors |= _encode(run, batch, known=vectors)
    with run.catalog.session(write=True) as session:
        jobs = {read.job.image_id for read in batch if read.job.image_id is not None}
        known = jobs | {twin.image_id for same in twins.values() for twin in same}
        writer = _BatchWriter(run, session, gone, known)
        for read in batch:
            if read.unreachable:
                run.tally.unreachable += 1
            elif read.failure is not None:
                writer.store_failure(read, read.failure)
            elif read.digest is not None:
                writer.store_photo(
                    read, vectors[read.digest], [twin.image_id for twin in twins.get(read.digest, [])]
                )
        writer.store_vectors()


@dataclass(frozen=True)
class _Twin:
    """A photo of the catalogue with the same content, and its vector."""

    image_id: int
    vector: bytes


def _twins(run: Run, batch: Sequence[_Read]) -> dict[bytes, list[_Twin]]:
    """For each content of the batch that the catalogue knows, some photos that have it."""
    digests = {read.digest for read in batch if read.digest is not None and read.failure is None}
    known = select(Image.content_hash).where(Image.content_hash.in_(digests)).distinct()
    query = (
        select(Image.id, ImageVector.vector)
        .join(ImageVector, ImageVector.image_id == Image.id)
        .where(ImageVector.model_id == run.model_id)
        .order_by(Image.id)
        .limit(_MAX_TWINS)
    )
    twins: dict[bytes, list[_Twin]] = {}
    with run.catalog.session() as session:
        for digest in session.scalars(known).all():
            rows = session.execute(query.where(Image.content_hash == digest)).all()
            if digest is not None and rows:
                twins[digest] = [_Twin(row.id, row.vector) for row in rows]
    return twins


def _encode(run: Run, batch: Sequence[_Read], known: Container[bytes]) -> dict[bytes, bytes]:
    """The vectors of the contents that the catalogue has none for."""
    pixels = {
        read.digest: read.decoded.pixels
        for read in batch
        if read.digest is not None and read.decoded is not None and read.digest not in known
    }
    if not pixels:
        return {}
    vectors = run.encoder.encode_views(np.stack(list(pixels.values())))
    run.tally.encoded += len(pixels)
    return dict(zip(pixels, as_blobs(vectors), strict=True))


class _BatchWriter:
    """Writes the rows of one batch in one transaction; their vectors come last, when the rows have ids."""

    def __init__(self, run: Run, session: Session, gone: set[int], known: Collection[int]) -> None:
        self._run = run
        self._session = session
        self._gone = gone
        self._roots = {root.id: root for root in session.scalars(select(Root))}
        self._images = {
            image.id: image for image in session.scalars(select(Image).where(Image.id.in_(known)))
        }
        self._outdated: list[Image] = []
        self._new: list[tuple[Image, bytes]] = []

    def store_photo(self, read: _Read, vector: bytes, twins: Sequence[int]) -> None:
        """Stores a readable photo; ``twins`` are the ids of those whose content and vector are the same."""
        job, tally = read.job, self._run.tally
        if job.image_id is not None:
            image = self._images[job.image_id]
            same = image.failure is None and image.content_hash == read.digest
            if not same:
                tally.updated += 1
            elif job.scanned:
                tally.unchanged += 1  # touched, not changed
        elif (moved := self._moved(twins)) is not None:
            image, same = moved, True
            self._gone.discard(image.id)
            tally.moved += 1
        else:
            image, same = self._add(), False
            tally.added += 1
        self._set_file(image, job)
        if not same:
            self._set_content(image, read, twins)
        if not same or (job.image_id is not None and job.known_hash is None):
            self._new.append((image, vector))

    def store_failure(self, read: _Read, reason: str) -> None:
        """Stores a photo that cannot be read; what was known of its content goes."""
        job = read.job
        image = self._add() if job.image_id is None else self._images[job.image_id]
        self._set_file(image, job)
        image.content_hash, image.failure, image.indexed_at = read.digest, reason, utcnow()
        image.width = image.height = image.taken_at = image.camera = image.latitude = image.longitude = None
        self._outdated.append(image)
        self._run.tally.failed.append(Failure(str(job.path), reason))

    def store_vectors(self) -> None:
        """Replaces the vectors of the photos whose content was set."""
        self._session.flush()
        outdated = [image.id for image in self._outdated]
        self._session.execute(delete(ImageVector).where(ImageVector.image_id.in_(outdated)))
        rows = [
            {"model_id": self._run.model_id, "image_id": image.id, "vector": vector}
            for image, vector in self._new
        ]
        if rows:
            self._session.execute(insert(ImageVector), rows)

    def _add(self) -> Image:
        image = Image()
        self._session.add(image)
        return image

    def _moved(self, twins: Sequence[int]) -> Image | None:
        """The first of these photos whose file is no longer where it was."""
        for image_id in twins:
            image = self._images[image_id]
            if image_id in self._gone or not is_there(image_file(image)):
                return image
        return None

    def _set_file(self, image: Image, job: Job) -> None:
        image.root, image.path = self._roots[job.root_id], job.file.path
        image.size, image.mtime_ns = job.file.size, job.file.mtime_ns

    def _set_content(self, image: Image, read: _Read, twins: Sequence[int]) -> None:
        image.content_hash, image.failure, image.indexed_at = read.digest, None, utcnow()
        if read.decoded is not None:
            facts = read.decoded.facts
            image.width, image.height = read.decoded.width, read.decoded.height
            image.taken_at, image.camera = facts.taken_at, facts.camera
            image.latitude, image.longitude = facts.latitude, facts.longitude
        else:  # not decoded, because a photo with the same content is known
            images = (self._images[image_id] for image_id in twins)
            twin = next(image for image in images if image.content_hash == read.digest)
            image.width, image.height = twin.width, twin.height
            image.taken_at, image.camera = twin.taken_at, twin.camera
            image.latitude, image.longitude = twin.latitude, twin.longitude
        self._outdated.append(image)
