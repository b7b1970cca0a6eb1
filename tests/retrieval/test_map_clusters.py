"""Photos as the points of a map."""

from __future__ import annotations

import numpy as np
import pytest

from twobranch.indexer.catalog.filters import distance_km
from twobranch.retrieval.map_clusters import MOST, Bounds, MapPoint, PhotoMap

# Paris twice, Nice, and two islands of Fiji on either side of the antimeridian.
PHOTOS = np.array([
    [1, 48.8584, 2.2945],
    [2, 48.8530, 2.3499],
    [3, 43.7, 7.27],
    [4, -16.8, 179.9],
    [5, -16.8, -179.9],
])  # fmt: skip


def counts(points: list[MapPoint]) -> list[tuple[int, int]]:
    """(photo, number of photos) of each point."""
    return sorted((point.photo, point.n_photos) for point in points)


def test_photos_in_64_pixels_are_one_point() -> None:
    photos = PhotoMap(PHOTOS)
    # At zoom 0 a square is 90 degrees wide: 0 to 90 north has all of Europe. The islands are in two squares,
    # 0.2 degrees apart.
    assert counts(photos.points(0)) == [(3, 3), (5, 2)]
    # At zoom 5 it is 2.8 degrees: Paris and Nice part.
    assert counts(photos.points(5)) == [(2, 2), (3, 1), (5, 2)]
    # At zoom 14 it is 0.0055 degrees, and the Eiffel Tower is 0.0554 degrees from Notre-Dame.
    assert counts(photos.points(14)) == [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]


def test_a_point_is_in_the_middle_of_its_photos() -> None:
    (paris,) = PhotoMap(PHOTOS[:2]).points(5)
    assert (paris.latitude, paris.longitude) == pytest.approx((48.8557, 2.3222))
    # It reaches half of the way between them: 0.60 km south and 0.0554 * 111.2 * cos(48.86°) = 4.05 km east.
    assert paris.km == pytest.approx(4.10 / 2, abs=0.01)
    assert PhotoMap(PHOTOS[2:3]).points(18) == [MapPoint(43.7, 7.27, 1, 3, 0.0)]


@pytest.mark.parametrize(
    ("bounds", "photos"),
    [
        (Bounds(45, 0, 50, 5), [1, 2]),
        (Bounds(-20, 170, 0, -170), [4, 5]),  # across the antimeridian,
        (Bounds(-20, 170, 0, 190), [4, 5]),  # as a map that was dragged east says it,
        (Bounds(-20, -190, 0, -170), [4, 5]),  # or west
        (Bounds(-20, -190, 0, -179.95), [4]),
        (Bounds(-90, -400, 90, 400), [1, 2, 3, 4, 5]),
        (Bounds(-90, -180, 90, 180), [1, 2, 3, 4, 5]),
        (Bounds(60, 0, 70, 5), []),
    ],
)
def test_bounds_across_the_antimeridian(bounds: Bounds, photos: list[int]) -> None:
    assert [photo for photo, _ in counts(PhotoMap(PHOTOS).points(18, bounds))] == photos


def test_the_bounds_of_all_photos_are_the_smallest() -> None:
    assert PhotoMap(PHOTOS[3:]).bounds == Bounds(-16.8, 179.9, -16.8, pytest.approx(180.1))
    chicago = [6, 41.9, -87.6]  # with it the photos are all over the world
    assert PhotoMap(np.vstack([PHOTOS, chicago])).bounds == Bounds(-16.8, -179.9, 48.8584, 179.9)
    assert PhotoMap(PHOTOS[:3]).bounds == Bounds(43.7, 2.2945, 48.8584, 7.27)
    assert PhotoMap(np.empty((0, 3))).bounds is None
    assert PhotoMap(np.empty((0, 3))).points(3) == []


def test_points_are_never_too_many_and_lose_no_photo() -> None:
    random = np.random.default_rng(0)
    photos = np.stack(
        [np.arange(20_000) + 1, random.uniform(-90, 90, 20_000), random.uniform(-180, 180, 20_000)], axis=1
    )
    photos[:4, 1:] = [[90, 180], [-90, -180], [90, -180], [-90, 180]]  # the corners
    whole = PhotoMap(photos)
    for zoom in (0, 4, 18):
        points = whole.points(zoom)
        assert len(points) <= MOST
        assert sum(point.n_photos for point in points) == len(whole) == 20_000


def test_no_two_points_hide_each_other() -> None:
    random = np.random.default_rng(1)
    photos = np.stack(
        [np.arange(500) + 1, random.uniform(-80, 80, 500), random.uniform(-180, 180, 500)], axis=1
    )
    points = PhotoMap(photos).points(2)
    assert sum(point.n_photos for point in points) == 500
    # The map is 1,024 pixels wide at zoom 2.
    x = np.array([(point.longitude + 180) / 360 * 1024 for point in points])
    north = np.radians([point.latitude for point in points])
    y = 512 - np.log(np.tan(np.pi / 4 + north / 2)) / (2 * np.pi) * 1024
    apart = np.maximum(np.abs(x[:, None] - x), np.abs(y[:, None] - y))
    assert apart[~np.eye(len(points), dtype=bool)].min() >= 48


def test_all_photos_of_a_point_are_within_its_distance() -> None:
    # At zoom 4 a square is 5.6 degrees wide: Lyon and Turin are in two, 2.9 degrees or 32 pixels apart.
    (point,) = PhotoMap(np.array([[1, 45.76, 4.84], [2, 45.07, 7.69], [3, 45.07, 7.69]])).points(4)
    assert (point.latitude, point.longitude, point.n_photos, point.photo) == (45.07, 7.69, 3, 3)
    assert point.km == pytest.approx(distance_km(45.76, 4.84, 45.07, 7.69))
