"""What is left of files that were being written."""

from __future__ import annotations

import os
from pathlib import Path

from tests.fakes import FakeEncoder
from tests.indexing import index
from twobranch.common.leftovers import remove_left_overs
from twobranch.indexer.maintenance.vacuum import vacuum
from twobranch.indexer.vectors.index import remove_index_files


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
