"""A library to be tortured, and what must hold of it after anything at all."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import images, write_captions
from tests.torture.zygote import ENCODED, POINTS
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.fulltext import drop_damaged_words
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tables import Catalog, active_model
from twobranch.indexer.vectors.exact import open_exact
from twobranch.retrieval.display.status import library_status


@dataclass(frozen=True)
class Place:
    """A folder with photos, each of a colour of its own, a caption for each, and their library."""

    folder: Path

    @property
    def library(self) -> Path:
        return self.folder / ".twobranch"

    @property
    def photos(self) -> Path:
        return self.folder / "photos"

    @property
    def captions(self) -> Path:
        return self.folder / "captions.csv"

    @classmethod
    def make(cls, folder: Path, n: int, random: Random) -> Place:
        """``n`` photos in two folders, one of them damaged."""
        place = cls(folder)
        colors = random.sample(range(1 << 24), n)
        for number, color in enumerate(colors):
            red, green, blue = color.to_bytes(3, "big")
            write_photo(place.photos / f"{number % 2}/{number}.png", (red, green, blue))
        (place.photos / "damaged.png").write_bytes(b"\x89PNG no more")
        names = [f"{number % 2}/{number}.png" for number in range(n)]
        write_captions(place.captions, {name: f"red photo {i}" for i, name in enumerate(names)})
        return place

    @property
    def n_photos(self) -> int:
        """The photos that can be read."""
        return sum(path.name != "damaged.png" for path in self.photos.rglob("*.png"))

    def points(self) -> int:
        """How many points the last command came to that ended well."""
        return int((self.folder / POINTS).read_text())

    def encoded(self) -> list[str]:
        """What was encoded since the last call, as in ``committed``."""
        log = self.folder / ENCODED
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def keep(self) -> None:
        """Remembers the library as it is, for ``restore``."""
        kept = self.folder / "kept"
        shutil.rmtree(kept, ignore_errors=True)
        if self.library.exists():
            shutil.copytree(self.library, kept)

    def restore(self) -> None:
        shutil.rmtree(self.library, ignore_errors=True)
        if (self.folder / "kept").exists():
            shutil.copytree(self.folder / "kept", self.library)

    def committed(self, fingerprint: str = "fake-1") -> set[str]:
        """The vectors of photos, in hexadecimal, and the texts, that a model has encoded."""
        if not (self.library / CATALOG).exists():
            return set()
        with closing(Catalog.open(self.library)):  # makes the tables, where it died before
            pass
        with closing(sqlite3.connect(self.library / CATALOG)) as connection:
            photos = connection.execute(
                "SELECT vector FROM image_vectors v JOIN models m ON m.id = v.model_id WHERE fingerprint = ?",
                [fingerprint],
            ).fetchall()
            texts = connection.execute(
                "SELECT text FROM caption_vectors v JOIN captions c ON c.id = v.caption_id"
                " JOIN models m ON m.id = v.model_id WHERE fingerprint = ?",
                [fingerprint],
            ).fetchall()
        return {vector.hex() for (vector,) in photos} | {text for (text,) in texts}

    def check(self, *, new: int | None = None) -> None:
        """The library opens, SQLite finds no fault in it, `status` is true (and
        counts so many photos that `index` would find ``new``), every vector is that of its own
        photo or caption, in the catalogue and in the index files, and the words are right."""
        if not (self.library / CATALOG).exists():
            return  # died before there was one
        with closing(Catalog.open(self.library)) as catalog:
            with catalog.session() as session:
                model = active_model(session)
            with closing(sqlite3.connect(self.library / CATALOG)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
                drop_damaged_words(connection)
                connection.rollback()
                assert connection.execute("SELECT * FROM stale_captions").fetchall() == []
                first: dict[object, int] = {}
                for id_, about, text, same_as in connection.execute(
                    "SELECT id, COALESCE(image_id, image_name), text, same_as FROM captions ORDER BY id"
                ).fetchall():
                    caption = first.setdefault((about, text), id_)
                    assert same_as == (None if caption == id_ else caption)
                there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
                written = connection.execute("SELECT EXISTS (SELECT 1 FROM images)").fetchone()[0]
                assert "words" in there or not written
        if model is None:
            return
        self._check_vectors(model.id)
        rows = images(self.library)
        status = library_status(self.library)
        readable = {path for path, image in rows.items() if image.failure is None}
        assert status["photos"] == len(rows)
        assert status["searchable_photos"] + len(status["without_vector"]) == len(readable)
        assert {fact["path"] for fact in status["failed"]} == {
            str(self.folder / path) for path in rows.keys() - readable
        }
        if new is not None:
            assert status["changes"]["new"] == new

    def unknown(self) -> int:
        """How many photos on disk the library has no row of."""
        with closing(sqlite3.connect(self.library / CATALOG)) as connection:
            rows = {path for (path,) in connection.execute("SELECT path FROM images")}
        return len({path.relative_to(self.photos).as_posix() for path in self.photos.rglob("*.png")} - rows)

    def _check_vectors(self, model_id: int) -> None:
        fake = FakeEncoder()
        with closing(sqlite3.connect(self.library / CATALOG)) as connection:
            photos = connection.execute(
                "SELECT v.id, v.model_id, v.vector, r.path || '/' || i.path, i.size, i.mtime_ns, i.failure"
                " FROM image_vectors v JOIN images i ON i.id = v.image_id JOIN roots r ON r.id = i.root_id"
            ).fetchall()
            texts = connection.execute(
                "SELECT v.id, v.model_id, v.vector, text"
                " FROM caption_vectors v JOIN captions c ON c.id = v.caption_id"
            ).fetchall()
        for _, _, vector, path, size, mtime_ns, failure in photos:
            assert failure is None
            status = Path(path).stat() if Path(path).exists() else None
            if status is not None and (status.st_size, status.st_mtime_ns) == (size, mtime_ns):
                assert vector == fake.encode_images([path]).tobytes(), path
        for _, _, vector, text in texts:
            assert vector == fake.encode_texts([text]).tobytes(), text
        for kind, rows in (("images", photos), ("captions", texts)):
            stored = {id_: vector for id_, model, vector, *_ in rows if model == model_id}
            with closing(CatalogReader.open(self.library)) as reader:
                found = open_exact(reader, kind, model_id, fake.dim)  # type: ignore[arg-type]
            assert {id_: found.vectors([id_]).tobytes() for id_ in found.ids.tolist()} == stored
