from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, delete, func, inspect, select, text
from sqlalchemy.exc import IntegrityError

from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog import migrations
from twobranch.indexer.catalog.connection import ACTIVE_MODEL, CATALOG
from twobranch.indexer.catalog.library import find_library, library_for_indexing
from twobranch.indexer.catalog.tables import (
    Base,
    Caption,
    Catalog,
    Corpus,
    Counts,
    Evaluation,
    EvaluationDirection,
    EvaluationRecall,
    Image,
    ImageVector,
    Model,
    Root,
    Setting,
    active_model,
    count_items,
    image_file,
    utcnow,
)


@pytest.fixture
def catalog(library: Path) -> Iterator[Catalog]:
    with closing(Catalog.open(library, create=True)) as catalog:
        yield catalog


def image(root: Root, path: str, **values: object) -> Image:
    return Image(root=root, path=path, size=1, mtime_ns=1, indexed_at=utcnow(), **values)


def model(name: str = "m", fingerprint: str = "f") -> Model:
    return Model(name=name, folder="/m", fingerprint=fingerprint, dim=4, added_at=utcnow())


def test_a_missing_library_names_the_command_that_creates_one(library: Path) -> None:
    with pytest.raises(LibraryError, match="`index PATH` creates a library"):
        Catalog.open(library)
    assert not library.exists()


def test_migrations_create_the_tables_that_are_mapped(catalog: Catalog, tmp_path: Path) -> None:
    mapped = tmp_path / "mapped.sqlite"
    engine = create_engine(f"sqlite:///{mapped}")
    Base.metadata.create_all(engine)
    engine.dispose()
    assert schema(catalog.path) == schema(mapped)


def schema(path: Path) -> dict[str, object]:
    """Columns, foreign keys and indexed columns of every table, in no order."""
    with closing(sqlite3.connect(path)) as connection:

        def pragma(name: str, argument: str) -> list[tuple[object, ...]]:
            return connection.execute(f"PRAGMA {name}({argument})").fetchall()

        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            table: (
                "AUTOINCREMENT" in (sql or ""),
                # REAL, FLOAT and DOUBLE are one type to SQLite.
                {
                    (name, re.sub("FLOAT|DOUBLE", "REAL", str(kind)), required, key)
                    for _, name, kind, required, _, key in pragma("table_info", table)
                },
                {tuple(row[2:]) for row in pragma("foreign_key_list", table)},
                {
                    (unique, *(column for _, _, column in pragma("index_info", str(name))))
                    for _, name, unique, _, _ in pragma("index_list", table)
                },
            )
            for table, sql in tables
        }


def test_ids_are_never_given_out_twice(catalog: Catalog) -> None:
    with catalog.session() as session:
        session.add(model(fingerprint="a"))
    with catalog.session() as session:
        session.execute(delete(Model))
        session.add(model(fingerprint="b"))
    with catalog.session() as session:
        assert session.scalars(select(Model.id)).all() == [2]


def test_what_a_session_did_is_undone_when_it_raises(catalog: Catalog) -> None:
    with pytest.raises(RuntimeError), catalog.session() as session:
        session.add(model())
        session.flush()
        raise RuntimeError
    with catalog.session() as session:
        assert session.scalars(select(Model)).all() == []


@pytest.mark.parametrize("name", ["plain.jpg", "grün/日本.jpg", os.fsdecode(b"caf\xe9/\xff.jpg")])
def test_file_names_survive_whatever_their_bytes(catalog: Catalog, name: str) -> None:
    with catalog.session() as session:
        root = Root(path=f"/photos/{name}")
        session.add(image(root, name))
    with catalog.session() as session:
        found = session.scalars(select(Image).where(Image.path == name)).one()
    assert found.path == name
    assert image_file(found) == Path(f"/photos/{name}", name)
    assert os.fsencode(image_file(found)) == os.fsencode(f"/photos/{name}/{name}")


def test_a_path_is_unique_within_its_root(catalog: Catalog) -> None:
    with pytest.raises(IntegrityError), catalog.session() as session:
        root = Root(path="/photos")
        session.add_all([image(root, "a.jpg"), image(root, "a.jpg")])


