"""One process at a time changes a library, and the others are told which one it is."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from tests.waiting import PATIENCE
from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.lock import Holder, indexing_lock


def test_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twobranch.indexer.catalog.lock.PATIENCE", 0)
    with (
        indexing_lock(tmp_path, "relocate"),
        pytest.raises(
            LibraryError, match=rf"another `relocate` is at work on it \(process {os.getpid()}, since"
        ),
        indexing_lock(tmp_path),
    ):
        pass
    with indexing_lock(tmp_path):  # free again
        pass


def test_a_short_work_is_waited_for(tmp_path: Path) -> None:
    held, notes = threading.Event(), []

    def work() -> None:
        with indexing_lock(tmp_path, "forget"):
            held.set()
            time.sleep(0.3)

    thread = threading.Thread(target=work)
    thread.start()
    assert held.wait(PATIENCE)
    with indexing_lock(tmp_path, note=notes.append):
        thread.join()
    (note,) = notes
    assert "another `forget` is at work" in note and note.endswith("; waiting for up to 10 seconds")


def test_who_it_is_may_be_unknown_but_never_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twobranch.indexer.catalog.lock.PATIENCE", 0)
    dead = tmp_path / "index.lock.json"
    dead.write_text(json.dumps({"work": "index", "pid": 1, "host": "here", "since": 0}))

    def full(*arguments: object, **named: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with (
        indexing_lock(tmp_path),
        pytest.raises(LibraryError, match="another command is at work on it; try"),
        indexing_lock(tmp_path),
    ):
        pass


def test_another_machine_is_named_and_another_day() -> None:
    elsewhere = Holder("index", 7, "nas", time.mktime((2020, 2, 3, 4, 5, 6, 0, 0, -1)))
    assert str(elsewhere) == "another `index` is at work on it (process 7 on nas, since 2020-02-03 04:05)"


def test_a_damaged_lock_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "index.lock").write_bytes(b"this is no SQLite file, but long enough to look like one" * 9)
    with (
        pytest.raises(LibraryError, match=r"damaged; `doctor --repair`"),
        indexing_lock(tmp_path),
    ):
        pass
