"""Near-duplicates in a library: files that show the same photo, and which of them to keep.

Candidates are pairs with close vectors; their files are then looked at (`same_photo`). A group is
one photo that is kept and those that were found to be the same as *it*, not only the same as something that
is the same: so a burst does not run together frame by frame.
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
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tables import Catalog, image_file
from twobranch.indexer.catalog.vectors import identical_photos, photos_of_vectors
from twobranch.indexer.disk.walk import written_ns
from twobranch.indexer.vectors.index import open_index
from twobranch.indexer.vectors.neighbours import Pairs, near_pairs
from twobranch.retrieval.duplicates.same_photo import SAME_BELOW, Thumbnail, difference, thumbnail

# Cosine of two photos from which their files are looked at. Copies that are nearly as large as what the model
# sees have 0.9 and more; the rest is the price of finding smaller ones (benchmarks/duplicates.md).
CLOSE = 0.8
_PAIRS_AT_A_TIME = 2000
_BLOCK = 256  # of them, for one thread
_MOST_THUMBNAILS = 40_000  # in memory: 180 MB
# A fifth off one pair of sides changes the shape by 1.25.
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
        """When it was taken; where nobody wrote that down, when the file was last changed (local time)."""
        return self.taken_at or datetime.fromtimestamp(self.mtime_ns // 1_000_000_000)

    def as_json(self, *, keep: bool) -> dict[str, Any]:
        """The shape of a photo in ``duplicates --json``."""
        return {
            "path": str(self.path),
            "width": self.width,
            "height": self.height,
            "bytes": self.size,
            "date": self.date.isoformat(),
            "keep": keep,
        }


@dataclass(frozen=True)
class Group:
    """A photo to keep, and the others that show the same, in the order one would keep them."""

    kept: StoredPhoto
    others: tuple[StoredPhoto, ...]

    def as_json(self) -> dict[str, Any]:
        """The shape of a group in ``duplicates --json``."""
        others = [photo.as_json(keep=False) for photo in self.others]
        return {"photos": [self.kept.as_json(keep=True), *others]}


@dataclass(frozen=True)
class Duplicates:
    """The groups, most bytes to spare first, and the photos that could not be looked at."""

    groups: tuple[Group, ...]
    skipped: tuple[ImageError, ...]

    @property
    def others(self) -> list[StoredPhoto]:
        """All photos but those that are kept."""
        return [photo for group in self.groups for photo in group.others]

    @property
    def spare_bytes(self) -> int:
        """How much the others take."""
        return sum(photo.size for photo in self.others)

    def as_json(self) -> dict[str, Any]:
        """The shape of ``duplicates --json``."""
        return {
            "groups": [group.as_json() for group in self.groups],
            "spare_photos": len(self.others),
            "spare_bytes": self.spare_bytes,
            "skipped": [{"path": str(error.path), "reason": error.reason} for error in self.skipped],
        }


def find_duplicates(library: Path, progress: Progress = SILENT) -> Duplicates:
    """The near-duplicates of a library, as its files are now.

    A photo whose file is gone, unreadable or no longer the one that was indexed is skipped. The model is not
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
    """The photo to keep comes first: most pixels, then the largest file, then the oldest."""
    return -photo.width * photo.height, -photo.size, photo.date, photo.mtime_ns, str(photo.path)


@dataclass(frozen=True)
class _Look:
    """A pair of photos and what they look like; None for one that cannot be read."""

    pair: tuple[int, int]
    one: Thumbnail | None
    two: Thumbnail | None


class _Search:
    """One look through a library. Photos go by the ids of their vectors."""

    def __init__(self, catalog: Catalog, model_id: int, progress: Progress) -> None:
        self._catalog = catalog
        self._model_id = model_id
        self._progress = progress
        self._skipped: dict[Path, ImageError] = {}

    def exact_copies(self) -> list[list[int]]:
        """The photos whose files were the same to the last byte, content by content."""
        with self._catalog.session() as session:
            return identical_photos(session, self._model_id)

    def groups(self, same_content: Sequence[Sequence[int]], pairs: Pairs) -> Duplicates:
        """What is left of the candidates once the files were looked at."""
        near = np.unique(np.concatenate([pairs.first, pairs.second])).tolist()
        wanted = {*near, *(id_ for ids in same_content for id_ in ids)}
        photos = self._there(self._photos(sorted(wanted)))
        # A content goes by its first id, the one that is in `pairs`; here are the files that have it.
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
        """What the catalogue knows of these photos."""
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
        """Those whose files are as they were indexed; of several names of one file (links) only one.

        Whoever deletes what is listed must not lose the file that a kept link points to.
        """
        there: dict[int, StoredPhoto] = {}
        seen: set[tuple[int, int]] = set()
        # Links last: the name that stays is that of the file itself.
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
        """The pairs whose files show the same photo."""
        candidates = [
            (one, two)
            for one, two in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
            if one in photos and two in photos and _may_be_same(photos[one], photos[two])
        ]
        thumbnails: dict[int, Thumbnail | None] = {}
        with (
            ThreadPoolExecutor(usable_cores()) as threads,
            showing(self._progress, "looking at pairs of photos", len(candidates)),
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
    """Whether it is worth looking at the files. Two photos that a camera took at different seconds are
    different moments, however alike they look."""
    if one.taken_at is not None and two.taken_at is not None and one.taken_at != two.taken_at:
        return False
    stretched = one.width * two.height / (one.height * two.width)
    return 1 / _MOST_STRETCHED <= stretched <= _MOST_STRETCHED


def _read(path: Path) -> Thumbnail | ImageError:
    try:
        return thumbnail(path)
    except ImageError as error:
        return error
    # Image libraries raise what they like on damaged files; one bad photo must not end a run.
    except Exception as error:
        return ImageError(path, f"damaged ({type(error).__name__}: {error})")


def _same_pairs(looks: Sequence[_Look]) -> list[tuple[int, int]]:
    """The pairs that show the same photo. Safe to be called from many threads."""
    both = [(look.pair, look.one, look.two) for look in looks if look.one and look.two]
    far = difference([one for _, one, _ in both], [two for _, _, two in both])
    return [pair for (pair, _, _), value in zip(both, far, strict=True) if value < SAME_BELOW]
