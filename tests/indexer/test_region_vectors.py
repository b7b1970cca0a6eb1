"""Vectors of windows of photos, from `index --regions` on to the index file."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.fakes import FakeEncoder, RecordedProgress, write_photo
from tests.indexing import index
from twobranch.embedding.preprocess import REGIONS, load_views
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.maintenance.doctor import examine
from twobranch.indexer.maintenance.relocate import forget
from twobranch.indexer.maintenance.vacuum import vacuum
from twobranch.indexer.update.run import Effort
from twobranch.indexer.vectors.exact import index_file, open_exact

N = len(REGIONS)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A red photo, and one with blue in its upper left quarter."""
    folder = tmp_path / "photos"
    write_photo(folder / "red.png", "red")
    corner = Image.new("RGB", (16, 16), "red")
    corner.paste("blue", (0, 0, 8, 8))
    corner.save(folder / "corner.png")
    return folder


def stored(library: Path) -> dict[str, list[bytes]]:
    """The vectors of each photo's windows in the catalogue, by its name."""
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        rows = connection.execute(
            "SELECT path, part, vector FROM region_vectors v JOIN images i ON i.id = v.image_id "
            "JOIN models m ON m.id = v.model_id ORDER BY path, part"
        ).fetchall()
    found: dict[str, list[bytes]] = {}
    for path, part, vector in rows:
        assert part == len(found.setdefault(path, []))
        found[path].append(vector)
    return found


def expected(folder: Path) -> dict[str, list[bytes]]:
    """Those of the photos that are there now."""
    fake, found = FakeEncoder(), {}
    for path in folder.rglob("*.png"):
        rows = fake.encode_each_view(load_views(path, 8, REGIONS).pixels[None])[0]
        found[path.relative_to(folder).as_posix()] = [row.tobytes() for row in rows]
    return found


def whole_ids(library: Path) -> list[int]:
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        return [id_ for (id_,) in connection.execute("SELECT id FROM image_vectors ORDER BY id")]


def test_windows_are_encoded_beside_the_whole_photo(photos: Path, library: Path) -> None:
    encoder = FakeEncoder()
    report = index(library, photos, encoder, regions=True)
    assert (report.added, encoder.encoded_images, encoder.encoded_windows) == (2, 2, 2 * N)
    assert stored(library) == expected(photos)
    # The window in the upper left corner is all blue: (0, 0, 1, 0.01), of length 1.
    assert np.frombuffer(stored(library)["corner.png"][0], "<f4")[2] == pytest.approx(1, abs=1e-3)
    with closing(CatalogReader.open(library)) as reader:
        assert len(open_exact(reader, "regions", 1, 4)) == 2 * N


def test_a_library_without_regions_has_nothing_of_them(photos: Path, library: Path) -> None:
    encoder = FakeEncoder()
    index(library, photos, encoder)
    assert encoder.encoded_windows == 0 and not stored(library)
    assert not list(library.glob("regions-*"))


def test_the_library_remembers_its_regions(photos: Path, library: Path) -> None:
    index(library, photos, FakeEncoder(), regions=True)
    write_photo(photos / "new.png", "green")
    encoder = FakeEncoder()
    index(library, [], encoder)
    assert (encoder.encoded_images, encoder.encoded_windows) == (1, N)
    assert stored(library) == expected(photos)


def test_switched_on_later_only_windows_are_encoded(photos: Path, library: Path) -> None:
    index(library, photos, FakeEncoder())
    before = whole_ids(library)
    encoder = FakeEncoder()
    report = index(library, [], encoder, regions=True)
    assert (encoder.encoded_images, encoder.encoded_windows) == (0, 2 * N)
    assert (report.unchanged, report.added, report.updated) == (2, 0, 0)
    assert whole_ids(library) == before
    assert stored(library) == expected(photos)


