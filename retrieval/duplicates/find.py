"""Search for near-duplicates in a library.

Near-duplicates are files that show the same photo. Candidates are pairs with close vectors; their files are
then compared (`same_photo`). A group is one photo to keep, and the photos found to be the same as *that* one.
Being the same as another member is not enough, so a burst is not joined frame by frame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from twobranch.common.cpu import usable_cores
from twobranch.common.errors import ImageError
from twobranch.common.progress import SILENT, Progress, showing
from twobranch.indexer.catalog.filters import photo_date
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tables import Catalog, image_file
from twobranch.indexer.catalog.vectors import identical_photos, photos_of_vectors
from twobranch.indexer.disk.walk import written_ns
from twobranch.indexer.vectors.index import open_index
from twobranch.indexer.vectors.neighbours import Pairs, near_pairs
from twobranch.retrieval.duplicates.same_photo import SAME_BELOW, Thumbnail, difference, thumbnail

# The files of two photos are compared from this cosine on. Copies about as large as the model's input have
# 0.9 or more; the lower limit is needed to find smaller copies (benchmarks/duplicates.md).
CLOSE = 0.8
_PAIRS_AT_A_TIME = 2000
_BLOCK = 256  # pairs for one thread
_MOST_THUMBNAILS = 40_000  # in memory: 180 MB
# Cropping a fifth off one pair of sides changes the aspect ratio by a factor of 1.25.
_MOST_STRETCHED = 1.3


@dataclass(frozen=True)
class StoredPhoto:
    """A photo of the catalogue."""

    path: Path
    width: int  # of the upright photo
    height: int
    size: int  # bytes
    mtime_ns: int
    taken_at: datetime | None  # by the camera's clock

    @property
    def date(self) -> datetime:
        """The time when the photo was taken.

        Without that: the modification time of the file, as local time.
        """
        return photo_date(self.taken_at, self.mtime_ns)

    def as_json(self, *, keep: bool) -> dict[str, Any]:
        """Return the JSON data of a photo in ``duplicates --json``."""
        return {
            "path": str(self.path),
            "width": self.width,
            "height": self.height,
            "bytes": self.size,
            "date": self.date.isoformat(),
            "date_from": "file" if self.taken_at is None else "photo",
            "keep": keep,
        }


@dataclass(frozen=True)
class Group:
    """A photo to keep, and the others that show the same.

    The others are in ``keeping_order``.
    """

    kept: StoredPhoto
    others: tuple[StoredPhoto, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the JSON data of a group in ``duplicates --json``."""
        others = [photo.as_json(keep=False) for photo in self.others]
        return {"photos": [self.kept.as_json(keep=True), *others]}


@dataclass(frozen=True)
class Duplicates:
    """Groups of near-duplicates, and skipped photos.

    The group whose other photos have the most bytes comes first. Skipped photos could not be read.
    """

    groups: tuple[Group, ...]
    skipped: tuple[ImageError, ...]

    @property
    def others(self) -> list[StoredPhoto]:
        """All photos of the groups except the kept ones."""
        return [photo for group in self.groups for photo in group.others]

    @property
    def spare_bytes(self) -> int:
        """The size of the other photos in bytes."""
        return sum(photo.size for photo in self.others)

    def as_json(self) -> dict[str, Any]:
        """Return the JSON data of ``duplicates --json``."""
        return {
            "groups": [group.as_json() for group in self.groups],
            "spare_photos": len(self.others),
            "spare_bytes": self.spare_bytes,
            "skipped": [{"path": str(error.path), "reason": error.reason} for error in self.skipped],
        }


def find_duplicates(library: Path, progress: Progress = SILENT) -> Duplicates:
    """Find the near-duplicates among the current files of a library.

    A photo is skipped if its file is gone, unreadable or changed since it was indexed. The model is not
    needed. Raises ``LibraryError``.
    """
    with closing(Catalog.open(library)) as catalog, closing(CatalogReader.open(library)) as reader:
        model = reader.active_model()
        if model is None:
            return Duplicates((), ())
        search = _Search(catalog, model.id, progress)
        same_content = search.exact_copies()
        index = open_index(reader, "images", model.id, model.dim)
        apart = [id_ for ids in same_content for id_ in ids[1:]]
        pairs = near_pairs(index, CLOSE, progress, without=apart)
        return search.groups(same_content, pairs)


def keeping_order(photo: StoredPhoto) -> tuple[int, int, datetime, int, str]:
    """Return a sort key that puts the photo to keep first.

    Most pixels first, then the largest file, then the oldest photo.
    """
    return -photo.width * photo.height, -photo.size, photo.date, photo.mtime_ns, str(photo.path)


@dataclass(frozen=True)
class _Look:
    """A pair of photos with their thumbnails.

    A thumbnail is None if its photo cannot be read.
    """

    pair: tuple[int, int]
    one: Thumbnail | None
    two: Thumbnail | None


