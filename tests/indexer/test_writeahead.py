"""Folding a write-ahead log into its file by hand does what SQLite does."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from twobranch.indexer.catalog.write_ahead import fold_log


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A file and its log, as a power cut leaves them: three transactions, the last one of many pages."""
    live = tmp_path / "live"
    with closing(sqlite3.connect(live, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        for n in (1, 1, 20):
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO t VALUES (randomblob(3000))", [()] * n)
            connection.execute("COMMIT")
        for suffix in ("", "-wal"):
            shutil.copy(f"{live}{suffix}", tmp_path / f"file{suffix}")
    return tmp_path / "file", tmp_path / "file-wal"


def rows(path: Path) -> list[bytes]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row for (row,) in connection.execute("SELECT x FROM t ORDER BY rowid")]


def fold(path: Path, log: Path) -> int:
    with path.open("r+b") as file:
        return fold_log(log, file)


@pytest.mark.parametrize("cut", [1.0, 0.9, 0.3, 0.1, 0.0])
def test_as_sqlite_does_it_however_much_of_the_log_there_is(
    pair: tuple[Path, Path], tmp_path: Path, cut: float
) -> None:
    path, log = pair
    log.write_bytes(log.read_bytes()[: int(cut * log.stat().st_size)])
    folded = shutil.copy(path, tmp_path / "folded")
    written = fold(folded, log)
    assert (written > 0) == (cut > 0)
    assert fold(folded, log) == written  # once more: nothing changes
    expected = rows(path)  # SQLite takes in the log, and deletes it
    assert rows(folded) == expected
    assert len(expected) == {1.0: 22, 0.0: 0}.get(cut, len(expected))


def test_a_file_beside_its_log_is_the_same_with_it_and_without(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    path, log = pair
    folded = shutil.copy(path, tmp_path / "folded")
    fold(folded, log)
    shutil.copy(log, tmp_path / "folded-wal")
    assert rows(folded) == rows(path)


def test_a_damaged_frame_ends_the_log(pair: tuple[Path, Path], tmp_path: Path) -> None:
    path, log = pair
    data = bytearray(log.read_bytes())
    data[-100] ^= 1
    log.write_bytes(data)
    folded = shutil.copy(path, tmp_path / "folded")
    fold(folded, log)
    assert len(rows(folded)) == len(rows(path)) == 2  # without the last transaction


def test_what_is_no_log_changes_nothing(pair: tuple[Path, Path]) -> None:
    path, log = pair
    before = path.read_bytes()
    for data in (b"", b"short", bytes(5000), b"no log of SQLite, though long enough" * 100):
        log.write_bytes(data)
        assert fold(path, log) == 0
    log.unlink()
    assert fold(path, log) == 0
    assert path.read_bytes() == before
