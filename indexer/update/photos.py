"""Photo files to catalogue rows with vectors: read and decoded ahead in threads, encoded in batches.

Every batch is one transaction that holds rows and vectors alike, so a run may stop anywhere.
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

from twobranch.indexer.catalog.photos import delete_photos, photos_by_id
from twobranch.indexer.catalog.roots import all_roots
from twobranch.indexer.catalog.tables import Image, Session, image_file, utcnow
from twobranch.indexer.catalog.vectors import (
    SameContent,
    add_photo_vectors,
    delete_photo_vectors,
    encoded_contents,
    photos_with_content,
)
from twobranch.indexer.disk.availability import is_there
from twobranch.indexer.disk.memory import Memory
from twobranch.indexer.disk.read import Job, Read, read_photo
from twobranch.indexer.update.compare import moved_photo
from twobranch.indexer.update.pipeline import BatchSize, Workers
from twobranch.indexer.update.run import Failure, Run
from twobranch.indexer.vectors.codec import as_blobs

_MAX_TWINS = 64  # a blank page may have been scanned ten thousand times; a few will do


def index_photos(run: Run, jobs: Sequence[Job], gone: set[int]) -> None:
    """Store the photos of ``jobs`` with their vectors; take from ``gone`` those that moved.

    While one batch is written the next is being encoded and the one after it is being read.
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
    run.tally.encoding_seconds += time.monotonic() - started


def remove_photos(run: Run, gone: Collection[int]) -> None:
    """Delete the rows and vectors of photos that are gone; their captions stay."""
    with run.catalog.session(write=True) as session:
        delete_photos(session, sorted(gone))
    run.tally.removed += len(gone)


def _known_hashes(run: Run, gone: Collection[int]) -> set[bytes]:
    """The contents of photos that are not where they were; wherever they turn up, their vectors are known."""
    with run.catalog.session() as session:
        vanished = {root.id for root in all_roots(session) if not is_there(Path(root.path))}
        if not gone and not vanished:
            return set()
        rows = encoded_contents(session, run.model_id)
        return {digest for id, root_id, digest in rows if id in gone or root_id in vanished}


# --- storing ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Batch:
    """Photos of one transaction: what was read, and the vectors by content."""

    reads: Sequence[Read]
    known: Mapping[bytes, bytes]  # of contents that the catalogue has a vector of
    encoding: Mapping[bytes, Future[NDArray[np.float32]]]  # of the others: (D,), to come


def _begin(
    run: Run,
    workers: Workers,
    reads: Sequence[Read],
    encoding: Mapping[bytes, Future[NDArray[np.float32]]],
) -> _Batch:
    """Lets the workers encode what has no vector yet and is not among those that are ``encoding`` already."""
    known = {digest: twins[0].vector for digest, twins in _twins(run, reads).items()}
    pixels = {
        read.digest: read.decoded.pixels
        for read in reads
        if read.digest is not None and read.decoded is not None and read.digest not in known
    }
    new = {digest: photo for digest, photo in pixels.items() if digest not in encoding}
    vectors = workers.encode(run.encoder.encode_views, list(new.values()))
    run.tally.encoded += len(new)
    awaited = {digest: encoding[digest] for digest in pixels if digest not in new}
    return _Batch(reads, known, awaited | dict(zip(new, vectors, strict=True)))


def _store(run: Run, batch: _Batch, gone: set[int]) -> None:
    """Commits a batch, when it is encoded."""
    rows = {digest: vector.result() for digest, vector in batch.encoding.items()}
    twins = _twins(run, batch.reads)
    vectors = dict(batch.known)
    if rows:
        vectors |= zip(rows, as_blobs(np.stack(list(rows.values()))), strict=True)
    with run.catalog.session(write=True) as session:
        jobs = {read.job.image_id for read in batch.reads if read.job.image_id is not None}
        known = jobs | {twin.image_id for same in twins.values() for twin in same}
        writer = _BatchWriter(run, session, gone, known)
        for read in batch.reads:
            if read.unreachable:
                run.tally.unreachable += 1
            elif read.failure is not None:
                writer.store_failure(read, read.failure)
            elif read.digest is not None:
                writer.store_photo(
                    read, vectors[read.digest], [twin.image_id for twin in twins.get(read.digest, [])]
                )
        writer.store_vectors()
    run.progress.advance(len(batch.reads))


