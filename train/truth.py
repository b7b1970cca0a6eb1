"""Known true answers among a batch, kept out of the negatives.

The captions of other photos in a batch serve as negatives, but some of them are right. Two photos may both be
called "living room", and a photo of a pizza beside a fork is right for "a fork". Three kinds of right answers
are known and are not used as negatives: captions of the same photo, equal texts, and texts that name objects
of the photo. The last kind needs complete lists of objects, such as COCO's of 80 classes. A photo without
such a list is never a negative for a text that names objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from twobranch.train.data import CaptionedPhotos

OBJECTS = "objects"  # the kind of a text made of the names of a photo's objects
_TEMPLATES = {
    1: ("{}", "{}", "a {}", "a photo of a {}"),
    2: ("{} and {}", "a {} and a {}", "a {} next to a {}"),
    3: ("{}, {} and {}", "a {}, a {} and a {}", "a photo of a {}, a {} and a {}"),
}
_A_PHOTO = 2  # number of such texts


def with_object_texts(part: CaptionedPhotos, seed: int) -> CaptionedPhotos:
    """Add two texts to each photo with listed objects.

    Each text names one to three of the objects.
    """
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    items: list[int] = []
    for item, objects in enumerate(part.objects):
        if not objects:
            continue
        for _ in range(_A_PHOTO):
            n = min(int(rng.integers(1, 4)), len(objects))
            names = rng.choice(sorted(objects), n, replace=False)
            templates = _TEMPLATES[n]
            texts.append(templates[rng.integers(len(templates))].format(*names))
            items.append(item)
    return replace(
        part,
        texts=(*part.texts, *texts),
        items=np.concatenate([part.items, np.array(items, dtype=np.int64)]),
        kinds=(*(part.kinds or (None,) * len(part.texts)), *(OBJECTS,) * len(texts)),
    )


@dataclass(frozen=True)
class Truth:
    """Equal texts, listed objects and named objects of a corpus.

    It has N photos, M texts and K objects.
    """

    texts: NDArray[np.int64]  # (M,) a number for each text; the same for equal ones
    named: NDArray[np.bool_]  # (M, K) objects that a text names, if it says nothing else
    present: NDArray[np.bool_]  # (N, K) objects in each photo
    listed: NDArray[np.bool_]  # (N,) True if the list of a photo's objects is complete

    @classmethod
    def of(cls, part: CaptionedPhotos) -> Truth:
        """Collect the facts of ``part``."""
        numbers: dict[str, int] = {}
        texts = [numbers.setdefault(_plain(text), len(numbers)) for text in part.texts]
        lists = part.objects or (None,) * len(part.photos)
        names = sorted({name for some in lists for name in some or ()})
        columns = {name: column for column, name in enumerate(names)}
        present = np.zeros((len(part.photos), len(columns)), dtype=bool)
        for row, some in enumerate(lists):
            present[row, [columns[name] for name in some or ()]] = True
        named = np.zeros((len(part.texts), len(columns)), dtype=bool)
        kinds = part.kinds or (None,) * len(part.texts)
        for row, (text, kind) in enumerate(zip(part.texts, kinds, strict=True)):
            named[row, _columns_named(_plain(text), kind, columns)] = True
        return cls(
            np.array(texts, dtype=np.int64), named, present, np.array([some is not None for some in lists])
        )

    def negatives(self, items: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pairs are negatives, judged by their objects.

        The result is (A, B) bool: False if photo ``items[a]`` may be right for text ``rows[b]``. The caller
        must exclude the captions of the same photo.
        """
        named = self.named[rows]
        about_objects: NDArray[np.bool_] = np.any(named, axis=1)  # (B,)
        absent = ~self.present[items]
        lacks: NDArray[np.bool_] = absent.astype(np.float32) @ named.astype(np.float32).T > 0  # (A, B)
        return (lacks & self.listed[items, None]) | ~about_objects

    def same_text(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (B, B) bool: True where two texts are equal."""
        numbers = self.texts[rows]
        return numbers[:, None] == numbers[None, :]


def _plain(text: str) -> str:
    return " ".join(text.lower().strip(" .!").split())


def _columns_named(text: str, kind: str | None, columns: dict[str, int]) -> Sequence[int]:
    """Return the columns of the objects that a text names.

    A text that says more than that has none, unless it was made of object names.
    """
    if kind == OBJECTS:
        words = f" {text.replace(',', ' ')} "
        found = [name for name in columns if f" {name} " in words]
        # "teddy bear" does not name a bear, nor "hot dog" a dog.
        return [
            columns[name] for name in found if not any(name != other and name in other for other in found)
        ]
    return [columns[text]] if text in columns else []
