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

from twobranch.indexer.catalog.photos import delete_photos, photos_by_id
from twobranch.indexer.catalog.roots import all_roots
from twobranch.indexer.catalog.tables import Image, Session, image_file, utcnow
from twobranch.indexer.catalog.vectors import (
    SameContent,
    add_photo_vectors,
    delete_photo_vectors,
    encoded_contents,
    photos_with_content,
    regions_with_content,
    set_regions,
    unencoded_with_content,
)
from twobranch.indexer.disk.availability import is_there
from twobranch.indexer.disk.memory import Memory
from twobranch.indexer.disk.read import Job, Read, read_photo
from twobranch.indexer.update.compare import moved_photo
from twobranch.indexer.update.pipeline import BatchSize, Workers
from twobranch.indexer.update.run import Failure, Run
from twobranch.indexer.vectors.codec import as_blobs

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
        views=(*encoder.views, *run.regions),
        known=_known_hashes(run, gone),
        memory=Memory(effort.decoding_bytes),
        max_pixels=effort.max_pixels,
    )
    with (
        run.showing("photos", len(jobs)),
        Workers(effort.workers, BatchSize(effort.batch_sizes)) as workers,
    ):
        results = workers.in_order(read, jobs, ahead=run.photos_a_transaction)
        begun: _Batch | None = None
        while reads := list(islice(results, run.photos_a_transaction)):
            following = _begin(run, workers, reads, {} if begun is None else begun.encoding)
            if begun is not None:
                _store(run, begun, gone)
            begun = following
        if begun is not None:
            _store(run, begun, gone)
    run.stats.encoding_seconds += time.monotonic() - started


def remove_photos(run: Run, gone: Collection[int]) -> None:
    """Delete the rows and vectors of removed photos. Their captions stay."""
    with run.catalog.session(write=True) as session:
        delete_photos(session, sorted(gone))
    run.stats.removed += len(gone)


def _known_hashes(run: Run, gone: Collection[int]) -> set[bytes]:
    """Return the content hashes of missing photos.

    If such a content is found at another path, its vector is already known.
    """
    with run.catalog.session() as session:
        vanished = {root.id for root in all_roots(session) if not is_there(Path(root.path))}
        if not gone and not vanished:
            return set()
        rows = encoded_contents(session, run.model_id, len(run.regions))
        return {digest for id, root_id, digest in rows if id in gone or root_id in vanished}


# --- storing ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Vectors:
    """The vectors of a content.

    They are those of the whole photo and, in a library with regions, of its windows.
    """

    whole: bytes
    regions: Sequence[bytes] = ()


@dataclass(frozen=True)
class _Encoding:
    """The vectors of a content that are being computed."""

    whole: bytes | None  # what the catalogue has; then only the windows are encoded
    rows: Future[NDArray[np.float32]]  # (1 + W, D), the whole photo first, or (W, D)

    def result(self) -> _Vectors:
        """Wait for the vectors."""
        blobs = as_blobs(self.rows.result())
        return _Vectors(blobs[0], blobs[1:]) if self.whole is None else _Vectors(self.whole, blobs)


@dataclass(frozen=True)
class _Batch:
    """The photos of one transaction, with their vectors by content hash."""

    reads: Sequence[Read]
    known: Mapping[bytes, _Vectors]  # that the catalogue has
    encoding: Mapping[bytes, _Encoding]  # the others


def _begin(run: Run, workers: Workers, reads: Sequence[Read], encoding: Mapping[bytes, _Encoding]) -> _Batch:
    """Start encoding the photos of a batch.

    Contents that have their vectors, or that are already ``encoding``, are skipped.
    """
    whole = {digest: same_photos[0].vector for digest, same_photos in _same_content(run, reads).items()}
    known = _known_vectors(run, whole)
    pixels = {
        read.digest: read.decoded.pixels
        for read in reads
        if read.digest is not None and read.decoded is not None and read.digest not in known
    }
    new = {digest: photo for digest, photo in pixels.items() if digest not in encoding}
    run.stats.encoded += len(new)
    begun = {digest: encoding[digest] for digest in pixels if digest not in new}
    for has_whole, encode in ((False, _encode), (True, _encode_regions)):
        some = {digest: photo for digest, photo in new.items() if (digest in whole) == has_whole}
        rows = workers.encode(partial(encode, run), list(some.values()))
        begun |= {digest: _Encoding(whole.get(digest), row) for digest, row in zip(some, rows, strict=True)}
    return _Batch(reads, known, begun)


def _known_vectors(run: Run, whole: Mapping[bytes, bytes]) -> dict[bytes, _Vectors]:
    """Return the contents that need no encoding. ``whole`` has the vectors of whole photos."""
    if not run.regions:
        return {digest: _Vectors(vector) for digest, vector in whole.items()}
    with run.catalog.session() as session:
        regions = regions_with_content(session, whole, run.model_id, len(run.regions))
    return {digest: _Vectors(whole[digest], vectors) for digest, vectors in regions.items()}


