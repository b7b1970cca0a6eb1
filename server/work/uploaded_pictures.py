"""Uploaded pictures in memory: their vectors and thumbnails."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from twobranch.embedding.decode_limit import Patience
from twobranch.embedding.preprocess import load_thumbnail, load_views

if TYPE_CHECKING:
    from twobranch.embedding.encoder import Encoder

_MOST = 256  # pictures; each takes about 20 kB
_SIDE = 256  # pixels of the thumbnail's longer side, at most


@dataclass(frozen=True)
class Picture:
    """An uploaded picture. Its file is not kept."""

    name: str  # hash of its bytes: the same file has the same name
    fingerprint: str  # of the model that its vector comes from
    vector: bytes  # (D,) float32, of length 1
    thumbnail: bytes  # WebP


class Pictures:
    """The latest uploaded pictures by name. Thread-safe."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._lock = Lock()

    def take(self, data: bytes, encoder: Encoder, patience: Patience | None = None) -> Picture:
        """Decode, encode and store a picture. Raises ``ImageError`` and ``GivenUp``."""
        views = load_views(
            data, encoder.image_size, encoder.views, name="the picture", patience=patience
        ).pixels
        vector = np.ascontiguousarray(encoder.encode_views(views[None])[0], dtype=np.float32)
        small = io.BytesIO()
        view = load_thumbnail(data, _SIDE, name="the picture", patience=patience)
        view.save(small, "WEBP", quality=80)
        name = hashlib.sha256(data).hexdigest()[:32]
        picture = Picture(name, encoder.fingerprint, vector.tobytes(), small.getvalue())
        with self._lock:
            self._pictures[name] = picture
            self._pictures.move_to_end(name)
            while len(self._pictures) > _MOST:
                self._pictures.popitem(last=False)
        return picture

    def get(self, name: str) -> Picture | None:
        """Return the picture of this name, or None if not stored."""
        with self._lock:
            return self._pictures.get(name)
