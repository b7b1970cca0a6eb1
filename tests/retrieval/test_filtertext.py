from __future__ import annotations

from datetime import datetime

import pytest

from twobranch.common.errors import UserError
from twobranch.indexer.catalog.filters import Place
from twobranch.retrieval.filter_syntax import parse_date, parse_distance, parse_pixels, parse_place


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023", datetime(2023, 1, 1)),
        ("2023-06", datetime(2023, 6, 1)),
        ("2023-6-5", datetime(2023, 6, 5)),
        ("2023-06-30 18:05", datetime(2023, 6, 30, 18, 5)),
        ("2023-06-30T18:05", datetime(2023, 6, 30, 18, 5)),
    ],
)
def test_a_date_is_its_first_moment(text: str, moment: datetime) -> None:
    assert parse_date(text) == moment


@pytest.mark.parametrize("text", ["", "june", "2023-13", "2023-02-30", "23-06", "0000", "2023-06-30 25:00"])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(UserError, match="is no date; write 2023, 2023-06"):
        parse_date(text)


def test_places_and_distances() -> None:
    assert parse_place("48.85, 2.35", "20km") == Place(48.85, 2.35, 20)
    assert (parse_distance("500m"), parse_distance("2 mi"), parse_distance("7")) == (0.5, 3.218688, 7)
    for text in ("1,2,3", "48.85", "", "48.85;2.35"):
        with pytest.raises(UserError, match="is no place"):
            parse_place(text, "1km")
    with pytest.raises(UserError, match="from -90 to 90"):
        parse_place("91,0", "1km")
    with pytest.raises(UserError, match="from -90 to 90"):
        parse_place("nan,0", "1km")
    with pytest.raises(UserError, match="is no distance"):
        parse_distance("far")


def test_sizes() -> None:
    assert [parse_pixels(text) for text in ("2MP", "0.3mp", "12", "1920x1080")] == [
        2_000_000,
        300_000,
        12_000_000,
        2_073_600,
    ]
    with pytest.raises(UserError, match="is no size"):
        parse_pixels("large")
    assert parse_pixels(f"{'9' * 5000}x1") == 10**15
