"""Photos as the points of a map."""

from __future__ import annotations

import numpy as np
import pytest

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
    # At zoom 0 a square is 90 degrees wide: 0 to 90 north has all of Europe, and each side of the
    # antimeridian is a square of its own.
    assert counts(photos.points(0)) == [(3, 3), (4, 1), (5, 1)]
    # At zoom 5 it is 2.8 degrees: Paris and Nice part.
    assert counts(photos.points(5)) == [(2, 2), (3, 1), (4, 1), (5, 1)]
    # At zoom 14 it is 0.0055 degrees, and the Eiffel Tower is 0.0554 degrees from Notre-Dame.
    assert counts(photos.points(14)) == [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]


def test_a_point_is_in_the_middle_of_its_photos() -> None:
    (paris,) = PhotoMap(PHOTOS[:2]).points(5)
    assert (paris.latitude, paris.longitude) == pytest.approx((48.8557, 2.3222))
    assert PhotoMap(PHOTOS[2:3]).points(18) == [MapPoint(43.7, 7.27, 1, 3)]


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


def test_squares_are_those_of_a_plain_count() -> None:
    random = np.random.default_rng(1)
    photos = np.stack(
        [np.arange(500) + 1, random.uniform(-80, 80, 500), random.uniform(-180, 180, 500)], axis=1
    )
    north = np.radians(photos[:, 1])
    y = 0.5 - np.log(np.tan(np.pi / 4 + north / 2)) / (2 * np.pi)
    x = (photos[:, 2] + 180) / 360
    squares = {
        (int(a), int(b)) for a, b in zip(x * 16, y * 16, strict=True)
    }  # zoom 2: 4 squares x 2**2 a side
    assert len(PhotoMap(photos).points(2)) == len(squares)