class _Search:
    """One search through a library. Photos are identified by the ids of their vectors."""

    def __init__(self, catalog: Catalog, model_id: int, progress: Progress) -> None:
        self._catalog = catalog
        self._model_id = model_id
        self._progress = progress
        self._skipped: dict[Path, ImageError] = {}

    def exact_copies(self) -> list[list[int]]:
        """Find photos whose files had the same bytes.

        They are grouped by content.
        """
        with self._catalog.session() as session:
            return identical_photos(session, self._model_id)

    def groups(self, same_content: Sequence[Sequence[int]], pairs: Pairs) -> Duplicates:
        """Compare the files of the candidates; group the near-duplicates."""
        near = np.unique(np.concatenate([pairs.first, pairs.second])).tolist()
        wanted = {*near, *(id_ for ids in same_content for id_ in ids)}
        photos = self._there(self._photos(sorted(wanted)))
        # Exact copies are identified by their first id, the one in `pairs`. This maps it to all files.
        files: dict[int, list[StoredPhoto]] = {id_: [photos[id_]] for id_ in near if id_ in photos}
        for ids in same_content:
            files[ids[0]] = sorted((photos[id_] for id_ in ids if id_ in photos), key=keeping_order)
        files = {id_: copies for id_, copies in files.items() if copies}
        best = {id_: copies[0] for id_, copies in files.items()}
        same: dict[int, list[int]] = defaultdict(list)
        for one, two in self._same(best, pairs):
            same[one].append(two)
            same[two].append(one)
        groups, assigned = [], set()
        for id_ in sorted(best, key=lambda id_: keeping_order(best[id_])):
            if id_ in assigned:
                continue
            members = [id_, *(other for other in same[id_] if other not in assigned)]
            assigned.update(members)
            every = [photo for member in members for photo in files[member]]
            kept, *others = sorted(every, key=keeping_order)
            if others:
                groups.append(Group(kept, tuple(others)))
        groups.sort(key=lambda group: -sum(photo.size for photo in group.others))
        return Duplicates(tuple(groups), tuple(self._skipped.values()))

    def _photos(self, ids: Sequence[int]) -> dict[int, StoredPhoto]:
        """Read these photos from the catalogue."""
        found: dict[int, StoredPhoto] = {}
        with self._catalog.session() as session:
            for id_, image in photos_of_vectors(session, ids):
                assert image.width is not None and image.height is not None  # it has a vector
                found[id_] = StoredPhoto(
                    image_file(image),
                    image.width,
                    image.height,
                    image.size,
                    image.mtime_ns,
                    image.taken_at,
                )
        return found

    def _there(self, photos: dict[int, StoredPhoto]) -> dict[int, StoredPhoto]:
        """Keep the photos whose files are unchanged since they were indexed.

        Of several names of one file (links) only one is kept: deleting the listed duplicates must not delete
        the file that a kept link points to.
        """
        there: dict[int, StoredPhoto] = {}
        seen: set[tuple[int, int]] = set()
        # Symbolic links come last, so the name that is kept is that of the file itself.
        for id_, photo in sorted(photos.items(), key=lambda item: item[1].path.is_symlink()):
            try:
                status = photo.path.stat()
            except OSError as error:
                self._skip(ImageError(photo.path, (error.strerror or str(error)).lower()))
                continue
            if (status.st_size, written_ns(status)) != (photo.size, photo.mtime_ns):
                self._skip(ImageError(photo.path, "has changed since it was indexed; run `index` again"))
            elif (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                there[id_] = photo
        return there

    def _same(self, photos: dict[int, StoredPhoto], pairs: Pairs) -> Iterator[tuple[int, int]]:
        """Yield the pairs whose files show the same photo."""
        candidates = [
            (one, two)
            for one, two in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
            if one in photos and two in photos and _may_be_same(photos[one], photos[two])
        ]
        thumbnails: dict[int, Thumbnail | None] = {}
        with (
            ThreadPoolExecutor(usable_cores()) as threads,
            showing(self._progress, "comparing pairs of photos", len(candidates)),
        ):
            for start in range(0, len(candidates), _PAIRS_AT_A_TIME):
                some = candidates[start : start + _PAIRS_AT_A_TIME]
                needed = dict.fromkeys(id_ for pair in some for id_ in pair)
                if len(thumbnails) + len(needed) > _MOST_THUMBNAILS:
                    thumbnails = {}
                new = [id_ for id_ in needed if id_ not in thumbnails]
                for id_, read in zip(new, threads.map(_read, [photos[id_].path for id_ in new]), strict=True):
                    if isinstance(read, ImageError):
                        self._skip(read)
                        thumbnails[id_] = None
                    else:
                        thumbnails[id_] = read
                looks = [_Look(pair, *(thumbnails[id_] for id_ in pair)) for pair in some]
                blocks = [looks[at : at + _BLOCK] for at in range(0, len(looks), _BLOCK)]
                for same in threads.map(_same_pairs, blocks):
                    yield from same
                self._progress.advance(len(some))

    def _skip(self, error: ImageError) -> None:
        self._skipped[Path(error.path)] = error


def _may_be_same(one: StoredPhoto, two: StoredPhoto) -> bool:
    """True for a pair whose files need to be compared.

    Two photos taken at different seconds are different moments, even if they look alike.
    """
    if one.taken_at is not None and two.taken_at is not None and one.taken_at != two.taken_at:
        return False
    stretched = one.width * two.height / (one.height * two.width)
    return 1 / _MOST_STRETCHED <= stretched <= _MOST_STRETCHED


def _read(path: Path) -> Thumbnail | ImageError:
    try:
        return thumbnail(path)
    except ImageError as error:
        return error
    # Image libraries raise many types for damaged files. One bad photo must not end a run.
    except Exception as error:
        return ImageError(path, f"damaged ({type(error).__name__}: {error})")


def _same_pairs(looks: Sequence[_Look]) -> list[tuple[int, int]]:
    """Return the pairs that show the same photo. Safe to call from many threads."""
    both = [(look.pair, look.one, look.two) for look in looks if look.one and look.two]
    far = difference([one for _, one, _ in both], [two for _, _, two in both])
    return [pair for (pair, _, _), value in zip(both, far, strict=True) if value < SAME_BELOW]
