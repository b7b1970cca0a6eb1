"""The statements of a search give what SQLAlchemy reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from twobranch.common.errors import LibraryError
from twobranch.embedding.model_folder import Variant
from twobranch.indexer.catalog.connection import ACTIVE_MODEL, CATALOG
from twobranch.indexer.catalog.reader import CatalogReader, Found, LibraryModel
from twobranch.indexer.catalog.tables import (
    Caption,
    CaptionVector,
    Catalog,
    Corpus,
    Image,
    ImageVector,
    Model,
    Root,
    Setting,
    utcnow,
)

NOT_UTF8 = "caf\udce9.jpg"  # as os.fsdecode reads Latin-1
TAKEN_AT = datetime(2020, 2, 3, 4, 5, 6)
WRITTEN_AT = datetime.fromtimestamp(0)  # by this computer's clock


@pytest.fixture
def reader(library: Path) -> Iterator[CatalogReader]:
    """Two models, three photos with vectors of both, and two captions, one of a photo that is not here."""
    with closing(Catalog.open(library, create=True)) as catalog, catalog.session() as session:
        session.add_all([Root(path="/photos"), Root(path=f"/other/{NOT_UTF8}")])
        for name in ("a", "b"):
            session.add(Model(name=name, folder="/m", fingerprint=f"print-{name}", dim=2, added_at=utcnow()))
        for root, path, date in ((1, "x.jpg", TAKEN_AT), (1, NOT_UTF8, None), (2, "sub/y.jpg", None)):
            session.add(
                Image(root_id=root, path=path, size=1, mtime_ns=1, indexed_at=utcnow(), taken_at=date)
            )
        session.flush()
        known = session.get_one(Image, 1)
        known.width, known.height, known.content_hash = 40, 30, bytes(32)
        session.add(Corpus(path="/c.csv", format="csv", size=1, mtime_ns=1, added_at=utcnow()))
        session.flush()
        session.add(Caption(corpus_id=1, position=0, text="a dog", image_id=1))
        session.add(Caption(corpus_id=1, position=1, text="a cat"))
        session.flush()
        for model in (1, 2):
            session.add_all(
                ImageVector(model_id=model, image_id=image, vector=bytes([model, image]))
                for image in (1, 2, 3)
            )
            session.flush()
        session.add_all(CaptionVector(model_id=1, caption_id=i, vector=bytes([9, i])) for i in (1, 2))
        session.add(Setting(key=ACTIVE_MODEL, value="2"))
    with closing(CatalogReader.open(library)) as reader:
        yield reader


def test_the_active_model(reader: CatalogReader) -> None:
    model = reader.active_model()
    assert model == LibraryModel(2, "b", "print-b", 2)
    assert (model.label, model.variant) == ("b", Variant())


def test_a_library_without_anything_has_no_model(library: Path) -> None:
    Catalog.open(library, create=True).close()
    with closing(CatalogReader.open(library)) as reader:
        assert reader.active_model() is None
        assert reader.count_vectors("images", 1) == 0
        assert reader.state("images", 1) is None


def test_vectors_of_one_model(reader: CatalogReader) -> None:
    # Image vectors 1-3 are model 1's, 4-6 model 2's.
    assert reader.count_vectors("images", 2) == 3
    assert reader.count_vectors("images", 2, after=4) == 2
    assert reader.vector_ids("images", 2).tolist() == [4, 5, 6]
    assert reader.vector_ids("images", 2, after=5).tolist() == [6]
    assert reader.vectors_after("images", 2, 4, 10) == [(5, b"\x02\x02"), (6, b"\x02\x03")]
    assert reader.vectors_after("images", 2, 0, 1) == [(4, b"\x02\x01")]
    assert reader.vectors("images", [1, 6, 99]) == {1: b"\x01\x01", 6: b"\x02\x03"}
    assert reader.vector_ids("captions", 2).tolist() == []


def test_what_vectors_stand_for(reader: CatalogReader) -> None:
    assert reader.found("images", [4, 5, 6, 99]) == {
        4: Found(Path("/photos/x.jpg"), None, TAKEN_AT, "photo", 1, 40, 30, "00" * 8),
        5: Found(Path("/photos", NOT_UTF8), None, WRITTEN_AT, "file", photo=2),
        6: Found(Path("/other", NOT_UTF8, "sub/y.jpg"), None, WRITTEN_AT, "file", photo=3),
    }
    assert reader.found("captions", [1, 2]) == {
        1: Found(Path("/photos/x.jpg"), "a dog", TAKEN_AT, "photo", 1, 40, 30, "00" * 8),
        2: Found(None, "a cat"),
    }


def test_more_ids_than_a_statement_takes(reader: CatalogReader) -> None:
    assert len(reader.found("images", [*range(1000, 3000), 1])) == 1


def test_a_damaged_catalogue_is_one_line(library: Path) -> None:
    Catalog.open(library, create=True).close()
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'image_vectors'")
        ((size,),) = connection.execute("PRAGMA page_size")
    content = bytearray((library / CATALOG).read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    (library / CATALOG).write_bytes(content)
    with closing(CatalogReader.open(library)) as reader:
        with pytest.raises(LibraryError, match="malformed; damaged"):
            reader.vectors("images", [1])
        with pytest.raises(LibraryError, match="malformed; damaged"), reader.snapshot():
            reader.vectors("images", [1])