def test_vectors_go_with_their_photo_and_captions_stay(catalog: Catalog) -> None:
    with catalog.session() as session:
        photo = image(Root(path="/photos"), "a.jpg")
        corpus = Corpus(path="/c.csv", format="csv", size=1, mtime_ns=1, added_at=utcnow())
        session.add_all([photo, corpus, model()])
        session.flush()
        session.add(ImageVector(model_id=1, image_id=photo.id, vector=bytes(16)))
        session.add(Caption(corpus_id=corpus.id, position=0, text="a cat", image_id=photo.id))
    with catalog.session() as session:
        session.execute(delete(Image))
    with catalog.session() as session:
        assert session.scalar(select(func.count()).select_from(ImageVector)) == 0
        assert session.scalars(select(Caption.image_id)).all() == [None]


def test_an_evaluation_outlives_its_model(catalog: Catalog) -> None:
    with catalog.session() as session:
        session.add(model(name="default"))
        session.flush()
        evaluation = Evaluation(
            created_at=utcnow(), model_id=1, model_name="default", split="test", n_images=2, n_captions=10,
            exact=True, rsum=214.1, rsum_low=200.0, rsum_high=230.0, command="eval",
        )  # fmt: skip
        evaluation.directions.append(
            EvaluationDirection(
                direction="text_to_image", n_queries=10, n_gallery=2, median_rank=1.0, mean_rank=1.5
            )
        )
        for k, recall in ((5, 37.4), (1, 13.8)):
            evaluation.recalls.append(
                EvaluationRecall(direction="text_to_image", k=k, recall=recall, low=0.0, high=100.0)
            )
        session.add(evaluation)
    with catalog.session() as session:
        session.execute(delete(Model))
    with catalog.session() as session:
        evaluation = session.scalars(select(Evaluation)).one()
        assert (evaluation.model_id, evaluation.model_name) == (None, "default")
        assert [(recall.k, recall.recall) for recall in evaluation.recalls] == [(1, 13.8), (5, 37.4)]
        assert evaluation.directions[0].mean_rank == 1.5


def test_counts_and_the_active_model(catalog: Catalog) -> None:
    with catalog.session() as session:
        assert active_model(session) is None
        assert count_items(session) == Counts(0, 0, 0, 0, 0, 0, 0)
        root = Root(path="/photos")
        session.add_all([image(root, "a.jpg"), image(root, "b.jpg", failure="truncated")])
        session.add_all([model("old", "1"), model("new", "2")])
        session.flush()
        session.add_all(ImageVector(model_id=id, image_id=1, vector=bytes(16)) for id in (1, 2))
        session.add(Setting(key=ACTIVE_MODEL, value="2"))
    with catalog.session() as session:
        active = active_model(session)
        assert active is not None and active.name == "new"
        counts = count_items(session)
    # The other model's vector does not count.
    assert (counts.photos, counts.searchable_photos, counts.failed_photos) == (2, 1, 1)


def test_connections_wait_for_each_other_and_hold_foreign_keys(catalog: Catalog) -> None:
    with catalog.session() as session:
        pragmas = [
            session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        ]
    assert pragmas == ["wal", 1, 30_000, 2]  # 2: synced at each commit


# --- files that are not what they should be -----------------------------------------------------


def test_a_catalogue_of_a_newer_program_is_refused_and_left_alone(library: Path) -> None:
    Catalog.open(library, create=True).close()
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LibraryError, match=r"catalog\.sqlite: .*schema 99, this program knows \d"):
        Catalog.open(library)
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (99,)


