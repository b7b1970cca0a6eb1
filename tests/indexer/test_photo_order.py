"""All photos in an order, and pages of it that begin after a mark."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.photo_rows import at, fill
from twobranch.indexer.catalog.connection import connect
from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.sorting import SORTS, Mark, Sort
from twobranch.indexer.catalog.timeline import (
    Order,
    Section,
    listed_photos,
    mark_of,
    photo_order,
    position_after,
)

MB = 1_000_000
PHOTOS = [
    at("b.jpg", taken_at=datetime(2023, 7, 1), size=3 * MB, width=4, height=3),
    at("Trip/x.jpg", taken_at=datetime(2023, 7, 31), size=12 * MB, width=3, height=4),
    at("a.jpg", size=10, width=None, height=None),  # unread; the file was written in February 2020
    at("Trip/day 2/y.jpg", taken_at=datetime(2023, 6, 30), size=10, width=30, height=10),
    at("Trip 2/z.jpg", taken_at=datetime(2023, 7, 1), size=10 * MB, width=4, height=4),
    at("C.jpg", "/other/", taken_at=datetime(2022, 1, 1), size=MB, width=4, height=3),
]


def order_of(reader: CatalogReader, sort: Sort, *, descending: bool = False, **wanted: object) -> Order:
    return photo_order(reader, Filters(**wanted), sort, descending)  # type: ignore[arg-type]


def paths(reader: CatalogReader, order: Order) -> list[str]:
    return [str(photo.path) for photo in listed_photos(reader, order.ids.tolist())]


@pytest.fixture
def reader(library: Path) -> CatalogReader:
    fill(library, PHOTOS)
    return CatalogReader.open(library)


def test_by_date_under_months_the_smaller_id_first_of_equal_ones(reader: CatalogReader) -> None:
    order = order_of(reader, "date", descending=True)
    assert order.ids.tolist() == [2, 1, 5, 4, 6, 3]
    assert order.sections == (
        Section("2023-07", 3),
        Section("2023-06", 1),
        Section("2022-01", 1),
        Section("2020-02", 1),
    )
    # 3/4, 4/3, 4/4, 30/10, 4/3, and 3/2 for the unread one
    assert order.ratios.tolist() == [75, 133, 100, 300, 133, 150]
    assert order_of(reader, "date").ids.tolist() == [3, 6, 4, 1, 5, 2]


def test_by_folder_its_own_photos_before_those_further_in(reader: CatalogReader) -> None:
    order = order_of(reader, "folder")
    assert paths(reader, order) == [
        "/other/C.jpg",
        "/photos/a.jpg",
        "/photos/b.jpg",
        "/photos/Trip/x.jpg",
        "/photos/Trip/day 2/y.jpg",  # before "Trip 2", although a space sorts before a slash
        "/photos/Trip 2/z.jpg",
    ]
    assert [section.key for section in order.sections] == [
        "/other", "/photos", "/photos/Trip", "/photos/Trip/day 2", "/photos/Trip 2",
    ]  # fmt: skip


def test_by_size_under_ranges(reader: CatalogReader) -> None:
    order = order_of(reader, "size", descending=True)
    assert order.ids.tolist() == [2, 5, 1, 6, 3, 4]
    assert order.sections == (
        Section("10 MB and more", 2),
        Section("2 to 5 MB", 1),
        Section("1 to 2 MB", 1),
        Section("less than 1 MB", 2),
    )


def test_only_photos_that_pass_the_filters_and_can_be_found(reader: CatalogReader, library: Path) -> None:
    assert order_of(reader, "date", paths=("Trip",)).ids.tolist() == [4, 2]
    assert order_of(reader, "date", day="07-01").ids.tolist() == [1, 5]
    fill(library, PHOTOS, vector=False)  # as photos that could not be read
    assert len(order_of(reader, "date")) == 0


def test_photos_in_the_order_asked_without_missing_ones(reader: CatalogReader) -> None:
    assert [photo.id for photo in listed_photos(reader, [6, 99, 2, 6])] == [6, 2, 6]
    (photo,) = listed_photos(reader, [2])
    assert (str(photo.path), photo.date, photo.date_from) == (
        "/photos/Trip/x.jpg", datetime(2023, 7, 31), "photo",
    )  # fmt: skip
    assert (photo.width, photo.height, photo.bytes, photo.content) == (3, 4, 12 * MB, None)


FACTS = st.fixed_dictionaries(
    {
        "taken_at": st.sampled_from([None, datetime(2020, 2, 1), datetime(2021, 5, 5), datetime(1, 1, 1)]),
        "size": st.integers(0, 3),
        "root": st.sampled_from(["/", "/a", "/b b"]),
        "folder": st.sampled_from(["", "x/", "X/", "x/y/", "x!/", "é/"]),
    }
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(FACTS, max_size=12),
    st.integers(1, 5),
    st.sampled_from(SORTS),
    st.booleans(),
    st.lists(st.integers(1, 12), max_size=4),
)
def test_all_pages_are_the_whole_order_each_photo_once_though_some_go(
    facts: list[dict[str, object]], limit: int, sort: Sort, descending: bool, leaving: list[int]
) -> None:
    """Photos that leave between two pages are missing only where they were to come."""
    photos = [{"path": f"{fact.pop('folder')}{n}.jpg", **fact} for n, fact in enumerate(map(dict, facts))]
    with TemporaryDirectory() as folder:
        fill(Path(folder), photos)
        with closing(CatalogReader.open(Path(folder))) as reader, closing(connect(reader.path)) as writer:
            whole = photo_order(reader, Filters(), sort, descending).ids.tolist()
            seen: list[int] = []
            gone: set[int] = set()
            mark: Mark | None = None
            while True:
                order = photo_order(reader, Filters(), sort, descending)
                start = 0 if mark is None else position_after(reader, order, mark)
                page = order.ids[start : start + limit].tolist()
                if not page:
                    break
                seen += page
                mark = mark_of(reader, order, start + len(page) - 1)
                if leaving:
                    left = leaving.pop()
                    writer.execute("DELETE FROM images WHERE id = ?", [left])
                    gone |= {left} - set(seen)
    assert seen == [id_ for id_ in whole if id_ not in gone]
