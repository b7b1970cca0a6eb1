"""Storing photos in the catalogue with their vectors.

Threads read and decode photos ahead, and encode them in batches. A batch is one transaction with rows and
vectors, so a run may stop at any time.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from twobranch.indexer.catalog.tables import Image, ImageVector, Root, image_file, utcnow
from twobranch.indexer.disk.availability import is_there
from twobranch.indexer.disk.memory import Memory
from twobranch.indexer.disk.read import Job, Read, read_photo
from twobranch.indexer.update.compare import moved_photo
from twobranch.indexer.update.pipeline import BatchSize, Workers
from twobranch.indexer.update.run import Failure, Run
from twobranch.indexer.vectors.codec import as_blobs

_IDS_A_STATEMENT = 500
_MAX_SAME = 64  # of equal photos read from the catalogue: a blank page may be scanned ten thousand times


def index_photos(run: Run, jobs: Sequence[Job], gone: set[int]) -> None:
    """Store the photos of ``jobs`` with their vectors.

    Photos that moved are removed from ``gone``. While one batch is written, the next is encoded and the one
    after that is read.
    """
    if not jobs:
        return
    started = time.monotonic()
    encoder, effort = run.encoder, run.effort
    read = partial(
        read_photo,
        size=encoder.image_size,
        views=encoder.views,
        known=_known_hashes(run, gone),
        memory=Memory(effort.decoding_bytes),
        max_pixels=effort.max_pixels,
    )
    with (
        run.showing("photos", len(jobs)),
        Workers(effort.workers, BatchSize(effort.batch_sizes)) as workers,
    ):
        results = workers.in_order(read, jobs, ahead=effort.transaction)
        begun: _Batch | None = None
        while reads := list(islice(results, effort.transaction)):
            following = _begin(run, workers, reads, {} if begun is None else begun.encoding)
            if begun is not None:
                _store(run, begun, gone)
            begun = following
        if begun is not None:
            _store(run, begun, gone)
    run.stats.encoding_seconds += time.monotonic() - started


def remove_photos(run: Run, gone: Collection[int]) -> None:
    """Delete the rows and vectors of removed photos. Their captions stay."""
    ids = sorted(gone)
    with run.catalog.session(write=True) as session:
        for start in range(0, len(ids), _IDS_A_STATEMENT):
            session.execute(delete(Image).where(Image.id.in_(ids[start : start + _IDS_A_STATEMENT])))
    run.stats.removed += len(ids)


def _known_hashes(run: Run, gone: Collection[int]) -> set[bytes]:
    """Return the content hashes of missing photos.

    If such a content is found at another path, its vector is already known.
    """
    query = (
        select(Image.id, Image.root_id, Image.content_hash)
        .join(ImageVector, ImageVector.image_id == Image.id)
        .where(ImageVector.model_id == run.model_id, Image.content_hash.is_not(None))
    )
    with run.catalog.session() as session:
        roots = session.scalars(select(Root)).all()
        vanished = {root.id for root in roots if not is_there(Path(root.path))}
        if not gone and not vanished:
            return set()
        rows = session.execute(query)
        return {row.content_hash for row in rows if row.id in gone or row.root_id in vanished}


# --- storing ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Batch:
    """The photos of one transaction, with their vectors by content hash."""

    reads: Sequence[Read]
    known: Mapping[bytes, bytes]  # vectors that the catalogue has
    encoding: Mapping[bytes, Future[NDArray[np.float32]]]  # the others: (D,) each


def _begin(
    run: Run,
    workers: Workers,
    reads: Sequence[Read],
    encoding: Mapping[bytes, Future[NDArray[np.float32]]],
) -> _Batch:
    """Start encoding the photos of a batch.

    Contents that have a vector, or that are already ``encoding``, are skipped.
    """
    known = {digest: same_photos[0].vector for digest, same_photos in _same_content(run, reads).items()}
    pixels = {
        read.digest: read.decoded.pixels
        for read in reads
        if read.digest is not None and read.decoded is not None and read.digest not in known
    }
    new = {digest: photo for digest, photo in pixels.items() if digest not in encoding}
    vectors = workers.encode(run.encoder.encode_views, list(new.values()))
    run.stats.encoded += len(new)
    awaited = {digest: encoding[digest] for digest in pixels if digest not in new}
    return _Batch(reads, known, awaited | dict(zip(new, vectors, strict=True)))


def _store(run: Run, batch: _Batch, gone: set[int]) -> None:
    """Wait until a batch is encoded, and commit it."""
    rows = {digest: vector.result() for digest, vector in batch.encoding.items()}
    same_photos = _same_content(run, batch.reads)
    vectors = dict(batch.known)
    if rows:
        vectors |= zip(rows, as_blobs(np.stack(list(rows.values()))), strict=True)
    with run.catalog.session(write=True) as session:
        jobs = {read.job.image_id for read in batch.reads if read.job.image_id is not None}
        known = jobs | {other.image_id for same in same_photos.values() for other in same}
        writer = _BatchWriter(run, session, gone, known)
        for read in batch.reads:
            if read.unreachable:
                run.stats.unreachable += 1
            elif read.failure is not None:
                writer.store_failure(read, read.failure)
            elif read.digest is not None:
                writer.store_photo(
                    read, vectors[read.digest], [other.image_id for other in same_photos.get(read.digest, [])]
                )
        writer.store_vectors()
    run.progress.advance(len(batch.reads))


@dataclass(frozen=True)
class _SameContent:
    """A photo of the catalogue with the same content, and its vector."""

    image_id: int
    vector: bytes


def _same_content(run: Run, reads: Sequence[Read]) -> dict[bytes, list[_SameContent]]:
    """Return photos of the catalogue with the same contents as those read.

    They are listed by content hash, at most 64 each.
    """
    digests = {read.digest for read in reads if read.digest is not None and read.failure is None}
    known = select(Image.content_hash).where(Image.content_hash.in_(digests)).distinct()
    query = (
        select(Image.id, ImageVector.vector)
        .join(ImageVector, ImageVector.image_id == Image.id)
        .where(ImageVector.model_id == run.model_id)
        .order_by(Image.id)
        .limit(_MAX_SAME)
    )
    same_photos: dict[bytes, list[_SameContent]] = {}
    with run.catalog.session() as session:
        for digest in session.scalars(known).all():
            rows = session.execute(query.where(Image.content_hash == digest)).all()
            if digest is not None and rows:
                same_photos[digest] = [_SameContent(row.id, row.vector) for row in rows]
    return same_photos


class _BatchWriter:
    """Writes the rows of one batch in one transaction.

    The vectors come last, when the rows have ids.
    """

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

    def store_photo(self, read: Read, vector: bytes, same_photos: Sequence[int]) -> None:
        """Store a readable photo.

        ``same_photos`` are the ids of photos with the same content and vector.
        """
        job, stats = read.job, self._run.stats
        if job.image_id is not None:
            image = self._images[job.image_id]
            same = image.failure is None and image.content_hash == read.digest
            if not same:
                stats.updated += 1
            elif job.scanned:
                stats.unchanged += 1  # another modification time, the same content
        elif (moved := self._moved(same_photos)) is not None:
            image, same = moved, True
            self._gone.discard(image.id)
            stats.moved += 1
        else:
            image, same = self._add(), False
            stats.added += 1
        self._set_file(image, read)
        if not same:
            self._set_content(image, read, same_photos)
        if not same or (job.image_id is not None and job.known_hash is None):
            self._new.append((image, vector))

    def store_failure(self, read: Read, reason: str) -> None:
        """Store a photo that cannot be read, and clear its data."""
        job = read.job
        image = self._add() if job.image_id is None else self._images[job.image_id]
        self._set_file(image, read)
        image.content_hash, image.failure, image.indexed_at = read.digest, reason, utcnow()
        image.width = image.height = image.taken_at = image.camera = image.latitude = image.longitude = None
        image.keywords = None
        self._outdated.append(image)
        self._run.stats.failed.append(Failure(str(job.path), reason))

    def store_vectors(self) -> None:
        """Replace the vectors of the photos whose content changed."""
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

    def _moved(self, same_photos: Sequence[int]) -> Image | None:
        """Return the photo that moved to a new file, if any. ``same_photos`` are the ids to consider."""
        images = self._images
        id = moved_photo(same_photos, self._gone, lambda id: not is_there(image_file(images[id])))
        return None if id is None else images[id]

    def _set_file(self, image: Image, read: Read) -> None:
        job = read.job
        image.identity = read.identity
        image.root, image.path = self._roots[job.root_id], job.file.path
        image.size, image.mtime_ns = job.file.size, job.file.mtime_ns

    def _set_content(self, image: Image, read: Read, same_photos: Sequence[int]) -> None:
        image.content_hash, image.failure, image.indexed_at = read.digest, None, utcnow()
        if read.decoded is not None:
            facts = read.decoded.facts
            image.width, image.height = read.decoded.width, read.decoded.height
            image.taken_at, image.camera = facts.taken_at, facts.camera
            image.latitude, image.longitude = facts.latitude, facts.longitude
            image.keywords = read.decoded.keywords
        else:  # not decoded: a photo with the same content is known
            images = (self._images[image_id] for image_id in same_photos)
            other = next(image for image in images if image.content_hash == read.digest)
            image.width, image.height = other.width, other.height
            image.taken_at, image.camera = other.taken_at, other.camera
            image.latitude, image.longitude = other.latitude, other.longitude
            image.keywords = other.keywords
        self._outdated.append(image)
