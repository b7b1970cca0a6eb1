"""Which words of a query are a date, and which date. Today is Saturday, 28 November 2026."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twobranch.embedding.language import LANGUAGES, language_of
from twobranch.retrieval.date_names import _FEAST_DAYS, _HOLIDAYS, _SEASONS, _table
from twobranch.retrieval.date_spans import (
    Span,
    a_holiday,
    a_season,
    a_weekday,
    a_weekend,
    days_ago,
    easter_sunday,
    every_day,
    every_month,
    latest,
)
from twobranch.retrieval.date_words import Reading, read_dates

TODAY = date(2026, 11, 28)


def read(text: str, language: str | None = None) -> Reading | None:
    return read_dates(text, language or language_of(text), TODAY)


def as_text(text: str, language: str | None = None) -> tuple[str, str, str] | None:
    """The words that are left, those of the date, and its span."""
    reading = read(text, language)
    return None if reading is None else (reading.rest, reading.words, str(reading.span))


@pytest.mark.parametrize(
    ("text", "rest", "words", "span"),
    [
        ("beach summer 2019", "beach", "summer 2019", "2019-06-01 to 2019-09-01"),
        ("june 2020", "", "june 2020", "2020-06-01 to 2020-07-01"),
        ("dogs, June of 2020", "dogs", "June of 2020", "2020-06-01 to 2020-07-01"),
        ("2020 june dogs", "dogs", "2020 june", "2020-06-01 to 2020-07-01"),
        ("dec 2019 snow", "snow", "dec 2019", "2019-12-01 to 2020-01-01"),
        ("june 14th, 2020 party", "party", "june 14th, 2020", "2020-06-14 to 2020-06-15"),
        ("14 june 2020", "", "14 june 2020", "2020-06-14 to 2020-06-15"),
        ("party 2020-06-14", "party", "2020-06-14", "2020-06-14 to 2020-06-15"),
        ("party 2020-06", "party", "2020-06", "2020-06-01 to 2020-07-01"),
        ("party 14.06.2020", "party", "14.06.2020", "2020-06-14 to 2020-06-15"),
        ("norway 2017", "norway", "2017", "2017-01-01 to 2018-01-01"),
        ("2017 norway", "norway", "2017", "2017-01-01 to 2018-01-01"),
        ("in the summer of 2019 a dog", "a dog", "in the summer of 2019", "2019-06-01 to 2019-09-01"),
        ("winter 2018/19", "", "winter 2018/19", "2018-12-01 to 2019-03-01"),
        ("christmas 2018", "", "christmas 2018", "2018-12-24 to 2018-12-27"),
        ("easter 2020 eggs", "eggs", "easter 2020", "2020-04-10 to 2020-04-14"),  # Easter was on 12 April
        ("new year's eve 2019", "", "new year's eve 2019", "2019-12-31 to 2020-01-02"),
        ("new year 2020", "", "new year 2020", "2019-12-31 to 2020-01-02"),
        ("yesterday", "", "yesterday", "2026-11-27 to 2026-11-28"),
        ("the dog last week", "the dog", "last week", "2026-11-16 to 2026-11-23"),
        ("last year", "", "last year", "2025-01-01 to 2026-01-01"),
        ("last summer at the beach", "at the beach", "last summer", "2026-06-01 to 2026-09-01"),
        ("last christmas", "", "last christmas", "2025-12-24 to 2025-12-27"),
        ("last friday", "", "last friday", "2026-11-27 to 2026-11-28"),
        ("2018-2020 hiking", "hiking", "2018-2020", "2018-01-01 to 2021-01-01"),
        ("hiking from 2018 to 2020", "hiking", "from 2018 to 2020", "2018-01-01 to 2021-01-01"),
        ("dogs since 2019", "dogs", "since 2019", "from 2019-01-01"),
        ("dogs before christmas 2018", "dogs", "before christmas 2018", "before 2018-12-24"),
        ("dogs after june 2020", "dogs", "after june 2020", "from 2020-07-01"),
        # A year behind a name or before it is the name's, also one told by its distance or in short.
        ("june last year", "", "june last year", "2025-06-01 to 2025-07-01"),
        ("summer of last year", "", "summer of last year", "2025-06-01 to 2025-09-01"),
        ("christmas last year", "", "christmas last year", "2025-12-24 to 2025-12-27"),
        ("last year in june", "", "last year in june", "2025-06-01 to 2025-07-01"),
        ("summer this year", "", "summer this year", "2026-06-01 to 2026-09-01"),
        ("june '20", "", "june '20", "2020-06-01 to 2020-07-01"),
        ("june'20", "", "june'20", "2020-06-01 to 2020-07-01"),
        ("august in the year 2019", "", "august in the year 2019", "2019-08-01 to 2019-09-01"),
        ("a women's march last year", "a women's march", "last year", "2025-01-01 to 2026-01-01"),
        ("summer '69", "", "summer '69", "1969-06-01 to 1969-09-01"),
        ("christmas in 2019", "", "christmas in 2019", "2019-12-24 to 2019-12-27"),
        ("winter 2018-2019", "", "winter 2018-2019", "2018-12-01 to 2019-03-01"),
        ("winter 2018-19", "", "winter 2018-19", "2018-12-01 to 2019-03-01"),
        ("4. 6. 2019", "", "4. 6. 2019", "2019-06-04 to 2019-06-05"),
        ("christmas eve 2019", "", "christmas eve 2019", "2019-12-24 to 2019-12-25"),
        ("christmas day 2019", "", "christmas day 2019", "2019-12-25 to 2019-12-26"),
        ("new year's day 2020", "", "new year's day 2020", "2020-01-01 to 2020-01-02"),
        ("easter sunday 2021", "", "easter sunday 2021", "2021-04-04 to 2021-04-05"),
        ("good friday 2021", "", "good friday 2021", "2021-04-02 to 2021-04-03"),
        # Ranges: the last year, month or day counts.
        ("between 2018 and 2020", "", "between 2018 and 2020", "2018-01-01 to 2021-01-01"),
        ("dogs june to august 2020", "dogs", "june to august 2020", "2020-06-01 to 2020-09-01"),
        ("14 to 16 june 2020", "", "14 to 16 june 2020", "2020-06-14 to 2020-06-17"),
        ("june 14th to july 16th 2020", "", "june 14th to july 16th 2020", "2020-06-14 to 2020-07-17"),
        # A spring or fall that may be none: the year holds either way.
        ("a hot spring 2021", "a hot spring", "2021", "2021-01-01 to 2022-01-01"),
        ("snow fall 2020", "snow fall", "2020", "2020-01-01 to 2021-01-01"),
        ("2019 fall leaves", "fall leaves", "2019", "2019-01-01 to 2020-01-01"),
        # A number beside a date is none, unless it goes with another one.
        ("iphone 12 2019", "iphone 12", "2019", "2019-01-01 to 2020-01-01"),
        ("F-16 2019", "F-16", "2019", "2019-01-01 to 2020-01-01"),
        ("dogs (2019)", "dogs", "2019", "2019-01-01 to 2020-01-01"),
        ("dogs [in june 2020] beach", "dogs beach", "in june 2020", "2020-06-01 to 2020-07-01"),
        ('dogs "2019" party', "dogs party", "2019", "2019-01-01 to 2020-01-01"),
        ("(dogs 2019)", "(dogs )", "2019", "2019-01-01 to 2020-01-01"),
    ],
)
def test_words_that_are_a_date(text: str, rest: str, words: str, span: str) -> None:
    assert as_text(text) == (rest, words, span)


@pytest.mark.parametrize(
    "text",
    [
        "a summer meadow",  # a scene
        "christmas tree",
        "spring",
        "a dog that may bite",
        "this may be a dog",
        "a march in the street",
        "march",
        "may",
        "leaves that fall",
        "april and june on a swing",
        "a man in 1950s clothing",
        "IMG_2019",
        "2019.jpg",
        "DSC02019",
        "$2019",
        "a 1957 chevrolet",
        "2000 people",
        "blade runner 2049",  # not yet
        "14th june, 30 february 2019",
        "june 2019 and july 2020",
        "leaves fall past a window",
        "walking past summer houses",
        "this spring flower",
        "june or july 2020",  # a part is not the whole
        "june & july 2020",
        "june 2020 or july",
        "june and christmas 2019",
        "june-august 2020",
        "march-may 2020",
        "june-aug 2020",
        "june - august 2020",
        "august to june 2020",
        "14-16 june 2020",
        "june 14-16, 2020",
        "june 14 - 16 2020",
        "june 4 to 6 2020",
        "4 or 5 june 2020",
        "summer 2018-2019",
        "winter 2018/22",
        "before 2018-2020",
        "from 2018 to 2049",
        "from last june to this june",
        "2018 - 2020",
        "2018 -2020",
        "dog -june 2020",  # words to get away from
        "dog -cat june 2020",
        "today's newspaper",
        "last year's christmas",
        "the last supper",
        "past years",
        "mars",
        "",
        "?",
    ],
)
def test_words_in_doubt_are_left_alone(text: str) -> None:
    assert as_text(text, "en") is None


def test_an_accent_tells_a_month_from_a_glow() -> None:
    assert as_text("zpěvák v záři reflektorů", "cs") is None


@pytest.mark.parametrize(
    "text",
    ["photos from march", "in march", "my pictures of march 2019", "a photo from june", "all photos 2019"],
)
def test_words_that_only_ask_for_photos_are_not_searched_for(text: str) -> None:
    reading = read(text)
    assert reading is not None and (reading.rest, reading.words) == ("", text)


def test_a_month_without_a_year_is_of_every_year() -> None:
    assert as_text("snow in december") == ("snow", "in december", "12-01 to 01-01 of every year")
    assert as_text("december") == ("", "december", "12-01 to 01-01 of every year")
    assert as_text("photos from july 4") == ("", "photos from july 4", "07-04 to 07-05 of every year")


def test_a_winter_is_both_ends_of_its_year() -> None:
    reading = read("winter 2018")
    assert reading is not None
    assert reading.span == Span(date(2018, 1, 1), date(2019, 3, 1), ("12-01", "03-01"))


@pytest.mark.parametrize(
    ("text", "language", "rest", "span"),
    [
        ("gestern", "de", "", "2026-11-27 to 2026-11-28"),
        ("Weihnachten 2018", "de", "", "2018-12-24 to 2018-12-27"),
        ("Strand im letzten Sommer", "de", "Strand", "2026-06-01 to 2026-09-01"),
        ("14. Juni 2020", "de", "", "2020-06-14 to 2020-06-15"),
        ("été 2019", "fr", "", "2019-06-01 to 2019-09-01"),
        ("ete 2019", "fr", "", "2019-06-01 to 2019-09-01"),
        ("l'été dernier à la plage", "fr", "à la plage", "2026-06-01 to 2026-09-01"),
        ("la playa en agosto de 2019", "es", "la playa", "2019-08-01 to 2019-09-01"),
        ("el verano pasado", "es", "", "2026-06-01 to 2026-09-01"),
        ("vánoce 2018", "cs", "", "2018-12-24 to 2018-12-27"),
        ("loni", "cs", "", "2025-01-01 to 2026-01-01"),
        ("mare estate 2019", "it", "mare", "2019-06-01 to 2019-09-01"),
        ("vorige week", "nl", "", "2026-11-16 to 2026-11-23"),
        ("verão de 2019", "pt", "", "2019-06-01 to 2019-09-01"),
        ("zdjęcia z czerwca 2019", "pl", "", "2019-06-01 to 2019-07-01"),
        ("i går", "sv", "", "2026-11-27 to 2026-11-28"),
        ("Sommer letztes Jahr", "de", "", "2025-06-01 to 2025-09-01"),
        ("im Sommer des letzten Jahres", "de", "", "2025-06-01 to 2025-09-01"),
        ("juin de l'année dernière", "fr", "", "2025-06-01 to 2025-07-01"),
        ("verano del año pasado", "es", "", "2025-06-01 to 2025-09-01"),
        ("v létě minulého roku", "cs", "", "2025-06-01 to 2025-09-01"),
        ("léto loni", "cs", "", "2025-06-01 to 2025-09-01"),
        ("estate dell'anno scorso", "it", "", "2025-06-01 to 2025-09-01"),
        ("juni vorig jaar", "nl", "", "2025-06-01 to 2025-07-01"),
        ("verão do ano passado", "pt", "", "2025-06-01 to 2025-09-01"),
        ("w czerwcu zeszłego roku", "pl", "", "2025-06-01 to 2025-07-01"),
        ("sommaren förra året", "sv", "", "2025-06-01 to 2025-09-01"),
        ("von Juni bis August 2020", "de", "", "2020-06-01 to 2020-09-01"),
        ("zwischen 2018 und 2020", "de", "", "2018-01-01 to 2021-01-01"),
        ("photos de 2018 à 2020", "fr", "", "2018-01-01 to 2021-01-01"),
        ("fotos desde 2018 hasta 2020", "es", "", "2018-01-01 to 2021-01-01"),
        ("od 2018 do 2020", "cs", "", "2018-01-01 to 2021-01-01"),
        ("mezi lety 2018 a 2020", "cs", "", "2018-01-01 to 2021-01-01"),
        ("pes před rokem 2018", "cs", "pes", "before 2018-01-01"),
        ("pes v roce 2018", "cs", "pes", "2018-01-01 to 2019-01-01"),
        ("v září 2019", "cs", "", "2019-09-01 to 2019-10-01"),
        ("dell'11 giugno 2019", "it", "", "2019-06-11 to 2019-06-12"),
        ("dal 2018 al 2020", "it", "", "2018-01-01 to 2021-01-01"),
        ("tussen 2018 en 2020", "nl", "", "2018-01-01 to 2021-01-01"),
        ("fotos de 2018 a 2020", "pt", "", "2018-01-01 to 2021-01-01"),
        ("od 2018 do 2020", "pl", "", "2018-01-01 to 2021-01-01"),
        ("mellan 2018 och 2020", "sv", "", "2018-01-01 to 2021-01-01"),
        ("auf jeden Fall 2019", "de", "auf jeden Fall", "2019-01-01 to 2020-01-01"),
        # Not told as the language it is in: beside a year any language's name counts ...
        ("sommer 2019", "en", "", "2019-06-01 to 2019-09-01"),
        # ... unless it is an English word.
        ("real estate 2019", "en", "real estate", "2019-01-01 to 2020-01-01"),
    ],
)
def test_dates_in_the_languages_of_the_model(text: str, language: str, rest: str, span: str) -> None:
    found = as_text(text, language)
    assert found is not None and (found[0], found[2]) == (rest, span)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_its_months_seasons_and_holidays(language: str) -> None:
    for number, names in enumerate(_table()[language]["months"], start=1):
        for name in names:
            reading = read(f"{name} 2019", language)
            if name in ("jul", "lata"):
                continue  # Christmas in Swedish; also a year's plural
            assert reading is not None and reading.span.after == date(2019, number, 1), name
    for table in (_SEASONS, _HOLIDAYS):
        for forms in table[language]:
            for name in forms.split(", ") if table is _HOLIDAYS else forms.split():
                reading = read(f"{name} 2019", language)
                assert reading is not None and reading.rest in ("", name), name
    for feast, forms in _FEAST_DAYS[language].items():
        for name in forms.split(", "):
            reading = read(f"{name} 2019", language)
            assert reading is not None and (reading.rest, reading.span) == ("", a_holiday(feast, 2019)), name


def test_the_texts_that_a_name_has_of_those_dates() -> None:
    """A folder "2020-06 Norwegen" has the words 2020, 06 and june."""
    for text, texts in {
        "juni 2020": (("juni", "june"), ("2020",)),
        "norway 2021": (("2021",),),
        "14 june 2020": (("june",), ("14",), ("2020",)),
        "Sommer 2019": (("sommer",), ("2019",)),
        "yesterday": (),
        "since 2019": (),
    }.items():
        reading = read(text, "de")
        assert reading is not None and reading.texts == texts


PIECES = {
    *("june", "may", "summer", "fall", "christmas", "day", "week", "year", "yesterday", "été", "february"),
    *(
        "last",
        "this",
        "dogs",
        "photos",
        "a",
        "in",
        "the",
        "to",
        "of",
        "and",
        "or",
        "between",
        "since",
        "before",
    ),
    *(
        "'s",
        ",",
        "-",
        "_",
        "2019",
        "2020",
        "14",
        "'20",
        "-june",
        "june-july",
        "30",
        "4. 6. 2019",
        "31.4.2019",
    ),
    *("2018-2019", "2018-19", "od", "do", "roku"),
}


@settings(max_examples=500, deadline=None)
@given(
    text=st.lists(st.sampled_from(sorted(PIECES)), max_size=7).map(" ".join) | st.text(max_size=40),
    language=st.sampled_from(LANGUAGES),
    today=st.dates(date(2000, 1, 1), date(2100, 1, 1)),
)
def test_what_is_read_and_what_is_left_are_the_text(text: str, language: str, today: date) -> None:
    reading = read_dates(text, language, today)
    if reading is None:
        return
    assert text[: reading.start] + reading.words + text[reading.end :] == text
    assert reading.rest.split() == [
        word for part in (text[: reading.start], text[reading.end :]) for word in part.strip(" ,").split()
    ]
    span = reading.span
    assert span != Span()
    assert not (span.after and span.before) or span.after < span.before
    assert span.yearly is None or span.yearly[0] != span.yearly[1]


def test_easter_sundays() -> None:
    """As in any calendar; 1954 and 1981 are exceptions of Gauss's rule."""
    sundays = {
        1954: (4, 18),
        1981: (4, 19),
        2000: (4, 23),
        2008: (3, 23),
        2019: (4, 21),
        2024: (3, 31),
        2026: (4, 5),
    }
    assert {year: easter_sunday(year) for year in sundays} == {y: date(y, *day) for y, day in sundays.items()}


