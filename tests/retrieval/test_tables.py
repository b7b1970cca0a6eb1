"""Hits as a table."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from twobranch.retrieval.display.tables import hit_table
from twobranch.retrieval.hits import Hit


def test_columns_stand_where_some_hit_has_something_to_say() -> None:
    bare = Hit(1, 0.5, Path("/a.jpg"), None)
    assert hit_table([bare], captions=False) == "rank  score  path\n1     0.500  /a.jpg"
    dated = Hit(2, 0.25, Path("/b.jpg"), None, 0.004, date=datetime(2020, 2, 3, 4, 5, 6))
    assert hit_table([bare, dated], captions=False).splitlines() == [
        "rank  score  confidence  date        path",
        "1     0.500                          /a.jpg",
        "2     0.250  <1%         2020-02-03  /b.jpg",
    ]


def test_a_caption_without_a_photo() -> None:
    assert hit_table([Hit(1, 0.5, None, "a dog")], captions=True).splitlines() == [
        "rank  score  caption  path",
        "1     0.500  a dog    ",
    ]


def test_the_place_of_a_window_stands_behind_the_path() -> None:
    hit = Hit(1, 0.5, Path("/a.jpg"), None, width=400, height=200, region=(200, 0, 400, 100))
    assert hit_table([hit], captions=False) == "rank  score  path\n1     0.500  /a.jpg  (top right)"