def test_a_photo_that_was_touched_or_changed_meanwhile_gets_its_windows(photos: Path, library: Path) -> None:
    index(library, photos, FakeEncoder())
    os.utime(photos / "red.png", (1, 1))
    write_photo(photos / "corner.png", "green")
    encoder = FakeEncoder()
    report = index(library, photos, encoder, regions=True)
    assert (report.unchanged, report.updated) == (1, 1)
    assert (encoder.encoded_images, encoder.encoded_windows) == (1, 2 * N)
    assert stored(library) == expected(photos)


def test_switched_off_they_are_gone(photos: Path, library: Path) -> None:
    index(library, photos, FakeEncoder(), regions=True)
    encoder = FakeEncoder()
    index(library, photos, encoder, regions=False)
    assert not stored(library) and not list(library.glob("regions-*"))
    write_photo(photos / "new.png", "green")
    index(library, [], encoder)
    assert encoder.encoded_windows == 0


@pytest.mark.parametrize("whole_before", [True, False])
def test_an_interrupted_run_goes_on(photos: Path, library: Path, whole_before: bool) -> None:
    for number in range(8):
        write_photo(photos / f"{number}.png", (0, 30 * number, 255))
    if whole_before:
        index(library, photos, FakeEncoder())
    effort = Effort(workers=1, transaction=1)
    stopped = FakeEncoder()
    real, runs = stopped.encode_each_view, []

    def encode(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        runs.append(len(pixels))
        if len(runs) > 4:
            raise KeyboardInterrupt
        return real(pixels)

    stopped.encode_each_view = encode  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        index(library, photos, stopped, regions=True, effort=effort)
    kept = stored(library)
    assert 0 < len(kept) < 10 and all(len(rows) == N for rows in kept.values())
    encoder = FakeEncoder()
    index(library, photos, encoder)  # remembers them
    assert encoder.encoded_windows == (10 - len(kept)) * N
    assert stored(library) == expected(photos)


def test_copies_of_a_photo_share_the_work(photos: Path, library: Path) -> None:
    (photos / "copy.png").write_bytes((photos / "red.png").read_bytes())
    encoder = FakeEncoder()
    index(library, photos, encoder, regions=True)
    assert encoder.encoded_windows == 2 * N
    (photos / "late.png").write_bytes((photos / "red.png").read_bytes())
    encoder = FakeEncoder()
    index(library, photos, encoder)
    assert (encoder.encoded_images, encoder.encoded_windows) == (0, 0)
    assert stored(library) == expected(photos)


def test_copies_get_windows_when_they_are_switched_on(photos: Path, library: Path) -> None:
    (photos / "copy.png").write_bytes((photos / "red.png").read_bytes())
    index(library, photos, FakeEncoder())
    encoder = FakeEncoder()
    index(library, photos, encoder, regions=True, effort=Effort(workers=1, transaction=1))
    assert (encoder.encoded_images, encoder.encoded_windows) == (0, 2 * N)
    assert stored(library) == expected(photos)


def test_a_moved_photo_keeps_its_windows(photos: Path, library: Path) -> None:
    index(library, photos, FakeEncoder(), regions=True)
    (photos / "red.png").rename(photos / "scarlet.png")
    encoder = FakeEncoder()
    report = index(library, photos, encoder)
    assert (report.moved, encoder.encoded_windows) == (1, 0)
    assert stored(library) == expected(photos)


def test_a_photo_that_moved_before_it_had_windows_gets_them(photos: Path, library: Path) -> None:
    index(library, photos, FakeEncoder())
    (photos / "red.png").rename(photos / "scarlet.png")
    encoder = FakeEncoder()
    report = index(library, photos, encoder, regions=True)
    assert (report.moved, encoder.encoded_images, encoder.encoded_windows) == (1, 0, 2 * N)
    assert stored(library) == expected(photos)


def test_a_photo_whose_drive_is_away_gets_its_windows_later(photos: Path, library: Path) -> None:
    index(library, photos, FakeEncoder())
    away = photos.rename(photos.with_name("away"))
    progress = RecordedProgress()
    index(library, [], FakeEncoder(), regions=True, progress=progress)
    assert not stored(library) and any("could not be reached" in line for line in progress.warnings)
    away.rename(photos)
    index(library, [], FakeEncoder())
    assert stored(library) == expected(photos)


def test_with_tta_windows_are_encoded_once(photos: Path, library: Path) -> None:
    encoder = FakeEncoder(tta=True)
    index(library, photos, encoder, regions=True)
    assert (encoder.encoded_images, encoder.encoded_windows) == (2, 2 * N)
    assert stored(library) == expected(photos)


def test_another_model_encodes_them_anew(photos: Path, library: Path) -> None:
    index(library, photos, FakeEncoder(), regions=True)
    encoder = FakeEncoder(fingerprint="fake-2")
    index(library, photos, encoder)
    assert (encoder.encoded_images, encoder.encoded_windows) == (2, 2 * N)
    assert stored(library) == expected(photos)  # those of the old version of the model are gone


def test_what_they_cost_is_said_before_they_are_made(photos: Path, library: Path) -> None:
    progress = RecordedProgress()
    index(library, photos, FakeEncoder(), regions=True, progress=progress)
    (note,) = (line for line in progress.notes if line.startswith("regions: "))
    assert f"{N} windows" in note and f"{1 + N} times as long" in note
    again = RecordedProgress()
    index(library, photos, FakeEncoder(), regions=True, progress=again)
    assert not again.notes


# --- maintenance ------------------------------------------------------------------------------------


def test_forgotten_photos_leave_nothing_in_the_index(photos: Path, library: Path) -> None:
    index(library, photos, FakeEncoder(), regions=True)
    forget(library, [photos / "red.png"])
    assert list(stored(library)) == ["corner.png"]
    file = index_file(library, "regions", 1)
    with closing(CatalogReader.open(library)) as reader:
        modified = file.stat().st_mtime_ns
        assert len(open_exact(reader, "regions", 1, 4)) == N
    assert file.stat().st_mtime_ns == modified  # it was written at once, without the forgotten photo
    forget(library, [photos])
    assert not file.exists()


def test_doctor_finds_a_damaged_window_and_index_makes_it_again(photos: Path, library: Path) -> None:
    index(library, photos, FakeEncoder(), regions=True)
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        connection.execute("UPDATE region_vectors SET vector = zeroblob(16) WHERE id = 3")
        connection.commit()
    findings = {finding.part: finding for finding in examine(library)}
    assert not findings["vectors"].fine and "1 of regions" in findings["vectors"].found
    examine(library, repair=True)
    encoder = FakeEncoder()
    index(library, [], encoder)
    assert (encoder.encoded_images, encoder.encoded_windows) == (0, N)
    assert stored(library) == expected(photos)


def test_doctor_checks_their_index_where_there_is_one(photos: Path, library: Path) -> None:
    index(library, photos, FakeEncoder())
    assert "index of regions" not in {finding.part for finding in examine(library)}
    index(library, photos, FakeEncoder(), regions=True)
    findings = {finding.part: finding for finding in examine(library)}
    assert findings["index of regions"].found == f"{2 * N} vectors, the same as in the catalogue"


def test_a_damaged_choice_is_no_choice(photos: Path, library: Path) -> None:
    index(library, photos, FakeEncoder(), regions=True)
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        connection.execute("UPDATE settings SET value = '{' WHERE key = 'regions'")
        connection.commit()
    assert not {finding.part: finding for finding in examine(library)}["catalogue"].fine


def test_vacuum_keeps_the_index_in_use(photos: Path, library: Path) -> None:
    index(library, photos, FakeEncoder(), regions=True)
    assert vacuum(library).removed == ()
    index_file(library, "regions", 7).touch()
    assert vacuum(library).removed == ("regions-7.vectors",)
