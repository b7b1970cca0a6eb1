"""A library of any size without photos, for measuring what size costs.

    python -m benchmarks.biglibrary 100000 /tmp/library-100k

The photos' vectors are spread as real ones are: each lies between two training photos of the default model
(from the bank that its calibration carries), at random, with noise. With --captions N every photo has N
captions, whose vectors are the photo's with more noise. Catalogue and index are written as `index` writes
them. The photo files do not exist, or, with --photos DIR, are files of one byte that look unchanged.
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.progress import Console
from twobranch.embedding.encoder import Encoder
from twobranch.indexer.catalog.connection import ACTIVE_MODEL, connect
from twobranch.indexer.catalog.reader import GALLERIES, CatalogReader
from twobranch.indexer.catalog.tables import Catalog, Model, Root, Setting, utcnow
from twobranch.indexer.vectors.index import update_index
from twobranch.retrieval.confidence import Calibration

BLOCK = 10_000
NOISE = 0.5  # length of the noise, against vectors of length 1
CAPTION_NOISE = 8.0  # rsum over 1,000 photos is then 359, about that of the default model on Flickr8k
PHOTOS_A_FOLDER = 1_000


def synthetic_vectors(n: int, seed: int = 0) -> Iterator[NDArray[np.float32]]:
    """(b, D) float32 unit rows, ``n`` in all. Block i is the same whatever ``n`` is."""
    encoder = Encoder.load("default")
    calibration = Calibration.load(encoder.folder, encoder.dim)
    assert calibration is not None
    bank = (
        calibration.background.images.rows.astype(np.float32) * calibration.background.images.scales[:, None]
    )
    for number, start in enumerate(range(0, n, BLOCK)):
        rng = np.random.default_rng((seed, number))
        share = rng.uniform(0, 1, size=(BLOCK, 1)).astype(np.float32)
        a, b = (bank[rng.integers(len(bank), size=BLOCK)] for _ in range(2))
        noise = rng.standard_normal((BLOCK, bank.shape[1]), dtype=np.float32)
        rows = share * a + (1 - share) * b + noise * np.float32(NOISE / np.sqrt(bank.shape[1]))
        yield (rows / np.linalg.norm(rows, axis=1, keepdims=True))[: n - start]


def caption_vectors(photos: NDArray[np.float32], each: int, seed: int) -> NDArray[np.float32]:
    """(N * each, D) float32 unit rows for (N, D) photos: ``each`` captions of the first, and so on."""
    rows = photos.repeat(each, axis=0)
    noise = np.random.default_rng(seed).standard_normal(rows.shape, dtype=np.float32)
    rows += noise * np.float32(CAPTION_NOISE / np.sqrt(rows.shape[1]))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def make_library(folder: Path, n: int, photos: Path | None = None, captions: int = 0) -> None:
    """A library of ``n`` photos with ``captions`` captions each, indexed with the default model.

    The folder must not exist yet.
    """
    encoder = Encoder.load("default")
    with closing(Catalog.open(folder, create=True)) as catalog, catalog.session(write=True) as session:
        model = Model(
            name=encoder.name,
            folder=str(encoder.folder),
            fingerprint=encoder.fingerprint,
            dim=encoder.dim,
            added_at=utcnow(),
        )
        session.add_all([Root(path=str(photos or "/photos")), model])
        session.flush()
        session.add(Setting(key=ACTIVE_MODEL, value=str(model.id)))
        model_id = model.id
        path = catalog.path
    now = utcnow().isoformat(sep=" ")
    with closing(connect(path)) as connection:
        first = 1
        for rows in synthetic_vectors(n):
            ids = range(first, first + len(rows))
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO images"
                " (id, root_id, path, size, mtime_ns, content_hash, width, height, indexed_at)"
                " VALUES (?, 1, ?, ?, ?, ?, 4000, 3000, ?)",
                (
                    (i, name, *_file(photos, name), hashlib.sha256(b"%d" % i).digest(), now)
                    for i in ids
                    for name in [f"{i // PHOTOS_A_FOLDER:05}/{i:08}.jpg"]
                ),
            )
            connection.executemany(
                "INSERT INTO image_vectors (id, model_id, image_id, vector) VALUES (?, ?, ?, ?)",
                ((i, model_id, i, row.tobytes()) for i, row in zip(ids, rows, strict=True)),
            )
            if captions:
                _add_captions(connection, model_id, ids, caption_vectors(rows, captions, seed=first))
            connection.execute("COMMIT")
            first += len(rows)
    with closing(CatalogReader.open(folder)) as reader:
        for kind in GALLERIES:
            update_index(reader, kind, model_id, encoder.dim, encoder.encode_texts, Console())


def _add_captions(
    connection: sqlite3.Connection, model_id: int, images: range, rows: NDArray[np.float32]
) -> None:
    """Captions of these images, as many each as there are rows for."""
    each = len(rows) // len(images)
    first = 1 + (images.start - 1) * each
    ids = range(first, first + len(rows))
    connection.execute(
        "INSERT OR IGNORE INTO corpora (id, path, format, size, mtime_ns, added_at)"
        " VALUES (1, '/captions.csv', 'csv', 0, 0, ?)",
        [utcnow().isoformat(sep=" ")],
    )
    connection.executemany(
        "INSERT INTO captions (id, corpus_id, position, text, image_name, image_id)"
        " VALUES (?, 1, ?, ?, '', ?)",
        ((i, i - 1, f"caption {i}", images.start + (i - first) // each) for i in ids),
    )
    connection.executemany(
        "INSERT INTO caption_vectors (id, model_id, caption_id, vector) VALUES (?, ?, ?, ?)",
        ((i, model_id, i, row.tobytes()) for i, row in zip(ids, rows, strict=True)),
    )


def _file(photos: Path | None, name: str) -> tuple[int, int]:
    """Size and time of a photo file, which is made if there is a folder for it."""
    if photos is None:
        return 3_000_000, 0
    path = photos / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return 1, path.stat().st_mtime_ns


@dataclass(frozen=True)
class Sizes:
    """Libraries that a benchmark was asked to measure, made when they are not there yet."""

    sizes: Sequence[int]  # in photos
    folder: Path | None  # where they are kept

    @classmethod
    def asked_for(cls, doc: str | None) -> Sizes:
        """As the command line of a benchmark with this docstring says."""
        parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
        parser.add_argument("sizes", type=int, nargs="+", help="how many photos")
        parser.add_argument("--folder", type=Path, help="where libraries are, and are kept")
        arguments = parser.parse_args()
        return cls(arguments.sizes, arguments.folder)

    def libraries(self, name: str = "library", captions: int = 0) -> Iterator[tuple[int, Path]]:
        """Each size and its library; those that are not kept are gone when the next one is asked for."""
        for size in self.sizes:
            with tempfile.TemporaryDirectory() as temporary:
                library = (self.folder or Path(temporary)) / f"{name}-{size}"
                if not library.exists():
                    make_library(library, size, captions=captions)
                yield size, library


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("n", type=int, help="how many photos")
    parser.add_argument("library", type=Path)
    parser.add_argument("--photos", type=Path, help="a folder for files that stand for photos")
    parser.add_argument("--captions", type=int, default=0, metavar="N", help="captions a photo")
    arguments = parser.parse_args()
    if arguments.library.exists():
        parser.error(f"{arguments.library} exists")
    started = time.perf_counter()
    make_library(arguments.library, arguments.n, arguments.photos, arguments.captions)
    size = sum(file.stat().st_size for file in arguments.library.iterdir()) / 1e6
    print(f"{arguments.n:,} photos in {time.perf_counter() - started:.0f} s, {size:,.0f} MB")


if __name__ == "__main__":
    main()
