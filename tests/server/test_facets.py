"""What photos can be told apart by: counts that agree with the filters, whatever is in the library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.fakes import FakeEncoder, write_photo
from tests.photo_rows import at, fill
from twobranch.indexer.catalog import facets
from twobranch.indexer.catalog.facets import Count, Facets, count_facets
from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.update.library import update_library
from twobranch.server.api.facets import FacetsAnswer
from twobranch.server.app import create_app
from twobranch.server.settings import Settings


def counted(library: Path, filters: Filters = Filters()) -> Facets:  # noqa: B008 (frozen)
    with closing(CatalogReader.open(library)) as reader:
        return count_facets(reader, filters)


def as_dict(counts: Sequence[Count]) -> dict[str, int]:
    return {count.value: count.photos for count in counts}


def test_years_and_months_the_newest_first(library: Path) -> None:
    fill(
        library,
        [
            at("a.jpg", taken_at=datetime(2023, 6, 30, 23, 59)),
            at("b.jpg", taken_at=datetime(2023, 7, 1)),
            at("c.jpg", taken_at=datetime(2023, 7, 31)),
            at("d.jpg"),  # its camera did not say: the file was written in February 2020
        ],
    )
    facets = counted(library)
    assert facets.years == (Count("2023", 3), Count("2020", 1))
    assert facets.months == (Count("2023-07", 2), Count("2023-06", 1), Count("2020-02", 1))


def test_folders_of_two_levels_count_all_that_their_names_stand_for(library: Path) -> None:
    fill(
        library,
        [
            at("holiday/rome/1.jpg"),
            at("holiday/rome/day 1/2.jpg"),
            at("holiday/3.jpg"),
            at("work/Holiday/4.jpg"),  # `path=holiday` finds this too
            at("5.jpg"),
        ],
    )
    assert counted(library).folders == (
        Count("holiday", 4),
        Count("holiday/rome", 2),
        Count("work", 1),
        Count("work/Holiday", 1),
    )


def test_of_several_folders_that_were_indexed_each_is_one_to_choose(library: Path) -> None:
    fill(library, [at("a.jpg", "/home/Pictures"), at("2019/b.jpg", "/home/Pictures"), at("c.jpg", "/Camera")])
    assert as_dict(counted(library).folders) == {"Pictures": 2, "2019": 1, "Camera": 1}


def test_a_folder_named_like_a_pattern_is_itself_when_it_is_chosen(library: Path) -> None:
    fill(library, [at("[2019]/a.jpg"), at("2/b.jpg"), at("what?/c.jpg"), at("whats/d.jpg"), at("Été/e.jpg")])
    folders = as_dict(counted(library).folders)
    assert folders == {"[[]2019]": 1, "2": 1, "what[?]": 1, "whats": 1, "Été": 1}
    for pattern in folders:
        assert counted(library, Filters(paths=(pattern,))).photos == 1


def test_cameras_as_the_filter_takes_them(library: Path) -> None:
    cameras = ["Canon EOS 5D", "canon eos 5d", "Canon EOS 5D Mark II", "Pixel*", "Pixel 7", None]
    fill(library, [at(f"{n}.jpg", camera=camera) for n, camera in enumerate(cameras)])
    assert as_dict(counted(library).cameras) == {
        "Canon EOS 5D": 3,  # `camera=canon eos 5d` finds Mark II as well
        "Canon EOS 5D Mark II": 1,
        "Pixel[*]": 1,
        "Pixel 7": 1,
    }


def test_shapes_and_formats(library: Path) -> None:
    fill(
        library,
        [
            at("a.JPG", width=300, height=400),
            at("b.jpeg", width=400, height=300),
            at("c.png", width=1000, height=1010),  # to within 2%
            at("d.tiff", width=400, height=300),
            at("e.heif", width=None, height=None),
        ],
    )
    facets = counted(library)
    assert as_dict(facets.shapes) == {"landscape": 2, "portrait": 1, "square": 1}
    assert facets.formats == (Count("jpg", 2), Count("heic", 1), Count("png", 1), Count("tif", 1))


def test_each_kind_is_counted_under_all_filters_but_its_own(library: Path) -> None:
    fill(
        library,
        [
            at("a/1.jpg", camera="X", taken_at=datetime(2023, 7, 1)),
            at("a/2.png", camera="Y", taken_at=datetime(2022, 7, 1)),
            at("b/3.jpg", camera="X", taken_at=datetime(2022, 7, 1)),
        ],
    )
    facets = counted(library, Filters(paths=("a",), cameras=("X",)))
    assert facets.photos == 1
    assert as_dict(facets.folders) == {"a": 1, "b": 1}  # of camera X
    assert as_dict(facets.cameras) == {"X": 1, "Y": 1}  # in folder a
    assert as_dict(facets.years) == {"2023": 1}  # of camera X in folder a
    assert as_dict(facets.formats) == {"jpg": 1}
    assert as_dict(counted(library, Filters(after=datetime(2023, 1, 1))).years) == {"2023": 1, "2022": 2}


def test_photos_without_a_vector_are_found_by_no_search_and_counted_by_none(library: Path) -> None:
    fill(library, [at("a.jpg")], vector=False)
    assert counted(library) == Facets(0)


def test_only_the_largest_folders_and_cameras(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facets, "_MOST", 2)
    fill(library, [at(f"{'abc'[n % 3]}/{n}.jpg", camera="xyz"[n % 3]) for n in range(8)])
    assert counted(library).folders == (Count("a", 3), Count("b", 3))
    assert counted(library).cameras == (Count("x", 3), Count("y", 3))


def test_many_photos_are_counted_in_blocks(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facets, "_BLOCK", 3)
    fill(library, [at(f"{n % 2}/{n}.jpg") for n in range(10)])
    assert counted(library).photos == 10
    assert counted(library).folders == (Count("0", 5), Count("1", 5))


# --- over HTTP --------------------------------------------------------------------------------------


@pytest.fixture
def client(library: Path, photos: Path, encoder: FakeEncoder) -> Iterator[TestClient]:
    update_library(library, [photos], encoder)
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        yield client


def test_over_http(client: TestClient) -> None:
    response = client.get("/api/facets", params={"path": "red*"})
    assert response.status_code == 200
    answer = response.json()
    assert FacetsAnswer.model_validate(answer).model_dump() == answer  # as the description says
    assert (answer["photos"], answer["formats"]) == (1, [{"value": "png", "photos": 1}])
    assert answer["shapes"] == [{"value": "square", "photos": 1}]
    assert client.get("/api/facets", params={"nonsense": 1}).status_code == 422
    assert client.get("/api/facets", params={"after": "soon"}).status_code == 400


def test_counted_once_for_each_state_of_the_library(
    client: TestClient, library: Path, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = Counter[Filters]()

    def counting(reader: CatalogReader, filters: Filters) -> Facets:
        counts[filters] += 1
        return count_facets(reader, filters)

    monkeypatch.setattr("twobranch.server.api.facets.count_facets", counting)
    for _ in range(2):
        assert client.get("/api/facets").json()["photos"] == 3
        assert client.get("/api/facets?format=jpg").json()["photos"] == 0
    assert counts == {Filters(): 1, Filters(formats=("jpg",)): 1}
    write_photo(photos / "rose.png", "red")
    update_library(library, [photos], encoder)
    assert client.get("/api/facets").json()["photos"] == 4


def test_a_name_that_is_not_utf_8(
    client: TestClient, library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photo(photos / "caf\udce9/a.png", "red")
    update_library(library, [photos], encoder)
    (folder,) = client.get("/api/facets").json()["folders"]
    assert folder == {"value": "caf?", "photos": 1}
    assert client.get("/api/facets", params={"path": folder["value"]}).json()["photos"] == 1


def test_a_library_without_photos(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    (tmp_path / "empty").mkdir()
    update_library(library, [tmp_path / "empty"], encoder)
    with TestClient(create_app(Settings(library), load=lambda model: encoder), "http://127.0.0.1") as client:
        answer = client.get("/api/facets").json()
    assert answer == {name: 0 if name == "photos" else [] for name in FacetsAnswer.model_fields}


# --- the law ----------------------------------------------------------------------------------------

PHOTO = st.fixed_dictionaries(
    {
        "root": st.sampled_from(["/p", "/home/A", "/home/[x]"]),
        "folder": st.lists(st.sampled_from(["a", "A", "b", "[x]", "é", "É", "a*", "caf\udce9"]), max_size=3),
        "end": st.sampled_from([".jpg", ".JPEG", ".png", ".tif", ".tiff", ".heic"]),
        "camera": st.sampled_from([None, "X", "x", "X1", "Y[1]", "É"]),
        "taken_at": st.none() | st.datetimes(datetime(2019, 11, 1), datetime(2021, 2, 1)),
        "width": st.sampled_from([100, 101, 103, None]),
    }
)
CHOSEN = st.fixed_dictionaries(
    {
        "after": st.none() | st.just(datetime(2020, 1, 1)),
        "paths": st.sampled_from([(), ("a",), ("a/b", "é")]),
        "not_paths": st.sampled_from([(), ("b",)]),
        "cameras": st.sampled_from([(), ("x",), ("X1", "Y*")]),
        "shape": st.sampled_from([None, "square", "landscape"]),
        "formats": st.sampled_from([(), ("jpg",), ("png", "tiff")]),
    }
)


EXAMPLES = {
    "years": "2020",
    "months": "2020-01",
    "folders": "a",
    "cameras": "X",
    "shapes": "square",
    "formats": "jpg",
}


def asked_for(kind: str, value: str) -> dict[str, Any]:
    """The filters that choosing this value sets."""
    if kind == "years":
        return {"after": datetime(int(value), 1, 1), "before": datetime(int(value) + 1, 1, 1)}
    if kind == "months":
        year, month = map(int, value.split("-"))
        following = datetime(year + month // 12, month % 12 + 1, 1)
        return {"after": datetime(year, month, 1), "before": following}
    name = {"folders": "paths", "cameras": "cameras", "shapes": "shape", "formats": "formats"}[kind]
    return {name: value if kind == "shapes" else (value,)}


@settings(max_examples=25, deadline=None)
@given(photos=st.lists(PHOTO, max_size=12), chosen=CHOSEN)
def test_a_value_counts_what_is_found_when_it_is_chosen(
    photos: list[dict[str, Any]], chosen: dict[str, Any]
) -> None:
    """And no photo that has a date, a folder, a camera, a shape or a format is left out."""
    filters = Filters(**chosen)
    rows = [
        {
            "root": photo["root"],
            "path": "/".join([*photo["folder"], f"{n}{photo['end']}"]),
            "camera": photo["camera"],
            "taken_at": photo["taken_at"],
            "width": photo["width"],
            "height": photo["width"] and 101,
        }
        for n, photo in enumerate(photos)
    ]
    with TemporaryDirectory() as folder:
        library = Path(folder) / "library"
        fill(library, rows)
        found = counted(library, filters)
        with closing(CatalogReader.open(library)) as reader:
            model = reader.active_model()
            assert model is not None

            def let_through(filters: Filters) -> set[int]:
                return set(reader.matching("images", model.id, filters).tolist())

            assert found.photos == len(let_through(filters))
            for kind in EXAMPLES:
                own = {name: getattr(Filters(), name) for name in asked_for(kind, EXAMPLES[kind])}
                seen: set[int] = set()
                for count in getattr(found, kind):
                    one = let_through(replace(filters, **own | asked_for(kind, count.value)))
                    assert (kind, count.value, count.photos) == (kind, count.value, len(one))
                    seen |= one
                if kind in ("years", "months", "formats"):  # which every photo has
                    assert seen == let_through(replace(filters, **own))


def test_places_are_towns_and_countries(library: Path) -> None:
    fill(
        library,
        [
            at("1.jpg", latitude=48.8584, longitude=2.2945),  # Paris
            at("2.jpg", latitude=48.8918, longitude=2.2362),  # and a suburb of it
            at("3.jpg", latitude=43.7, longitude=7.27),
            at("4.jpg", latitude=39.8, longitude=-89.65),  # a name that many towns of the country have
            at("5.jpg", latitude=0.0, longitude=-150.0),  # in the sea
            at("6.jpg"),
        ],
    )
    facets = counted(library)
    springfield = "Springfield, Illinois, United States"
    assert facets.places == (Count("Paris, France", 2), Count("Nice, France", 1), Count(springfield, 1))
    assert facets.countries == (Count("France", 3), Count("United States", 1))
    for count in (*facets.places, *facets.countries):
        assert counted(library, Filters(places=(count.value,))).photos == count.photos
    # As other kinds, places are counted under all filters but their own.
    assert counted(library, Filters(places=("Nice",))).places == facets.places
    assert counted(library, Filters(paths=("3.jpg",))).places == (Count("Nice, France", 1),)