def test_spans_of_the_past() -> None:
    assert days_ago("month", 1, date(2026, 1, 15)) == Span(date(2025, 12, 1), date(2026, 1, 1))
    assert days_ago("week", 0, TODAY) == Span(date(2026, 11, 23), date(2026, 11, 30))  # Monday to Sunday
    assert a_weekday(5, TODAY, "last") == Span(date(2026, 11, 21), date(2026, 11, 22))  # today is one
    assert a_weekend(TODAY, "last") == Span(date(2026, 11, 21), date(2026, 11, 23))  # this one is not over
    assert a_weekend(TODAY, "this") == Span(date(2026, 11, 28), date(2026, 11, 30))
    winter = latest(lambda year: a_season("winter", year), date(2026, 1, 15), "last")
    assert winter == Span(date(2024, 12, 1), date(2025, 3, 1))  # the one of 2025 is not over
    christmas = latest(lambda year: a_holiday("christmas", year), TODAY, "this")
    assert christmas == Span(date(2025, 12, 24), date(2025, 12, 27))  # this year's has not begun


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from(["day", "week", "month", "year"]))
def test_the_last_one_ends_where_the_current_one_begins(today: date, unit: str) -> None:
    current, last = days_ago(unit, 0, today), days_ago(unit, 1, today)
    assert last.before == current.after
    assert current.after is not None and current.before is not None
    assert current.after <= today < current.before


def test_days_of_every_year_may_go_beyond_its_end() -> None:
    assert every_month(12).yearly == ("12-01", "01-01")
    assert every_day(12, 31).yearly == ("12-31", "01-01")
    assert every_day(2, 29).yearly == ("02-29", "03-01")
    assert a_season("winter", 2023).before == date(2024, 2, 29) + timedelta(days=1)
