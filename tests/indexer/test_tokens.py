from __future__ import annotations

import pytest

from twobranch.indexer.catalog.tokens import name_words, runs


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Germany 2019", "germany 2019"),
        ("BeachParty2019", "beachparty2019 beach party 2019"),
        ("DSC01234", "dsc01234 dsc 01234"),
        ("HTTPServer", "httpserver http server"),
        ("Room4k", "room4k room 4"),  # a letter alone means nothing
        ("größeÄpfel", "größeäpfel größe äpfel"),
        ("Zu\u0308rich", "zürich"),  # as macOS writes names: u and two dots
        ("日本旅行", "日本旅行"),  # no words to split at
        ("caf\udce9", "caf"),  # not UTF-8
        ("...", ""),
    ],
)
def test_names_are_split_where_a_person_sees_words(name: str, words: str) -> None:
    assert name_words(name) == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("IMG_20190704_Beach", "img 20190704 beach 2019 07 04 july"),
        ("PXL_20190704123059123", "pxl 20190704123059123 2019 07 04 july"),
        ("2019-07-04", "2019 07 04 july"),
        ("2019_12 Rome", "2019 12 rome december"),
        ("IMG_20191304", "img 20191304"),  # no month 13
        ("120190704", "120190704"),  # a longer number
    ],
)
def test_dates_in_names_say_their_month(name: str, words: str) -> None:
    assert name_words(name) == words


def test_runs_of_a_sentence() -> None:
    assert runs('Zu\u0308rich, "lake" OR col:2019*') == ["zürich", "lake", "or", "col", "2019"]