def _twins(run: Run, reads: Sequence[Read]) -> dict[bytes, list[SameContent]]:
    """For each of these contents that the catalogue knows, some photos that have it."""
    digests = {read.digest for read in reads if read.digest is not None and read.failure is None}
    with run.catalog.session() as session:
        return photos_with_content(session, digests, run.model_id, _MAX_TWINS)


class _BatchWriter:
    """Writes the rows of one batch in one transaction; their vectors come last, when the rows have ids."""

    def __init__(self, run: Run, session: Session, gone: set[int], known: Collection[int]) -> None:
        self._run = run
        self._session = session
        self._gone = gone
        self._roots = {root.id: root for root in all_roots(session)}
        self._images = photos_by_id(session, known)
        self._outdated: list[Image] = []
        self._new: list[tuple[Image, bytes]] = []

    def store_photo(self, read: Read, vector: bytes, twins: Sequence[int]) -> None:
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
        self._set_file(image, read)
        if not same:
            self._set_content(image, read, twins)
        if not same or (job.image_id is not None and job.known_hash is None):
            self._new.append((image, vector))

    def store_failure(self, read: Read, reason: str) -> None:
        """Stores a photo that cannot be read; what was known of its content goes."""
        job = read.job
        image = self._add() if job.image_id is None else self._images[job.image_id]
        self._set_file(image, read)
        image.content_hash, image.failure, image.indexed_at = read.digest, reason, utcnow()
        image.width = image.height = image.taken_at = image.camera = image.latitude = image.longitude = None
        image.keywords = None
        self._outdated.append(image)
        self._run.tally.failed.append(Failure(str(job.path), reason))

    def store_vectors(self) -> None:
        """Replaces the vectors of the photos whose content was set."""
        self._session.flush()
        delete_photo_vectors(self._session, [image.id for image in self._outdated])
        vectors = [(image.id, vector) for image, vector in self._new]
        add_photo_vectors(self._session, self._run.model_id, vectors)

    def _add(self) -> Image:
        image = Image()
        self._session.add(image)
        return image

    def _moved(self, twins: Sequence[int]) -> Image | None:
        """The photo that a new file with the content of these photos is, if any."""
        images = self._images
        id = moved_photo(twins, self._gone, lambda id: not is_there(image_file(images[id])))
        return None if id is None else images[id]

    def _set_file(self, image: Image, read: Read) -> None:
        job = read.job
        image.identity = read.identity
        image.root, image.path = self._roots[job.root_id], job.file.path
        image.size, image.mtime_ns = job.file.size, job.file.mtime_ns

    def _set_content(self, image: Image, read: Read, twins: Sequence[int]) -> None:
        image.content_hash, image.failure, image.indexed_at = read.digest, None, utcnow()
        if read.decoded is not None:
            facts = read.decoded.facts
            image.width, image.height = read.decoded.width, read.decoded.height
            image.taken_at, image.camera = facts.taken_at, facts.camera
            image.latitude, image.longitude = facts.latitude, facts.longitude
            image.keywords = read.decoded.keywords
        else:  # not decoded, because a photo with the same content is known
            images = (self._images[image_id] for image_id in twins)
            twin = next(image for image in images if image.content_hash == read.digest)
            image.width, image.height = twin.width, twin.height
            image.taken_at, image.camera = twin.taken_at, twin.camera
            image.latitude, image.longitude = twin.latitude, twin.longitude
            image.keywords = twin.keywords
        self._outdated.append(image)
