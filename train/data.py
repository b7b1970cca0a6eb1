"""Training and dev photos with their captions, from a captioned corpus."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import UserError
from twobranch.common.progress import SILENT, Progress
from twobranch.embedding.preprocess import IMAGE_SUFFIXES
from twobranch.indexer.captionfiles.corpus import Caption, CaptionCorpus, composed_name

HELD_OUT = 0.1  # share of the images that become dev if a corpus names no dev split
MOST_HELD_OUT = 1000


@dataclass(frozen=True)
class CaptionedPhotos:
    """Photos with their captions: ``texts[j]`` describes ``photos[items[j]]``."""

    photos: tuple[Path, ...]
    texts: tuple[str, ...]
    items: NDArray[np.int64]  # (len(texts),)
    kinds: tuple[str | None, ...] = ()  # of each text: caption, query, word …; empty if no file names kinds
    sources: tuple[str, ...] = ()  # the collection of each photo; empty if there is only one
    objects: tuple[frozenset[str] | None, ...] = ()  # all objects in each photo; None if not listed

    def restrict(self, readable: Collection[Path]) -> CaptionedPhotos:
        """Return only the photos in ``readable``, with their captions."""
        return self.only([item for item, photo in enumerate(self.photos) if photo in readable])

    def by_source(self) -> dict[str, CaptionedPhotos]:
        """Return the photos and captions of each source.

        The result is {} if there is only one source.
        """
        names = sorted(set(self.sources))
        if len(names) < 2:
            return {}
        return {
            name: self.only([item for item, source in enumerate(self.sources) if source == name])
            for name in names
        }

    def of_kind(self, kind: str) -> CaptionedPhotos:
        """Return all photos, with only the texts of one kind."""
        rows = [row for row, of in enumerate(self.kinds) if of == kind]
        return replace(
            self,
            texts=tuple(self.texts[row] for row in rows),
            items=self.items[rows],
            kinds=tuple(self.kinds[row] for row in rows),
        )

    def only(self, kept: Sequence[int]) -> CaptionedPhotos:
        """Return the photos ``kept``, in this order, with their captions."""
        renumbered = {item: new for new, item in enumerate(kept)}
        rows = [row for row, item in enumerate(self.items) if int(item) in renumbered]
        return CaptionedPhotos(
            tuple(self.photos[item] for item in kept),
            tuple(self.texts[row] for row in rows),
            np.array([renumbered[int(self.items[row])] for row in rows], dtype=np.int64),
            tuple(self.kinds[row] for row in rows) if self.kinds else (),
            tuple(self.sources[item] for item in kept) if self.sources else (),
            tuple(self.objects[item] for item in kept) if self.objects else (),
        )


def joined(parts: Sequence[CaptionedPhotos]) -> CaptionedPhotos:
    """Join several corpora into one, in their order.

    A single corpus is returned unchanged.
    """
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part.photos) for part in parts)])
    return CaptionedPhotos(
        tuple(photo for part in parts for photo in part.photos),
        tuple(text for part in parts for text in part.texts),
        np.concatenate([part.items + start for part, start in zip(parts, starts[:-1], strict=True)]),
        tuple(kind for part in parts for kind in part.kinds or (None,) * len(part.texts)),
        tuple(source for part in parts for source in part.sources),
        tuple(found for part in parts for found in part.objects or (None,) * len(part.photos)),
    )


def training_and_dev(
    corpus: CaptionCorpus, images: Path, *, seed: int, progress: Progress
) -> tuple[CaptionedPhotos, CaptionedPhotos]:
    """Return the train and dev parts of a corpus.

    Its photos are in the folder ``images``. If a corpus has no dev split, a tenth of its images (at most
    1,000), drawn with ``seed``, become dev. A test split is never used. A warning counts missing photos and
    images without captions. Raises ``UserError`` if too few photos are left to train on or to choose the best
    epoch by.
    """
    if not images.is_dir():
        raise UserError(f"{images}: no such folder of photos; give it with --images DIR")
    if corpus.images_without_captions:
        progress.warn(_count_message(corpus.images_without_captions, "without a caption"))
    found = _find_photos(corpus, images, progress)
    train: tuple[Caption, ...]
    dev: tuple[Caption, ...]
    if "train" in corpus.splits or "restval" in corpus.splits:
        train = corpus.in_split("train").captions
        dev = corpus.in_split("dev").captions if "dev" in corpus.splits else ()
    elif corpus.has_splits:
        raise UserError(f"{corpus.path}: has no train split, only {', '.join(corpus.splits)}")
    else:
        train, dev = corpus.captions, ()
    if not dev:
        train, dev = _hold_out([caption for caption in train if caption.image in found], seed)
        progress.note(
            f"no dev split: {len({c.image for c in dev})} images are held out to choose the best epoch"
        )
    train_part, dev_part = _pairs(corpus, train, found), _pairs(corpus, dev, found)
    check_enough(train_part, dev_part, corpus.path)
    return train_part, dev_part


def captioned_photos(corpus: CaptionCorpus, images: Path, progress: Progress = SILENT) -> CaptionedPhotos:
    """Return the captions of a corpus or split with photos in ``images``."""
    return _pairs(corpus, corpus.captions, _find_photos(corpus, images, progress))


def check_enough(train: CaptionedPhotos, dev: CaptionedPhotos, corpus: Path) -> None:
    """Raise ``UserError`` for fewer than two train or dev photos.

    Two are needed to learn from, and two to choose the best epoch by.
    """
    for name, part in (("train", train), ("dev", dev)):
        if len(part.photos) < 2:
            raise UserError(
                f"{corpus}: only {len(part.photos)} photos with captions to {name} on; "
                "training needs at least 2, and 2 others as dev split"
            )


def data_fingerprint(train: CaptionedPhotos, dev: CaptionedPhotos) -> str:
    """Return a sha256 over the photos and sentences of train and dev."""
    digest = hashlib.sha256()
    for part in (train, dev):
        names = [photo.name for photo in part.photos]
        record = [names, part.texts, part.items.tolist()]
        digest.update(json.dumps(record).encode())
    return digest.hexdigest()


def _find_photos(corpus: CaptionCorpus, images: Path, progress: Progress) -> dict[str, Path]:
    """Return the file of each image that exists, by image name.

    An image is looked for at its path, then by its bare file name anywhere in ``images``.
    """
    names = sorted({caption.image for caption in corpus.captions if caption.image is not None})
    found = {name: images / name for name in names if (images / name).is_file()}
    missing = [name for name in names if name not in found]
    if missing:
        files = (path for path in images.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        by_name = {composed_name(path.name): path for path in files}
        for name in missing:
            if (file := by_name.get(composed_name(Path(name).name))) is not None:
                found[name] = file
        missing = [name for name in missing if name not in found]
    if missing:
        progress.warn(_count_message(missing, f"with captions, but not in {images}"))
    return found


def _hold_out(captions: Sequence[Caption], seed: int) -> tuple[tuple[Caption, ...], tuple[Caption, ...]]:
    names = sorted({caption.image for caption in captions if caption.image is not None})
    n_dev = min(MOST_HELD_OUT, max(2, int(len(names) * HELD_OUT)), len(names))
    held_out = set(random.Random(seed).sample(names, n_dev))
    return (
        tuple(caption for caption in captions if caption.image not in held_out),
        tuple(caption for caption in captions if caption.image in held_out),
    )


def _pairs(corpus: CaptionCorpus, captions: Sequence[Caption], found: dict[str, Path]) -> CaptionedPhotos:
    usable = [caption for caption in captions if caption.image in found]
    rows: dict[str, int] = {}
    for caption in usable:
        assert caption.image is not None  # because `None in found` is False
        rows.setdefault(caption.image, len(rows))
    about = {image.name: image for image in corpus.images}
    name = corpus.path.name.split(".")[0]  # of the whole corpus, for images that name no source
    objects = tuple(None if (seen := about[image].objects) is None else frozenset(seen) for image in rows)
    return CaptionedPhotos(
        tuple(found[name] for name in rows),
        tuple(caption.text for caption in usable),
        np.array([rows[caption.image or ""] for caption in usable], dtype=np.int64),
        tuple(caption.kind for caption in usable) if any(caption.kind for caption in usable) else (),
        tuple(about[image].source or name for image in rows),
        objects if any(seen is not None for seen in objects) else (),
    )


def _count_message(names: Sequence[str], what: str) -> str:
    few = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"{len(names):,} image{'' if len(names) == 1 else 's'} {what}: {few}"
