"""Keeping a library current: with changes made up, and with real ones on disk."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, RecordedProgress, write_photo, write_photos
from tests.indexing import check, images, index
from twobranch.common.errors import UserError
from twobranch.indexer.catalog.lock import indexing_lock
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.update.library import IndexReport, update_library
from twobranch.indexer.update.remembered import known_roots
from twobranch.indexer.update.watch import Source, WatchStats, changes_on_disk, keep_current
from twobranch.retrieval.display.status import library_status


class Watched:
    """A library under watch; ``script`` acts between changes: each step returns the paths that changed."""

    def __init__(
        self, library: Path, encoder: FakeEncoder, script: Sequence[Callable[[], set[Path]]]
    ) -> None:
        self.library = library
        self.encoder = encoder
        self.progress = RecordedProgress()
        self.kept = WatchStats()
        self.refreshed: list[list[str]] = []
        self.watched: list[list[str]] = []
        self._script = iter(script)

    def source(self, roots: Sequence[Path]) -> Iterator[set[Path]]:
        self.watched.append([root.name for root in roots])
        if len(self.watched) == 1:
            yield set()  # as soon as changes are seen
        for step in self._script:
            yield step()

    def refresh(self, roots: Sequence[Path]) -> IndexReport:
        self.refreshed.append([root.name for root in roots])
        return update_library(self.library, [], self.encoder, within=roots)

    def run(self, source: Source | None = None) -> None:
        with closing(Catalog.open(self.library)) as catalog:
            keep_current(
                lambda: known_roots(catalog), self.refresh, source or self.source, self.kept, self.progress
            )


@pytest.fixture
def two(library: Path, tmp_path: Path, encoder: FakeEncoder) -> Path:
    """The place of a library with the roots ``one`` and ``two``."""
    write_photos(tmp_path, {"one/a.png": "red", "two/b.png": "blue"})
    index(library, [tmp_path / "one", tmp_path / "two"], encoder)
    return tmp_path


def test_only_the_roots_that_changed_are_refreshed(library: Path, two: Path, encoder: FakeEncoder) -> None:
    write_photo(two / "one/before.png", "white")  # while nobody watched
    watched = Watched(
        library,
        encoder,
        [
            set,  # nothing happens
            lambda: {write_photo(two / "two/c.png", "yellow")},
            lambda: {(two / "one/a.png").unlink() or two / "one/a.png"},
        ],
    )
    watched.run()
    assert watched.refreshed == [["one", "two"], ["two"], ["one"]]
    assert watched.kept == WatchStats(refreshes=3, added=2, removed=1)
    assert [note.partition(" ")[2] for note in watched.progress.notes] == ["1 added", "1 added", "1 removed"]
    check(library)


def test_an_error_is_said_once_and_the_refresh_is_tried_again(
    library: Path, two: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twobranch.indexer.catalog.lock.PATIENCE", 0)
    lock = indexing_lock(library)

    def another_index_begins() -> set[Path]:
        lock.__enter__()
        return {write_photo(two / "one/c.png", "yellow")}

    def it_ends() -> set[Path]:
        lock.__exit__(None, None, None)
        return set()

    # Tried again after a tick, then after two; a change would not wait.
    watched = Watched(library, encoder, [another_index_begins, set, it_ends, set])
    watched.run()
    assert watched.refreshed == [["one", "two"], ["one"], ["one"], ["one"]]
    (warning,) = watched.progress.warnings
    assert "another `index` is at work" in warning and warning.endswith("; tried again later")
    assert watched.kept.added == 1


def test_a_root_that_vanishes_is_kept_and_refreshed_when_it_is_back(
    library: Path, two: Path, encoder: FakeEncoder
) -> None:
    def unplugged() -> set[Path]:
        (two / "two").rename(two / "unplugged")
        return {two / "two/b.png"}

    def plugged_in_again() -> set[Path]:
        write_photo(two / "unplugged/c.png", "yellow")
        (two / "unplugged").rename(two / "two")
        return set()

    watched = Watched(
        library,
        encoder,
        [unplugged, lambda: {write_photo(two / "one/d.png", "black")}, plugged_in_again, set],
    )
    watched.run()
    assert watched.watched == [["one", "two"], ["one"], ["one", "two"]]
    assert watched.refreshed == [["one", "two"], ["one"], ["two"]]
    assert watched.kept == WatchStats(refreshes=3, added=2)
    assert f"{two / 'two'} is gone; watching it continues when it is back" in watched.progress.notes
    assert sorted(images(library)) == ["one/a.png", "one/d.png", "two/b.png", "two/c.png"]


def test_ctrl_c_keeps_what_was_done(library: Path, two: Path) -> None:
    write_photos(two, {"one/c.png": "yellow"})
    watched = Watched(library, FakeEncoder(), [lambda: {write_photo(two / "one/d.png", "black")}])
    watched.encoder.interrupt_after = 1  # the second photo to encode is interrupted
    with pytest.raises(KeyboardInterrupt):
        watched.run()
    assert watched.kept == WatchStats(refreshes=1, added=1)
    assert "one/c.png" in images(library)


def test_without_watchfiles_the_line_to_type_is_named(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(
        UserError, match=r"watching needs the package watchfiles; install it with: .*\[watch\]'"
    ):
        changes_on_disk(library, threading.Event())


def test_the_disk_is_watched_until_it_is_asked_to_stop(library: Path, two: Path) -> None:
    """As ``watch`` asks when a Ctrl-C was dropped by Python, in the midst of a refresh perhaps."""
    pytest.importorskip("watchfiles")
    stop = threading.Event()
    disk = changes_on_disk(library, stop)([two / "one"])
    assert next(iter(disk)) == set()
    threading.Timer(0.1, stop.set).start()
    assert not any(disk)  # and it ends
    assert list(changes_on_disk(library, stop)([two / "one"])) == []


def test_a_real_burst_of_files_is_few_refreshes(library: Path, two: Path, encoder: FakeEncoder) -> None:
    """2,000 files and a moved folder, with the library's own folder inside the root; some seconds."""
    pytest.importorskip("watchfiles")
    library.rename(two / "one/.twobranch")
    library = two / "one/.twobranch"
    watched = Watched(library, encoder, [])
    disk = changes_on_disk(library, threading.Event())

    def until_done(roots: Sequence[Path]) -> Iterator[set[Path]]:
        ticks = 0
        copying = None
        for changed in disk(roots):
            yield changed
            if copying is None:
                copying = threading.Thread(target=burst, args=(two,))
                copying.start()
            elif not copying.is_alive() and not changed:
                ticks += 1  # quiet again
            if ticks == 2:
                return

    def burst(two: Path) -> None:
        for number in range(2000):
            write_photo(two / f"one/new/{number}.png", (number % 256, number // 256, 7))
        shutil.move(two / "one/new", two / "two/new")

    watched.run(until_done)
    assert len(list((two / "two/new").iterdir())) == 2000
    assert library_status(library)["photos"] == 2002
    assert watched.kept.added == 2000
    assert watched.kept.refreshes <= 4  # the first, and the burst in one or a few pieces
