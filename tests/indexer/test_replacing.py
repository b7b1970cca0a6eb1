"""Replacing files in one step, and what is left of those that were being written."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from indexer.galleries import remove_index_files
from indexer.replacing import remove_left_overs, replacing
from indexer.vacuum import vacuum
from tests.fakes import FakeEncoder
from tests.indexing import index
from tests.waiting import PATIENCE


def test_the_old_file_stays_when_the_new_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), replacing(path) as partial:
        partial.write_text("half")
        raise OSError("full")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with replacing(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_two_threads_of_one_process_do_not_write_the_same_partial_file(tmp_path: Path) -> None:
    names = []
    both = threading.Barrier(2, timeout=PATIENCE)

    def write() -> None:
        with replacing(tmp_path / "a") as partial:
            names.append(partial.name)
            both.wait()  # both are writing at this moment
            partial.touch()

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 2


def test_what_killed_processes_left_is_removed(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    left = ["images-1.ivf.7.part", "last-search.json.8.part", "captions-1.vectors.9.part"]
    for name in left:
        (library / name).touch()
        os.utime(library / name, (1, 1))
    (library / "images-1.vectors.10.part").touch()  # may be another process at work
    index(library, photos, encoder)
    assert [path.name for path in library.glob("*.part")] == ["images-1.vectors.10.part"]

    (library / "last-search.json.11.part").touch()
    vacuum(library)  # is asked to
    assert not list(library.glob("*.part"))


def test_of_a_model_that_is_gone_no_matter_how_old(tmp_path: Path) -> None:
    for name in ("images-1.vectors", "images-1.vectors.7.part", "images-11.vectors.7.part"):
        (tmp_path / name).touch()
    remove_index_files(tmp_path, 1)
    remove_left_overs(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["images-11.vectors.7.part"]