def test_an_older_catalogue_is_copied_and_migrated(library: Path) -> None:
    with closing(Catalog.open(library, create=True)) as catalog, catalog.session() as session:
        session.add(Root(path="/photos"))
    path = library / CATALOG
    latest = migrations.LATEST
    another = migrations.Migration(
        latest + 1, ("ALTER TABLE roots ADD COLUMN label TEXT", "UPDATE roots SET label = 'x'")
    )

    migrations.upgrade(path, [*migrations.MIGRATIONS, another])

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (latest + 1,)
        assert connection.execute("SELECT path, label FROM roots").fetchall() == [("/photos", "x")]
    with closing(sqlite3.connect(library / f"catalog.sqlite.v{latest}.bak")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (latest,)
        assert connection.execute("SELECT * FROM roots").fetchall() == [(1, "/photos")]


def test_the_copy_is_made_while_nobody_else_may_write(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else another process could migrate the catalogue before it is copied, and the old one would be lost."""
    Catalog.open(library, create=True).close()
    path, real, copied = library / CATALOG, migrations._back_up, []

    def back_up(of: Path) -> None:
        with (
            closing(sqlite3.connect(of, timeout=0, isolation_level=None)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("BEGIN IMMEDIATE")
        real(of)
        copied.append(of)

    monkeypatch.setattr(migrations, "_back_up", back_up)
    another = migrations.Migration(migrations.LATEST + 1, ("ALTER TABLE roots ADD COLUMN label TEXT",))
    migrations.upgrade(path, [*migrations.MIGRATIONS, another])
    assert copied == [path]


def test_a_migration_that_fails_changes_nothing(library: Path) -> None:
    Catalog.open(library, create=True).close()
    broken = migrations.Migration(
        migrations.LATEST + 1, ("ALTER TABLE roots ADD COLUMN label TEXT", "UPDATE nowhere SET label = 1")
    )
    with pytest.raises(sqlite3.OperationalError):
        migrations.upgrade(library / CATALOG, [*migrations.MIGRATIONS, broken])
    with closing(Catalog.open(library)) as catalog:
        assert [c["name"] for c in inspect(catalog._engine).get_columns("roots")] == ["id", "path"]


def test_a_file_that_is_not_sqlite_is_refused(library: Path) -> None:
    library.mkdir()
    (library / CATALOG).write_bytes(b"not a database, but long enough to look like one" * 40)
    with pytest.raises(LibraryError, match=r"catalog\.sqlite: .*not a database.*`doctor --repair`"):
        Catalog.open(library)


def test_another_programs_database_is_refused(library: Path) -> None:
    library.mkdir()
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(LibraryError, match="some other SQLite file"):
        Catalog.open(library, create=True)


def test_damage_inside_the_file_is_one_line(library: Path) -> None:
    Catalog.open(library, create=True).close()
    path = library / CATALOG
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)  # all but the first page
    path.write_bytes(data)
    with (
        pytest.raises(LibraryError, match=r"catalog\.sqlite: .*malformed; .*`doctor --repair`"),
        closing(Catalog.open(library)) as catalog,
        catalog.session() as session,
    ):
        session.scalars(select(Image)).all()


def test_a_library_that_cannot_be_written_to_is_read(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Catalog.open(library, create=True)) as catalog, catalog.session() as session:
        session.add(Root(path="/photos"))
    before = sorted(path.name for path in library.iterdir())
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write everywhere
    with closing(Catalog.open(library)) as catalog:
        with catalog.session() as session:
            assert session.scalars(select(Root.path)).all() == ["/photos"]
        with pytest.raises(LibraryError, match="read-only"), catalog.session() as session:
            session.add(Root(path="/more"))
    assert sorted(path.name for path in library.iterdir()) == before


# --- which library ------------------------------------------------------------------------------


def test_the_nearest_library_upwards_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWOBRANCH_LIBRARY", raising=False)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    with pytest.raises(LibraryError, match="`index PATH` creates one"):
        find_library()
    assert library_for_indexing() == below / ".twobranch"

    (tmp_path / ".twobranch").mkdir()
    assert find_library() == library_for_indexing() == tmp_path / ".twobranch"

    (tmp_path / "other").mkdir()
    monkeypatch.setenv("TWOBRANCH_LIBRARY", str(tmp_path / "other"))
    assert find_library() == library_for_indexing() == tmp_path / "other"
    assert find_library(tmp_path / "a") == library_for_indexing(tmp_path / "a") == tmp_path / "a"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no owners of files")
def test_the_library_of_another_user_is_used_only_if_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TWOBRANCH_LIBRARY", raising=False)
    (tmp_path / ".twobranch").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_library() == tmp_path / ".twobranch"
    us = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)
    for find in (find_library, library_for_indexing):
        with pytest.raises(
            LibraryError, match="belongs to another user; if you trust it, name it with --library"
        ):
            find()
        assert find(tmp_path / ".twobranch") == tmp_path / ".twobranch"


def test_a_named_library_must_exist_to_be_searched(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="no such library"):
        find_library(tmp_path / "nowhere")
    assert library_for_indexing(tmp_path / "nowhere") == tmp_path / "nowhere"


def test_the_folder_around_a_library_stands_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "photos/.twobranch"
    library.mkdir(parents=True)
    assert find_library(tmp_path / "photos") == library_for_indexing(tmp_path / "photos") == library
    monkeypatch.setenv("TWOBRANCH_LIBRARY", str(tmp_path / "photos"))
    assert find_library() == library_for_indexing() == library
    (tmp_path / "photos/catalog.sqlite").touch()  # a library itself
    assert find_library() == tmp_path / "photos"
