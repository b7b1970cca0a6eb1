"""Filters whose numbers are not of this world: an error that says so, or simply no such photo."""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tests.fakes import write_photo
from tests.test_cli import run, run_json
from twobranch.common.errors import UserError
from twobranch.indexer.catalog.filters import FUNCTIONS, Filters
from twobranch.retrieval.filter_syntax import parse_date, parse_filters, parse_pixels, parse_place


@pytest.mark.parametrize("place", ["nan,0", "0,nan", "nan,nan", "inf,0", "0,-inf", "90.001,0", "0,180.001"])
def test_what_is_nowhere_on_earth_is_no_place(place: str) -> None:
    with pytest.raises(UserError, match="latitudes are from -90 to 90"):
        parse_place(place, "1km")


@pytest.mark.parametrize(
    "filters",
    [
        parse_filters(min_size="9" * 400),
        parse_filters(min_size="9" * 30 + "MP"),
        parse_filters(min_size=f"{'9' * 20}x{'9' * 20}"),
        parse_filters(near="0,0", within="9" * 400),
        parse_filters(after="0999", before="9999-12-31 23:59"),
    ],
)
def test_sqlite_takes_the_largest_of_numbers(filters: Filters) -> None:
    condition, values = filters.condition()
    with sqlite3.connect(":memory:") as connection:
        for name, (n, function) in FUNCTIONS.items():
            connection.create_function(name, n, function)
        connection.execute("CREATE TABLE i (taken_at, mtime_ns INT, latitude, longitude, width, height)")
        connection.execute(f"SELECT * FROM i WHERE {condition}", values)
    assert parse_pixels("9" * 400) == 10**15


@pytest.mark.parametrize(
    "text",
    ["0000", "-001", "10000", "2023-00", "2023-13", "2023-02-29", "2023-06-30 24:00", "2023-06-30T18:05Z"],
)
def test_dates_that_no_calendar_has(text: str) -> None:
    with pytest.raises(UserError, match="is no date"):
        parse_date(text)


def test_search_says_what_is_wrong_with_a_place_and_looks_back_a_thousand_years(tmp_path: Path) -> None:
    write_photo(tmp_path / "photos/red.png", "red")
    run("index", "photos", cwd=tmp_path)
    error = run("search", "--near", "nan,nan", cwd=tmp_path, code=1).stderr
    assert error.count("\n") == 1 and "latitudes are from -90 to 90 degrees" in error
    assert len(run_json("search", "--after", "0999", cwd=tmp_path)["hits"]) == 1
    assert run_json("search", "--min-size", "9" * 40, cwd=tmp_path)["hits"] == []
    assert run_json("search", "--path", "PHOTÖS", cwd=tmp_path)["hits"] == []


def test_a_date_filter_means_the_local_time_of_this_computer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Berlin 0:30 UTC on 29 October 2023 was 2:30 in summer time, and 2:30 came once more."""
    photo = write_photo(tmp_path / "photos/red.png", "red")  # says nothing about when it was taken
    moment = datetime(2023, 10, 29, 0, 30, tzinfo=timezone.utc).timestamp()
    os.utime(photo, (moment, moment))
    run("index", "photos", cwd=tmp_path)
    for place, edge, found in (
        ("Europe/Berlin", "2023-10-29 02:30", 1),
        ("Europe/Berlin", "2023-10-29 02:31", 0),
        ("America/New_York", "2023-10-28 20:30", 1),
        ("America/New_York", "2023-10-28 20:31", 0),
    ):
        monkeypatch.setenv("TZ", place)
        assert len(run_json("search", "--after", edge, cwd=tmp_path)["hits"]) == found


def test_nothing_times_more_than_a_number_holds() -> None:
    assert parse_pixels("0x" + "9" * 400) == 0
