"""Whatever happens to photos and library, in whatever order: it holds what a plain dictionary says.

Hypothesis makes up histories of a few photos, folders and captions and of the commands in between, some of
which are broken off, and shortens one that ends in a contradiction. ``plainlibrary.Plain`` says what must
come of each.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.indexing import in_batches
from tests.torture.changingdisk import FOLDERS, NAMES, Disk, files, folders
from tests.torture.conftest import Rounds
from tests.torture.holding import check_hits, stored_in
from tests.torture.plainlibrary import Plain
from tests.torture.plainmodels import COLORS, MODELS, PNGS, encoder_of
from twobranch.common.errors import UserError
from twobranch.indexer.maintenance.relocate import forget, relocate
from twobranch.indexer.maintenance.vacuum import vacuum
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.engine import SearchEngine

SEARCHES = "searches that found what they must, and no more"

paths = st.one_of(folders, folders, files)


class Crash(Exception):
    """What is thrown in at a commit."""


@contextmanager
def crash_at_commit(n: int) -> Iterator[None]:
    """The ``n``-th transaction from now on fails as it is about to be committed."""
    commits = itertools.count(1)

    def before_commit(session: Session) -> None:
        if next(commits) == n:
            raise Crash

    event.listen(Session, "before_commit", before_commit)
    try:
        yield
    finally:
        event.remove(Session, "before_commit", before_commit)


class Library(Disk):
    """A disk, a library over it, and the plain one that says what it must hold."""

    tally: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.library = self.top / ".twobranch"
        self.plain = Plain(self.top, {data: color for color, data in PNGS.items()})
        self.fingerprint = "fake-1"
        self.engine: SearchEngine | None = None  # kept open over all that happens

    def teardown(self) -> None:
        if self.engine is not None:
            self.engine.close()
        super().teardown()

    def index_again(self) -> None:
        if self.is_made:
            self.run([], None, False, 32)

    @initialize(
        colors=st.lists(st.sampled_from([*COLORS]), min_size=4, max_size=4),
        named=st.sampled_from([["one", "two"], ["one", "two"], ["one/sub", "two"], ["one/a.png"]]),
    )
    def begin(self, colors: list[str], named: list[str]) -> None:
        """Photos in two folders and below, some of which are indexed."""
        for path, color in zip(("one/a.png", "one/sub/b.png", "two/a.png", "two/b.png"), colors, strict=True):
            self.put(self.top / path, PNGS[color])
        self.write_captions({("a.png", "red"): None, ("b.png", "a blue wall"): None})
        self.run([self.top / path for path in named], None, True, 32)

    # --- commands -----------------------------------------------------------------------------------

    @property
    def is_made(self) -> bool:
        return (self.library / "catalog.sqlite").exists()

    @rule(
        named=st.lists(paths, min_size=1, max_size=2),
        exclude=st.sampled_from([None, None, None, ["raw"], ["b.png"], [""]]),
        with_captions=st.booleans(),
        batch=st.sampled_from([1, 2, 32]),
    )
    def index(self, named: list[str], exclude: list[str] | None, with_captions: bool, batch: int) -> None:
        self.run([self.top / path for path in named], exclude, with_captions, batch)

    @precondition(lambda self: self.is_made)
    @rule(batch=st.sampled_from([1, 32]))
    def index_all(self, batch: int) -> None:
        self.run([], None, False, batch)

    @precondition(lambda self: self.is_made)
    @rule(model=st.sampled_from([*MODELS]))
    def index_with_model(self, model: str) -> None:
        self.fingerprint = model
        self.run([], None, False, 32)

    @rule(
        folder=st.sampled_from(FOLDERS),
        colors=st.lists(st.sampled_from([*COLORS]), min_size=2, max_size=3),
        all_of_it=st.booleans(),
        photos=st.sampled_from([None, None, None, 1, 2]),
        commit=st.integers(1, 40),
    )
    def index_is_broken_off(
        self, folder: str, colors: list[str], all_of_it: bool, photos: int | None, commit: int
    ) -> None:
        """With new photos, at one of them or at a commit."""
        for name, color in zip(NAMES, colors, strict=False):
            self.put(self.top / folder / name, PNGS[color])
        self.break_off([] if all_of_it else [self.top / folder], photos, commit)

    def break_off(self, targets: list[Path], photos: int | None, commit: int) -> bool:
        """Whether a run was broken off; what is there then is of before or of after, and is gone on from."""
        after, time = self.told_of_captions()
        encoder = encoder_of(self.fingerprint)
        encoder.interrupt_after = photos
        try:
            after.index(targets, encoder, captions_time=time)
        except UserError:
            return False
        try:
            with crash_at_commit(commit):
                update_library(self.library, targets, encoder, effort=in_batches(1))
        except (Crash, KeyboardInterrupt):
            self.tally["an `index` broken off at a photo or a commit"] += 1
            self.take_what_is_there(after)
            self.compare()
            return True
        self.plain = after
        self.compare()
        return False

    def told_of_captions(self) -> tuple[Plain, int | None]:
        """A copy of the plain library that knows the caption file as it is, and when that was written."""
        plain = self.plain.copy()
        exists = self.caption_file.exists()
        plain.captions_on_disk = dict(self.written) if exists else None
        return plain, self.caption_file.stat().st_mtime_ns if exists else None

    def run(self, targets: list[Path], exclude: list[str] | None, with_captions: bool, batch: int) -> None:
        plain, time = self.told_of_captions()
        encoder = encoder_of(self.fingerprint)
        given = self.caption_file if with_captions and self.written else None
        expected: UserError | None = None
        try:
            plain.index(targets, encoder, exclude, dict(self.written) if given else None, time)
        except UserError as error:
            expected = error
        try:
            update_library(
                self.library, targets, encoder, captions=given, exclude=exclude, effort=in_batches(batch)
            )
        except UserError as error:
            assert expected is not None, error
        else:
            assert expected is None, expected
            self.plain = plain
        self.tally["`index` of a folder, a photo or all, after changes"] += 1
        self.compare()

    @precondition(lambda self: self.is_made)
    @rule(pick=st.integers(0, 30))
    def forget(self, pick: int) -> None:
        """One of the photos or folders that the library has, or a folder it has not."""
        known = {way for path in self.plain.held() for way in (path, path.parent)} | self.plain.roots
        known.add(self.top / "nowhere")
        path = sorted(known)[pick % len(known)]
        plain = self.plain.copy()
        try:
            plain.forget(path)
        except UserError:
            with pytest.raises(UserError):
                forget(self.library, [path])
        else:
            forget(self.library, [path])
            self.plain = plain
            self.tally["`forget`"] += 1
        self.compare()

    @precondition(lambda self: self.is_made)
    @rule(pick=st.integers(0, 30), new=folders)
    def relocate(self, pick: int, new: str) -> None:
        """A folder that was indexed, or one in or above it, gets another name, and the library is told."""
        known = {way for root in self.plain.roots for way in (root, root.parent, root / "sub")}
        known = {way for way in known if way.is_dir() and way != self.top}
        after = self.top / new
        if not known or after.exists() or not after.parent.is_dir():
            return
        before = sorted(known)[pick % len(known)]
        if before in after.parents:
            return
        plain = self.plain.copy()
        before.rename(after)
        try:
            plain.relocate(before, after)
        except UserError:
            with pytest.raises(UserError):
                relocate(self.library, before, after, force=True)
        else:
            relocate(self.library, before, after, force=True)
            self.plain = plain
            self.tally["`relocate`"] += 1
        self.compare()

    @precondition(lambda self: self.is_made)
    @rule()
    def vacuum(self) -> None:
        vacuum(self.library)
        self.compare()

    @precondition(lambda self: self.is_made)
    @rule(what=st.sampled_from(["images-*", "captions-*"]))
    def lose_index_files(self, what: str) -> None:
        for file in self.library.glob(what):
            file.unlink()
        self.compare()

    # --- what must hold -------------------------------------------------------------------------------

    def take_what_is_there(self, after: Plain) -> None:
        """A run was broken off: nothing is lost, nothing wrong; the plain library goes on from there."""
        if not self.is_made:
            return
        before, now = self.plain, stored_in(self.library, self.plain)
        for path, (content, models) in now.held().items():
            versions = [one.held()[path] for one in (before, after) if path in one.held()]
            assert content in {version[0] for version in versions}, path
            without_vector = content is not None and not models
            assert not without_vector or (content, models) in versions, f"{path} has no vector"
        for path in before.held().keys() & after.held().keys():
            assert path in now.held(), f"{path} was lost"
            if before.held()[path] == after.held()[path]:
                assert now.held()[path] == before.held()[path]
        self.plain = now

    def compare(self) -> None:
        """Rows, vectors, ties and hits are what the plain library says."""
        if not self.is_made:
            return
        stored = stored_in(self.library, self.plain)
        assert stored.roots == self.plain.roots
        assert stored.held() == self.plain.held()
        assert stored.ties() == self.plain.ties()
        if self.engine is None:
            self.engine = SearchEngine.open(self.library, load=lambda model: encoder_of(model.fingerprint))  # type: ignore[arg-type,return-value]
        self.engine.refresh()
        self.tally[SEARCHES] += check_hits(self.engine, self.plain)
        with SearchEngine.open(self.library, load=lambda model: encoder_of(model.fingerprint)) as fresh:  # type: ignore[arg-type,return-value]
            self.tally[SEARCHES] += check_hits(fresh, self.plain)


def test_a_library_holds_what_a_plain_dictionary_says(
    tmp_path: Path, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    machine = type("Once", (Library,), {"parent": tmp_path, "tally": tally})
    seed(random.randrange(2**32))(machine)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=rounds(short=15, long=600),
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        ),
    )


def test_a_run_that_is_broken_off_at_any_commit_goes_on(tmp_path: Path, tally: Counter[str]) -> None:
    """Photos are new, changed, moved and gone; the run fails at its first commit, its second, and so on."""
    machine = type("Once", (Library,), {"parent": tmp_path, "tally": tally})
    for commit in itertools.count(1):
        library = machine()
        one, two = library.top / "one", library.top / "two"
        for path, color in ((one / "a.png", "red"), (one / "b.png", "green"), (two / "c.png", "blue")):
            library.put(path, PNGS[color])
        library.run([one, two], None, False, 1)
        library.put(one / "a.png", PNGS["yellow"])
        (one / "b.png").rename(two / "b.png")
        (two / "c.png").unlink()
        library.put(two / "new.png", PNGS["red"])
        broken_off = library.break_off([], None, commit)
        library.run([], None, False, 1)
        library.teardown()
        if not broken_off:
            break
    assert commit > 10  # of as many there are at least
