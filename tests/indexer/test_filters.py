"""Which photos are let through, of a few whose rows are written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twobranch.indexer.catalog.filters import Filters, NamedDates, Place, distance_km
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.sorting import listed_vectors, sort_values
from twobranch.indexer.catalog.tables import Catalog, Image, ImageVector, Model, Root, utcnow

NOON = datetime(2023, 7, 4, 12)
# name: taken at, camera, place, sides. The files were written in 2020.
PHOTOS: dict[str, tuple[datetime | None, str | None, tuple[float, float] | None, tuple[int, int]]] = {
    "holiday/eiffel.JPG": (NOON, "Google Pixel 7", (48.8584, 2.2945), (3000, 4000)),
    "holiday/2022/beach.jpeg": (datetime(2022, 8, 1), "Canon EOS 5D", (43.7, 7.27), (4000, 3000)),
    "Holiday Inn/room.png": (None, None, None, (1000, 1010)),
    "garden.png": (datetime(2023, 9, 15), "google pixel 6a", None, (640, 480)),
}
WRITTEN = datetime(2020, 2, 1)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[CatalogReader]:
    library = tmp_path / "library"
    with closing(Catalog.open(library, create=True)) as catalog, catalog.session(write=True) as session:
        model = Model(name="m", folder="/m", fingerprint="1", dim=1, added_at=utcnow())
        root = Root(path="/photos")
        session.add_all([model, root])
        session.flush()
        for path, (taken_at, camera, place, (width, height)) in PHOTOS.items():
            image = Image(
                root=root,
                path=path,
                size=1,
                mtime_ns=int(WRITTEN.timestamp()) * 10**9,
                taken_at=taken_at,
                camera=camera,
                latitude=place and place[0],
                longitude=place and place[1],
                width=width,
                height=height,
                indexed_at=utcnow(),
            )
            session.add(image)
            session.flush()
            session.add(ImageVector(model_id=model.id, image_id=image.id, vector=b"\0\0\0\0"))
    with closing(CatalogReader.open(library)) as reader:
        yield reader


def names(reader: CatalogReader, **wanted: object) -> list[str]:
    """The stems of the photos that are let through, in the order of their rows."""
    ids = reader.matching("images", 1, Filters(**wanted))  # type: ignore[arg-type]
    found = reader.found("images", ids.tolist())
    return [found[id_].path.stem for id_ in ids.tolist()]  # type: ignore[union-attr]


def test_no_filters_let_all_through(reader: CatalogReader) -> None:
    assert names(reader) == ["eiffel", "beach", "room", "garden"]
    assert not Filters()


def test_dates_from_the_camera_or_else_of_the_file(reader: CatalogReader) -> None:
    assert names(reader, after=datetime(2023, 7, 4, 12)) == ["eiffel", "garden"]  # that very moment counts
    assert names(reader, before=datetime(2023, 7, 4, 12)) == ["beach", "room"]  # and does not count here
    assert names(reader, after=datetime(2020, 1, 1), before=datetime(2021, 1, 1)) == ["room"]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("holiday/**", ["eiffel", "beach"]),
        ("holiday", ["eiffel", "beach"]),  # a folder's name stands for all in it
        ("holiday*", ["eiffel", "beach", "room"]),
        ("2022", ["beach"]),
        ("*.png", ["room", "garden"]),
        ("EIFFEL.jpg", ["eiffel"]),
        ("photos/garden.*", ["garden"]),  # the root's own name
        ("/photos/holiday/", ["eiffel", "beach"]),
        ("/holiday", []),
        ("b[!x]ach.jp*g", ["beach"]),
        ("eif", []),
    ],
)
def test_paths(reader: CatalogReader, glob: str, expected: list[str]) -> None:
    assert names(reader, paths=(glob,)) == expected
    assert names(reader, not_paths=(glob,)) == [name for name in names(reader) if name not in expected]


def test_several_patterns_of_a_kind_are_alternatives(reader: CatalogReader) -> None:
    assert names(reader, paths=("2022", "garden.png")) == ["beach", "garden"]


def test_cameras(reader: CatalogReader) -> None:
    assert names(reader, cameras=("pixel",)) == ["eiffel", "garden"]
    assert names(reader, cameras=("Canon*",)) == ["beach"]
    assert names(reader, cameras=("Pixel*",)) == []  # a wildcard means that the rest is meant literally


def test_places(reader: CatalogReader) -> None:
    # From Notre-Dame to the Eiffel tower it is 4.1 km, to Nice 690 km.
    notre_dame = (48.8530, 2.3499)
    assert names(reader, near=Place(*notre_dame, 5)) == ["eiffel"]
    assert names(reader, near=Place(*notre_dame, 4)) == []
    assert names(reader, near=Place(*notre_dame, 700)) == ["eiffel", "beach"]


def test_shapes_sizes_and_formats(reader: CatalogReader) -> None:
    assert names(reader, shape="portrait") == ["eiffel"]
    assert names(reader, shape="landscape") == ["beach", "garden"]
    assert names(reader, shape="square") == ["room"]  # to within 2%
    assert names(reader, min_pixels=1_010_000) == ["eiffel", "beach", "room"]
    assert names(reader, formats=("jpg",)) == ["eiffel", "beach"]
    assert names(reader, formats=("PNG", ".jpeg")) == ["eiffel", "beach", "room", "garden"]


def test_filters_add_up(reader: CatalogReader) -> None:
    assert names(reader, cameras=("pixel",), after=datetime(2023, 8, 1), formats=("png",)) == ["garden"]


def test_the_newest_first(reader: CatalogReader) -> None:
    ids = listed_vectors(reader, "images", 1, Filters(), 3)
    found = reader.found("images", ids)
    assert [found[id_].path.stem for id_ in ids] == ["garden", "eiffel", "beach"]  # type: ignore[union-attr]
    assert min(sort_values(reader, "images", ids, "date").values()) == "2022-08-01 00:00:00.000000"


def test_text_in_filters_is_never_sql(reader: CatalogReader) -> None:
    assert names(reader, paths=("'; DROP TABLE images; --",)) == []
    assert len(names(reader)) == 4


def test_distances_of_known_places() -> None:
    assert distance_km(48.8566, 2.3522, 51.5074, -0.1278) == pytest.approx(344, abs=1)  # Paris, London
    assert distance_km(0, 179.9, 0, -179.9) == pytest.approx(22.2, abs=0.1)  # across the date line


@given(*[st.floats(-90, 90), st.floats(-180, 180)] * 2)
def test_distances_are_symmetric_and_on_earth(a: float, b: float, c: float, d: float) -> None:
    assert distance_km(a, b, c, d) == pytest.approx(distance_km(c, d, a, b), abs=1e-6)
    assert 0 <= distance_km(a, b, c, d) <= 20_016  # half of a great circle


def test_named_dates_go_by_date_or_by_words(reader: CatalogReader) -> None:
    """The library of these tests was written by `Catalog`, which notes the words of names as well."""

    def named(**wanted: object) -> list[str]:
        return names(reader, dates=NamedDates("", **wanted))  # type: ignore[arg-type]

    july = {"after": datetime(2023, 7, 1), "before": datetime(2023, 8, 1)}
    assert named(**july) == ["eiffel"]
    assert named(**july, texts=(("2022", "22"),)) == ["eiffel", "beach"]  # in the folder holiday/2022
    assert named(**july, texts=(("2022",), ("room",))) == ["eiffel"]  # no name has both
    assert named(yearly=("07-01", "09-01")) == ["eiffel", "beach"]
    assert named(yearly=("09-01", "03-01")) == [
        "room",
        "garden",
    ]  # beyond the end of the year; room: February
    assert named(yearly=("07-01", "09-01"), after=datetime(2023, 1, 1)) == ["eiffel"]


def test_places_by_name(reader: CatalogReader) -> None:
    # The beach is at 43.70, 7.27: in Nice.
    assert names(reader, places=("Paris",)) == ["eiffel"]
    assert names(reader, places=("paris, france",)) == ["eiffel"]
    assert names(reader, places=("France",)) == ["eiffel", "beach"]
    assert names(reader, places=("Nice", "Île-de-France")) == ["eiffel", "beach"]  # any of them
    assert names(reader, places=("Paris, Texas",)) == []
    assert names(reader, places=("Fiji",)) == []  # its box goes around the earth
    assert names(reader, places=("France",), shape="portrait") == ["eiffel"]
