"""The names of months, days and units of time that ``retrieval.date_names`` reads.

    pip install --no-deps dateparser && python -m twobranch.train.languages.date_names

They are those of dateparser (BSD-3-Clause), which takes them from Unicode's CLDR (Unicode License) and adds
inflected forms. Seasons and holidays are in neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twobranch.common.errors import UserError
from twobranch.embedding.language import LANGUAGES
from twobranch.retrieval.date_names import DATA

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS = ("week", "month", "year")
_SHORTEST = 3  # letters of a month or unit; shorter ones are abbreviations that nobody types
_SHORTEST_DAY = 5  # full names alone: "sun", "mar" and "sex" are other words as well
_ARTICLES = ("le ", "la ", "l'", "el ")  # left out in queries


def write_names(path: Path) -> int:
    """Write the names, and return their number. Raises ``UserError`` without dateparser."""
    if find_spec("dateparser") is None:
        raise UserError("dateparser is not here; `pip install --no-deps dateparser`")
    names = {}
    for language in LANGUAGES:
        info = import_module(f"dateparser.data.date_translation_data.{language}").info
        names[language] = {
            "months": [_names(info[month], _SHORTEST) for month in _MONTHS],
            "days": [_names(info[day], _SHORTEST_DAY) for day in _DAYS],
            "units": {unit: _unit(info, unit) for unit in _UNITS},
            "relative": _relative(info["relative-type"]),
        }
    lines = ",\n".join(f'"{code}": {json.dumps(table, ensure_ascii=False)}' for code, table in names.items())
    path.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    return sum(len(month) for table in names.values() for month in table["months"])


def _names(written: Iterable[str], shortest: int) -> list[str]:
    return sorted({name.lower() for name in written if len(name) >= shortest})


def _unit(info: Mapping[str, Any], unit: str) -> list[str]:
    """Return the names of one week, month or year.

    Without plurals: those in "last week", "this week".
    """
    phrases = [phrase for n in (0, 1) for phrase in info["relative-type"].get(f"{n} {unit} ago", ())]
    said = {word for phrase in phrases for word in phrase.lower().replace("'", " ").replace("-", " ").split()}
    return [name for name in _names(info[unit], _SHORTEST) if name in said]


def _relative(phrases: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return phrases of the past by unit and distance.

    Such as ``{"day 1": ["yesterday"]}``.
    """
    found = {}
    for unit in ("day", *_UNITS):
        for distance in range(3):
            names = {name.lower() for name in phrases.get(f"{distance} {unit} ago", ())}
            names |= {name.removeprefix(article) for name in names for article in _ARTICLES}
            if names:
                found[f"{unit} {distance}"] = sorted(names)
    return found


if __name__ == "__main__":
    print(write_names(DATA), DATA)
