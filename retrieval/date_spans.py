"""Spans of time: years, months, seasons, holidays, days ago.

Seasons are those of the northern half of the earth. A week begins on Monday.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

_FIRST_MONTH = {"spring": 3, "summer": 6, "autumn": 9, "winter": 12}
_DAY = timedelta(days=1)
# Holidays of one day: month and day, or the days from Easter Sunday.
_FIXED_DAYS = {
    "christmas eve": (12, 24),
    "christmas day": (12, 25),
    "boxing day": (12, 26),
    "new year's day": (1, 1),
}
_EASTER_DAYS = {"good friday": -2, "easter sunday": 0, "easter monday": 1}


@dataclass(frozen=True)
class Span:
    """A span of time from ``after`` on, that ends before ``before``.

    With ``yearly``, only the days of each year from the first until before the second, as "MM-DD"; they may
    go beyond the end of the year.
    """

    after: date | None = None
    before: date | None = None
    yearly: tuple[str, str] | None = None

    def __str__(self) -> str:
        """The span as in "2020-06-01 to 2020-07-01"; the end is exclusive."""
        days = "" if self.yearly is None else f"{self.yearly[0]} to {self.yearly[1]} of "
        if self.after and self.before:
            return f"{days}{self.after} to {self.before}"
        if self.after or self.before:
            return f"{days}{'from' if self.after else 'before'} {self.after or self.before}"
        return f"{days}every year"


def a_year(year: int) -> Span:
    """Return the span of a year."""
    return Span(date(year, 1, 1), date(year + 1, 1, 1))


def a_month(year: int, month: int) -> Span:
    """Return the span of a month."""
    return Span(date(year, month, 1), _next_month(year, month))


def a_day(year: int, month: int, day: int) -> Span:
    """Return the span of a day. Raises ``ValueError`` for a day that does not exist."""
    return Span(date(year, month, day), date(year, month, day) + _DAY)


def every_month(month: int) -> Span:
    """Return the span of a month in every year."""
    return Span(yearly=(f"{month:02}-01", f"{month % 12 + 1:02}-01"))


def every_day(month: int, day: int) -> Span:
    """Return the span of a day in every year. Raises ``ValueError`` for a day that does not exist."""
    first = date(2000, month, day)  # a leap year
    return Span(yearly=(f"{first:%m-%d}", f"{first + _DAY:%m-%d}"))


def a_season(season: str, year: int) -> Span:
    """Return the span of a season that begins in a year."""
    month = _FIRST_MONTH[season]
    return Span(date(year, month, 1), date(year + 1, 3, 1) if month == 12 else date(year, month + 3, 1))


def seasons_of(season: str, year: int) -> Span:
    """Return what people may mean by a season of a year.

    "winter 2018" is both its ends: January, February and December of 2018, and the two months after.
    """
    if season == "winter":
        return Span(date(year, 1, 1), date(year + 1, 3, 1), ("12-01", "03-01"))
    return a_season(season, year)


def a_holiday(holiday: str, year: int) -> Span:
    """Return the span of a holiday of a year.

    Christmas is 24 to 26 December, Easter Good Friday to Easter Monday, the turn of the year two days, and
    those such as "christmas eve" one day.
    """
    if holiday in _FIXED_DAYS:
        return a_day(year, *_FIXED_DAYS[holiday])
    if holiday in _EASTER_DAYS:
        first = easter_sunday(year) + _EASTER_DAYS[holiday] * _DAY
        return Span(first, first + _DAY)
    if holiday == "christmas":
        return Span(date(year, 12, 24), date(year, 12, 27))
    if holiday == "easter":
        sunday = easter_sunday(year)
        return Span(sunday - 2 * _DAY, sunday + 2 * _DAY)
    first = date(year if holiday == "new year's eve" else year - 1, 12, 31)
    return Span(first, first + 2 * _DAY)


def easter_sunday(year: int) -> date:
    """Return the date of Easter in the Gregorian calendar.

    The algorithm is that of Nature, 20 April 1876, as in Meeus, *Astronomical Algorithms*.
    """
    golden = year % 19
    century, rest = divmod(year, 100)
    leaps, skipped = divmod(century, 4)
    epact = (19 * golden + century - leaps - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * skipped + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def days_ago(unit: str, distance: int, today: date) -> Span:
    """Return an earlier day, week, month or year.

    It is ``distance`` of them ago; 0 is the current one.
    """
    if unit == "day":
        first = today - distance * _DAY
        return Span(first, first + _DAY)
    if unit == "week":
        monday = today - (today.weekday() + 7 * distance) * _DAY
        return Span(monday, monday + 7 * _DAY)
    if unit == "month":
        year, month = divmod(12 * today.year + today.month - 1 - distance, 12)
        return a_month(year, month + 1)
    return a_year(today.year - distance)


def a_weekday(day: int, today: date, which: Literal["last", "this"]) -> Span:
    """Return the last Monday, Tuesday, ... before today.

    For "this", the one of the current week.
    """
    monday = today - today.weekday() * _DAY
    first = monday + day * _DAY
    if which == "last" and first >= today:
        first -= 7 * _DAY
    return Span(first, first + _DAY)


def a_weekend(today: date, which: Literal["last", "this"]) -> Span:
    """Return the last weekend that is over.

    For "this", the last one that has begun.
    """
    saturday = today - (today.weekday() + 2) * _DAY  # that of the week before
    if which == "this" and today.weekday() >= 5:
        saturday += 7 * _DAY
    return Span(saturday, saturday + 2 * _DAY)


def latest(of_year: Callable[[int], Span], today: date, which: Literal["last", "this"]) -> Span:
    """Return the latest yearly span that is over.

    For "this", the latest one that has begun.
    """
    spans = [of_year(year) for year in range(today.year + 1, today.year - 3, -1)]
    for span in spans:
        assert span.after is not None and span.before is not None
        if (span.before if which == "last" else span.after) <= today:
            return span
    raise ValueError(f"no span has begun on {today}")


def _next_month(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1)
