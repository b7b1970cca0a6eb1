"""File and folder names as words that people would type.

``IMG_20190704_BeachParty`` gives beach, party, 2019 and July.
"""

from __future__ import annotations

import re
import unicodedata

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
# 20190704, 2019-07-04, 2019_07, 20190704123059 and with milliseconds; not any number of six or more digits.
_DATE = re.compile(
    r"(?<!\d)(?P<year>19\d\d|20\d\d)"
    r"(?:(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])(?=\d{6,9}(?!\d)|(?!\d))"
    r"|[-_. ](?P<month2>0[1-9]|1[0-2])(?!\d))"
)
_RUN = re.compile(r"[^\W_]+")
_MOST_CHARACTERS = 2000  # of one name, keyword list or caption; what is longer is not meant to be searched


def runs(text: str) -> list[str]:
    """Return the words of a text in lower case.

    A word is a run of letters and digits, in composed Unicode.
    """
    return [run.lower() for run in _RUN.findall(_composed(text))]


def name_words(text: str) -> str:
    """Return the words of a name, with spaces between them.

    First come its runs, each followed by its parts (divided by camelCase and digits). Then come the year,
    month and day of dates, with the month's English name.
    """
    words: list[str] = []
    for run in _RUN.findall(_composed(text)):
        words.append(run)
        words += (part for part in _parts(run) if part != run)
    for date in _DATE.finditer(_composed(text)):
        month = date["month"] or date["month2"]
        if date["day"]:
            words += [date["year"], month, date["day"]]
        words.append(_MONTHS[int(month) - 1])
    return " ".join(word.lower() for word in words)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text[:_MOST_CHARACTERS])


def _parts(run: str) -> list[str]:
    """Return the parts of a run.

    Single letters are left out: they mean nothing alone.
    """
    parts = [""]
    for at, character in enumerate(run):
        before, after = run[at - 1 : at], run[at + 1 : at + 2]
        camel = character.isupper() and (before.islower() or (before.isupper() and after.islower()))
        if camel or (before and character.isdigit() != before.isdigit()):
            parts.append("")
        parts[-1] += character
    return [part for part in parts if len(part) > 1 or part.isdigit()]
