"""Places in photos: located phrases, and parts that are cut out.

One thread does this work, apart from the searches: a photo is decoded and encoded several times for it, and
nobody who searches should wait for that.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from twobranch.common.errors import ModelError
from twobranch.embedding.preprocess import thumbnail_bytes
from twobranch.indexer.catalog.photo_file import ProvenFiles, read_original
from twobranch.indexer.disk.memory import Memory
from twobranch.retrieval.encoders import check_language
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.photo_parts import cut
from twobranch.retrieval.terms import Edges
from twobranch.retrieval.where.locator import Located
from twobranch.server.errors import Refused
from twobranch.server.work.photo_files import check_indexed, find_file

_MOST = 256  # of each kind; a part takes about 10 kB, a located phrase 1 kB
_SIDE = 256  # pixels of a part's thumbnail, at most
_DECODED = 960  # pixels a side, at least, to which a photo is decoded
_QUALITY = 80  # of WebP, 0 to 100

Value = TypeVar("Value")


@dataclass(frozen=True)
class Part:
    """A part of a photo of the library."""

    path: Path  # of the photo
    vector: bytes  # (D,) float32, of length 1
    thumbnail: bytes  # WebP


class Places:
    """Locates phrases and cuts out parts, and keeps the latest ones. For one thread only."""

    def __init__(self, proven: ProvenFiles, memory: Memory) -> None:
        self._proven = proven
        self._memory = memory
        self._located: _Latest[Located] = _Latest()
        self._parts: _Latest[Part] = _Latest()

    def locate(
        self, engine: SearchEngine, photo: int, phrases: tuple[str, ...], language: str | None
    ) -> Located:
        """Find phrases in a photo of the library.

        Raises ``Refused`` for a photo that is not there and for a model without cells, ``ImageError`` for a
        file that cannot be read or has changed, and as ``Locator.locate`` does.
        """
        file = find_file(engine.catalog, photo)
        check_cells(engine)
        if language is not None:
            check_language(engine.encoder, language)
        check_indexed(file, self._proven)

        def locate() -> Located:
            data = read_original(file, self._proven)
            with self._memory.room_for(thumbnail_bytes(data, _DECODED, file.path)):
                return engine.locator.locate(data, phrases, name=file.path, language=language)

        return self._located.get((file.content_hash, phrases, language, engine.model), locate)

    def part(self, engine: SearchEngine, photo: int, box: Edges) -> Part:
        """Cut out and encode a part of a photo.

        Raises as ``locate`` does, and ``UserError`` for a box that is not in the photo.
        """
        file = find_file(engine.catalog, photo)
        encoder = engine.encoder
        check_indexed(file, self._proven)

        def make() -> Part:
            data = read_original(file, self._proven)
            # The photo is decoded to its full size for a small box.
            with self._memory.room_for(thumbnail_bytes(data, 1 << 20, file.path)):
                picture = cut(data, box, max(encoder.image_size, _SIDE), name=file.path)
            vector = np.ascontiguousarray(encoder.encode_images([picture])[0], dtype=np.float32)
            picture.thumbnail((_SIDE, _SIDE))
            small = io.BytesIO()
            picture.save(small, "WEBP", quality=_QUALITY)
            return Part(file.path, vector.tobytes(), small.getvalue())

        return self._parts.get((file.content_hash, file.path, box, engine.model), make)


def check_cells(engine: SearchEngine) -> None:
    """Raise ``Refused`` if the model gives no cells."""
    try:
        engine.encoder.check_cells()
    except ModelError as error:
        raise Refused(409, str(error)) from None


class _Latest(Generic[Value]):
    """The latest values by their keys."""

    def __init__(self) -> None:
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made if it is not kept."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = self._values[key] = make()
        while len(self._values) > _MOST:
            self._values.popitem(last=False)
        return value