def _encode(run: Run, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Encode photos and their windows.

    Maps (N, V + W, S, S, 3) to (N, 1 + W, D).
    """
    rows = run.encoder.encode_views(pixels[:, : len(run.encoder.views)])[:, None]
    return np.concatenate([rows, _encode_regions(run, pixels)], axis=1) if run.regions else rows


def _encode_regions(run: Run, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Encode the windows of photos.

    Maps (N, V + W, S, S, 3) to (N, W, D).
    """
    return run.encoder.encode_each_view(pixels[:, len(run.encoder.views) :])


def _store(run: Run, batch: _Batch, gone: set[int]) -> None:
    """Wait until a batch is encoded, and commit it."""
    vectors = {**batch.known, **{digest: one.result() for digest, one in batch.encoding.items()}}
    same_photos = _same_content(run, batch.reads)
    with run.catalog.session(write=True) as session:
        gone_photos = unencoded_with_content(session, _digests(batch.reads), gone, run.model_id)
        jobs = {read.job.image_id for read in batch.reads if read.job.image_id is not None}
        known = jobs | {other.image_id for same in same_photos.values() for other in same}
        known.update(*gone_photos.values())
        writer = _BatchWriter(run, session, gone, known)
        for read in batch.reads:
            if read.unreachable:
                run.stats.unreachable += 1
            elif read.failure is not None:
                writer.store_failure(read, read.failure)
            elif read.digest is not None:
                others = [other.image_id for other in same_photos.get(read.digest, [])]
                unencoded = gone_photos.get(read.digest, [])
                is_encoded = read.digest in batch.encoding
                writer.store_photo(read, vectors[read.digest], others, unencoded, is_encoded=is_encoded)
        writer.store_vectors()
    run.progress.advance(len(batch.reads))


def _same_content(run: Run, reads: Sequence[Read]) -> dict[bytes, list[SameContent]]:
    """Return photos of the catalogue with the same contents as those read.

    They are listed by content hash, at most 64 each.
    """
    with run.catalog.session() as session:
        return photos_with_content(session, _digests(reads), run.model_id, _MAX_SAME)


def _digests(reads: Sequence[Read]) -> set[bytes]:
    """Return the content hashes of the readable photos."""
    return {read.digest for read in reads if read.digest is not None and read.failure is None}


class _BatchWriter:
    """Writes the rows of one batch in one transaction.

    The vectors come last, when the rows have ids.
    """

    def __init__(self, run: Run, session: Session, gone: set[int], known: Collection[int]) -> None:
        self._run = run
        self._session = session
        self._gone = gone
        self._roots = {root.id: root for root in all_roots(session)}
        self._images = photos_by_id(session, known)
        self._outdated: list[Image] = []
        self._new: list[tuple[Image, _Vectors]] = []
        self._new_regions: list[tuple[Image, _Vectors]] = []

    def store_photo(
        self,
        read: Read,
        vectors: _Vectors,
        same_photos: Sequence[int],
        unencoded: Sequence[int],
        *,
        is_encoded: bool,
    ) -> None:
        """Store a readable photo.

        ``same_photos`` are the ids of photos with the same content and vector, ``unencoded`` those of photos
        that are gone, with the same content and without a vector of this model. ``is_encoded`` tells that
        this run has encoded the content, or only the windows of it.
        """
        job, stats = read.job, self._run.stats
        lacks_regions = job.lacks_regions
        lacks_vector = job.image_id is not None and job.known_hash is None
        if job.image_id is not None:
            image = self._images[job.image_id]
            same = image.failure is None and image.content_hash == read.digest
            if not same:
                stats.updated += 1
            elif job.scanned:
                stats.unchanged += 1  # another modification time, the same content
        elif (moved := self._moved([*same_photos, *unencoded])) is not None:
            image, same, lacks_regions = moved, True, is_encoded
            lacks_vector = moved.id in unencoded
            self._gone.discard(image.id)
            stats.moved += 1
        else:
            image, same = self._add(), False
            stats.added += 1
        self._set_file(image, read)
        if not same:
            self._set_content(image, read, same_photos)
        if not same or lacks_vector:
            self._new.append((image, vectors))
            self._new_regions.append((image, vectors))
        elif lacks_regions:
            self._new_regions.append((image, vectors))

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
        delete_photo_vectors(self._session, [image.id for image in self._outdated])
        vectors = [(image.id, one.whole) for image, one in self._new]
        add_photo_vectors(self._session, self._run.model_id, vectors)
        if self._run.regions:
            regions = [(image.id, one.regions) for image, one in self._new_regions]
            set_regions(self._session, self._run.model_id, regions)

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
