"""Places of points, and points of places, with the gazetteer that is shipped."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from twobranch.common.errors import UserError
from twobranch.indexer.gazetteer.nearest import STEPS, cell, town_at, towns_of_cells
from twobranch.indexer.gazetteer.place_names import (
    NamedPlace,
    find_largest_town,
    find_towns,
    is_at,
    named_place,
    place_label,
    town_label,
)
from twobranch.indexer.gazetteer.towns import all_towns


@pytest.mark.parametrize(
    ("latitude", "longitude", "label"),
    [
        (48.8584, 2.2945, "Paris, France"),  # the Eiffel Tower, 4 km from the centre
        (48.8918, 2.2362, "Paris, France"),  # La Défense: a suburb, 9 km away
        (48.8049, 2.1204, "Versailles, France"),  # 17 km: Paris reaches 8 km x sqrt(2.14) = 11.7 km
        (40.7580, -73.9855, "New York City, United States"),  # Times Square, in Manhattan
        (40.7357, -74.1724, "Newark, New Jersey, United States"),  # 14 km, but another state
        (38.8783, -77.0687, "Arlington, Virginia, United States"),  # across the river from Washington
        (51.4839, -0.6044, "Windsor, United Kingdom"),  # Slough, 3 km away, is larger but no city
        (36.0544, -112.1401, "Grand Canyon, United States"),
        (28.1, -15.43, "Las Palmas de Gran Canaria, Spain"),
        (46.194, 6.237, "Annemasse, France"),  # within reach of Geneva, which is in Switzerland
        (22.28, 114.16, "Hong Kong"),  # the town and the country have one name
        (-16.85, 179.97, "Labasa, Fiji"),  # 80 km west,
        (-16.85, -179.97, "Labasa, Fiji"),  # and from beyond the antimeridian
        (78.22, 15.65, "Longyearbyen, Svalbard and Jan Mayen"),
    ],
)
def test_a_point_has_the_name_that_people_give_it(latitude: float, longitude: float, label: str) -> None:
    assert place_label(latitude, longitude) == label


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(0.0, -150.0), (90.0, 0.0), (-90.0, 0.0), (90.0, 180.0), (-77.85, 166.67), (None, None), (91.0, 0.0)],
    ids=["pacific", "north pole", "south pole", "corner", "antarctica", "none", "no latitude"],
)
def test_far_from_all_towns_there_is_no_place(latitude: float | None, longitude: float | None) -> None:
    assert named_place(latitude, longitude) is None
    assert place_label(latitude, longitude) is None


def test_a_place_says_how_far_its_centre_is() -> None:
    # 2.3488 - 2.2945 = 0.0543 degrees east at 48.86 degrees north: 0.0543 * 111.2 km * cos(48.86°) = 3.97 km
    # west, and 0.0050 * 111.2 = 0.55 km north: 4.0 km together.
    assert named_place(48.8584, 2.2945) == NamedPlace("Paris", "Île-de-France", "France", 4.0)


def test_many_points_have_the_places_of_single_ones() -> None:
    random = np.random.default_rng(0)
    latitude, longitude = random.uniform(-90, 90, 300), random.uniform(-180, 180, 300)
    longitude[:20], longitude[20:40] = 180, -179.99
    cells = np.array([[cell(a + 90), cell(b + 180)] for a, b in zip(latitude, longitude, strict=True)])
    singly = [town_at(a, b) for a, b in zip(latitude.tolist(), longitude.tolist(), strict=True)]
    assert towns_of_cells(cells).tolist() == singly
    assert min(singly) == -1 < max(singly)
    assert towns_of_cells(np.empty((0, 2), dtype=np.int64)).tolist() == []


def test_squares_and_bands_lose_no_town() -> None:
    """Compare with the distances to all towns, computed with the haversine formula."""
    from twobranch.indexer.catalog.filters import distance_km

    towns = all_towns()
    random = np.random.default_rng(1)
    points = [(float(random.uniform(-60, 75)), float(random.uniform(-180, 180))) for _ in range(6)]
    points += [(65.0, 180.0), (-17.0, -180.0), (71.5, 25.5)]
    for latitude, longitude in points:
        at = cell(latitude + 90) / STEPS - 90, cell(longitude + 180) / STEPS - 180
        km = [distance_km(*at, *one) for one in zip(towns.latitude, towns.longitude, strict=True)]
        assert (town_at(latitude, longitude) == -1) == (min(km) > 100)


@pytest.mark.parametrize(
    "text",
    [
        "Munich, Germany",
        "munich",
        "München",
        "munchen",
        "Munich, DE",
        "Munich, Bavaria, Germany",
        "Munich,Deutschland",
    ],
)
def test_a_town_is_found_by_each_of_its_names(text: str) -> None:
    assert [town_label(int(town)) for town in find_towns(text)] == ["Munich, Germany"]


def test_countries_and_regions_are_all_their_towns() -> None:
    assert is_at(48.8584, 2.2945, "France")
    assert is_at(48.8584, 2.2945, "frankreich")
    assert is_at(48.8584, 2.2945, "Ile-de-France")
    assert not is_at(48.8584, 2.2945, "Paris, Texas")
    assert not is_at(0.0, -150.0, "France")
    # "Georgia" is a country and a state.
    labels = {town_label(int(town)) for town in find_towns("Georgia")}
    assert {"Tbilisi, Georgia", "Atlanta, Georgia, United States"} <= labels


def test_a_label_names_its_own_town() -> None:
    """The page filters by the label of a photo. All towns take a minute; each 3,000th is tested."""
    for town in range(0, len(all_towns().names), 3000):
        assert town in find_towns(town_label(town)), town_label(town)


def test_a_name_alone_as_a_point_is_the_largest_town() -> None:
    latitude, longitude = find_largest_town("Paris")  # Paris, Texas is smaller
    assert (round(latitude, 1), round(longitude, 1)) == (48.9, 2.3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Lisbn", "'Lisbn': no place of this name is known; did you mean Lisbon or "),
        ("Frnce", "'Frnce': no place of this name is known; did you mean France or "),
        ("qwertyuiop", "no place of this name is known; write it as in Paris or Paris, France"),
        ("q" * 3000, f"'{'q' * 80}'…: no place of this name is known"),
        ("", "no place of this name is known"),
        (", France", "no place of this name is known"),
        ("Paris, Germany", "no place of this name is known"),
    ],
)
def test_an_unknown_place_is_one_line_with_near_ones(text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        find_towns(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_search_without_places_does_not_load_the_gazetteer() -> None:
    code = (
        "import sys; from twobranch.retrieval.engine import SearchEngine; "
        "from twobranch.indexer.gazetteer import towns; print(towns.all_towns.cache_info().currsize)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "0"
